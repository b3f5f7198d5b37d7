"""What became of a booking, told to those it concerns."""

from __future__ import annotations

from typing import Any

from bridge import db
from bridge.core import announcements, bookings
from bridge.core.events import Event, Status
from bridge.errors import UnreadableEvent


def tell(_event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Announce a booking that was made (no `change`) or the `change` of one. Twice is as good as once."""
    booking_id, change = payload.get("booking_id"), payload.get("change")
    if not isinstance(booking_id, str) or not isinstance(change, int | None):
        raise UnreadableEvent("booking_id: must be a text, and change a number or null.")
    with db.transaction() as conn:
        booking = bookings.get_booking(conn, booking_id)
        what = bookings.describe_change(conn, booking_id, change) if change else "created"
        shown = bookings.to_json(booking)
        announcements.announce(conn, f"booking.{what}", shown, key=f"{booking_id}:{change or 'created'}")
    return "applied", f"booking.{what} announced"
