"""What an event of Stripe says in the bridge's own words.

A paid Checkout Session is an order: its id is that of the payment (which refunds name too), or of the session where
nothing was to be paid. Its lines are named after the holds they pay for; we wrote those into the session ourselves.
"""

from __future__ import annotations

import re
from typing import Any

from bridge.platforms.claims import Claims
from bridge.platforms.reading import dig, is_id, load, usable_email
from bridge.rules.orders import CheckoutFacts, LineFacts, Nothing, OrderFacts, Reading
from schemas.stripe import ChargeSchema, EventSchema, SessionSchema

SOURCE = "stripe"

PAID_TYPES = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
UNPAID_TYPES = frozenset({"checkout.session.expired", "checkout.session.async_payment_failed"})
REFUND_TYPES = frozenset({"charge.refunded"})
# A session's metadata: values of up to 500 characters, so the holds are written over several.
HOLDS_KEY = "booking_holds_"
HOLDS_PER_VALUE = 10
_HOLD = re.compile(r"(hold_[0-9A-Za-z]{1,60})\*([0-9]{1,9})")


def is_known(event_type: str) -> bool:
    """Whether the bridge acts on events of this type."""
    return event_type in PAID_TYPES or event_type in UNPAID_TYPES or event_type in REFUND_TYPES


def read_event(document: object) -> Reading:
    """What a webhook's JSON body asks for. Raises UnreadableEvent, which names the field."""
    event = load(EventSchema, document, "")
    thing = event["data"]["object"]
    if event["type"] in PAID_TYPES:
        return _read_paid(load(SessionSchema, thing, "data.object"))
    if event["type"] in UNPAID_TYPES:
        session = load(SessionSchema, thing, "data.object")
        return CheckoutFacts(source=SOURCE, reference=session["id"], booking_number=_booking_number(session))
    if event["type"] in REFUND_TYPES:
        return _read_refund(load(ChargeSchema, thing, "data.object"))
    return Nothing(reason=f"the type {event['type']!a} is unknown")


def order_id_of(document: object) -> str | None:
    """The order an event is about, to file it under; None where it names none that can be stored. Never raises."""
    payment = dig(document, "data", "object", "payment_intent")
    payment = dig(payment, "id") if isinstance(payment, dict) else payment
    candidates = [payment]
    if dig(document, "type") in PAID_TYPES:
        candidates.append(dig(document, "data", "object", "id"))
    return next((value for value in candidates if is_id(value)), None)


def session_metadata(booking_number: str, holds: list[tuple[str, int]]) -> dict[str, str]:
    """What is written into a session, so that its payment says by itself what it is for."""
    metadata = {"booking_number": booking_number}
    for n, first in enumerate(range(0, len(holds), HOLDS_PER_VALUE)):
        part = holds[first : first + HOLDS_PER_VALUE]
        metadata[f"{HOLDS_KEY}{n}"] = ",".join(f"{hold_id}*{quantity}" for hold_id, quantity in part)
    return metadata


def _read_paid(session: dict[str, Any]) -> Reading:
    number = _booking_number(session)
    if session["payment_status"] == "unpaid":
        # A bank debit, say: Stripe tells us when the money has come, or that it will not.
        return Nothing(reason="the session is completed and not paid yet")
    lines = _lines(session["metadata"])
    if number is None and not lines:
        return Nothing(reason="the session names no reservation of ours")
    return OrderFacts(
        source=SOURCE,
        id=session["payment_intent"] or session["id"],
        email=usable_email((session["customer_details"] or {}).get("email") or session["customer_email"]),
        lines=lines,
        booking_number=number,
    )


def _read_refund(charge: dict[str, Any]) -> Reading:
    if charge["payment_intent"] is None:
        return Nothing(reason="the charge is of no Checkout Session")
    if not _is_all_back(charge):
        # Stripe does not say for which item. Nobody loses a seat for a gesture of goodwill.
        return Nothing(reason="a part was paid back; what that is for is cancelled by hand")
    return OrderFacts(source=SOURCE, id=charge["payment_intent"], is_cancelled=True)


def _is_all_back(charge: dict[str, Any]) -> bool:
    if charge["refunded"] is not None:
        return bool(charge["refunded"])
    total, back = charge["amount"], charge["amount_refunded"]
    return total is None or back is None or back >= total


def _booking_number(session: dict[str, Any]) -> str | None:
    claims = Claims(session["metadata"])
    named = claims.text("booking_number") or claims.text("bookingNumber")
    return named or Claims({"number": session["client_reference_id"]}).text("number")


def _lines(metadata: object) -> tuple[LineFacts, ...]:
    named = {
        found[1]: int(found[2])
        for name, value in sorted((metadata if isinstance(metadata, dict) else {}).items())
        if name.startswith(HOLDS_KEY) and isinstance(value, str)
        for found in _HOLD.finditer(value)
    }
    return tuple(LineFacts(id=hold_id, quantity=quantity, hold_ids=(hold_id,)) for hold_id, quantity in named.items())
