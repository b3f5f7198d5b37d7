"""What became of a reservation, told to its customer: one letter for all of it."""

from __future__ import annotations

from typing import Any

from bridge import db, letters, links
from bridge.core import mails, reservations
from bridge.core.events import Event, Status
from bridge.errors import UnreadableEvent
from tasks import settings


def tell(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Write to who paid for a reservation what they have, and what of it is missing. Once for each number."""
    number = payload.get("booking_number")
    if not isinstance(number, str):
        raise UnreadableEvent("booking_number: must be a text.")
    with db.transaction() as conn:
        reservation = reservations.get_reservation(conn, number)
        email = reservation.customer_email or reservations.find_order_email(conn, number)
        if reservation.status != "paid" or email is None:
            return "ignored", "there is nobody to write to, or nothing to write of any more"
        url = links.manage_url(settings(), "reservation", number)
        letter = letters.render("reservations/confirmed", reservation=reservation, manage_url=url)
        mails.owe_mail(conn, letter, to=email, dedupe_key=event.id, order_id=reservation.order_id)
    return "applied", "a confirmation is on its way"
