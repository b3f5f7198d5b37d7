"""Payments on Stripe: sessions that are to be paid no more, and money that goes back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bridge import db
from bridge.clients.stripe import Stripe
from bridge.core import checkouts, payments
from bridge.core.events import Event, Status
from bridge.errors import PlatformRefused, UnreadableEvent
from tasks import settings


def end_session(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Have nobody pay a session whose reservation is over. While it is not, look again when it will be."""
    session_id, number = payload.get("session_id"), payload.get("booking_number")
    if not isinstance(session_id, str) or not isinstance(number, str):
        raise UnreadableEvent("session_id and booking_number: must be texts.")
    with db.transaction() as conn:
        if until := payments.stands_until(conn, number, session_id):
            checkouts.owe_end(conn, number, session_id, cause=event.id, at=until)
            return "ignored", f"the reservation stands until {until:%H:%M:%S} UTC; looked at again then"

    status = Stripe(settings()).end_session(session_id)
    return "applied", f"the session is {status}"


def refund(payload: dict[str, Any], amount: Decimal | None) -> tuple[Status, str]:
    """Pay back what an order of Stripe's gave: `amount`, else what its line cost, else all that is left."""
    order_id, line_id = payload["order_id"], payload.get("line_item_id")
    if not order_id.startswith("pi_"):
        return "ignored", "nothing was paid, so nothing is paid back"
    if amount is None and line_id is not None:
        with db.statement() as conn:
            amount = payments.find_amount(conn, line_id)
        if amount is None:
            # A person can give the amount by editing the payload.
            raise PlatformRefused(f"Nobody knows what {line_id or 'the item'} cost; give an `amount`.")
    if not Stripe(settings()).refund(order_id, amount=amount, refund_id=payload["refund_id"]):
        return "applied", "all of it was paid back before"
    return "applied", f"{amount or 'all that was left'} paid back"
