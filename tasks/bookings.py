"""What became of a booking, told to those it concerns: a letter to the customer, an announcement to subscribers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge import db, letters, links
from bridge.core import announcements, bookings, mails
from bridge.core.booking_calendars import calendar_of
from bridge.core.bookings import Booking, Change
from bridge.core.events import Event, Status
from bridge.db import Connection
from bridge.errors import UnreadableEvent
from tasks import settings

# Of these there is something to say; `cancelled` only where it is news.
LETTERS = {"confirmed", "changed", "cancelled"}


def tell(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Announce a booking that was made (no `change`) or the `change` of one, and write to its customer. Once."""
    booking_id, n = payload.get("booking_id"), payload.get("change")
    if not isinstance(booking_id, str) or not isinstance(n, int | None):
        raise UnreadableEvent("booking_id: must be a text, and change a number or null.")
    with db.transaction() as conn:
        booking = bookings.get_booking(conn, booking_id)
        change = bookings.get_change(conn, booking_id, n) if n else None
        what = change.what if change else "created"
        announcements.announce(conn, f"booking.{what}", bookings.to_json(booking), key=f"{booking_id}:{n or 'created'}")
        if change is not None and what in LETTERS:
            _write(conn, booking, change, dedupe_key=event.id)
    return "applied", f"booking.{what} announced"


def remind(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Remind a customer of a departure that is near, unless it is another one or none by now. Once."""
    with db.transaction() as conn:
        booking = bookings.get_booking(conn, str(payload.get("booking_id")))
        if booking.status != "confirmed" or booking.slot_no != payload.get("slot_no") or not booking.customer_email:
            return "ignored", "there is nothing to be reminded of any more"
        letter = letters.render("bookings/reminder", **_context(booking))
        mails.owe_mail(conn, letter, to=booking.customer_email, dedupe_key=event.id)
    return "applied", "a reminder is on its way"


def _write(conn: Connection, booking: Booking, change: Change, *, dedupe_key: str) -> None:
    """Owe the letter of a change. Its calendar file is the booking's as it stands, under the number of this change."""
    # Who let a booking lapse that was never confirmed has not lost anything that they had.
    has_lapsed = change.what == "cancelled" and booking.cancelled_by == "clock"
    is_over = change.what != "cancelled" and booking.status in {"cancelled", "refunded"}
    if not booking.customer_email or has_lapsed or is_over:
        return
    context = _context(booking, before=change.left_at, reason=change.reason)
    mails.owe_mail(
        conn,
        letters.render(f"bookings/{change.letter}", **context),
        to=booking.customer_email,
        dedupe_key=dedupe_key,
        order_id=booking.order_id,
        ics=calendar_of(booking, sequence=change.n, changed_at=change.created_at, url=context["manage_url"])
        if booking.confirmed_at
        else None,
    )


def _context(booking: Booking, *, before: datetime | None = None, reason: str | None = None) -> dict[str, Any]:
    url = links.manage_url(settings(), "booking", booking.id)
    return {"booking": booking, "manage_url": url, "before": before, "reason": reason}
