"""The calendar file of a booking: what its letters carry, and what its page offers."""

from __future__ import annotations

from datetime import datetime

from bridge import letters
from bridge.core.bookings import Booking
from bridge.letters.calendars import Entry, write_calendar


def calendar_of(booking: Booking, *, sequence: int, changed_at: datetime, url: str) -> str:
    """The booking as a calendar file: the same uid for ever, and a `sequence` that rises with every change."""
    return write_calendar(
        [entry_of(booking, sequence=sequence, changed_at=changed_at, url=url)],
        method="CANCEL" if booking.status in {"cancelled", "refunded"} else "PUBLISH",
    )


def entry_of(booking: Booking, *, sequence: int, changed_at: datetime, url: str) -> Entry:
    """The booking as an event of a calendar file."""
    return Entry(
        uid=f"{booking.id}@bridge",
        sequence=sequence,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        summary=booking.tour_name,
        changed_at=changed_at,
        description=f"{booking.reference}: {letters.show_party(booking)}",
        url=url,
    )
