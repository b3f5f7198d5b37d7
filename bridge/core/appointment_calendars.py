"""The calendar file of an appointment: what its letters carry, and what its page offers."""

from __future__ import annotations

from bridge.core.appointments import Appointment
from bridge.letters.calendars import Entry, write_calendar


def calendar_of(booking: Appointment, *, url: str) -> str:
    """The appointment as it stands: the same uid for ever, and a sequence that rises with every change."""
    return write_calendar([entry_of(booking, url=url)], method="CANCEL" if booking.status == "cancelled" else "PUBLISH")


def entry_of(booking: Appointment, *, url: str) -> Entry:
    """The appointment as an event of a calendar file."""
    return Entry(
        uid=f"{booking.id}@bridge",
        sequence=booking.sequence,
        starts_at=booking.start_at,
        ends_at=booking.end_at,
        summary=f"{booking.service_name} with {booking.staff_name}",
        changed_at=booking.updated_at,
        description=f"{booking.booking_number}: {booking.service_name}",
        url=url,
    )
