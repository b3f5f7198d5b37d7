"""What platforms told us: read, looked up where the event says too little, and applied."""

from __future__ import annotations

from typing import Any

from bridge import db
from bridge.clients.medusa import Medusa
from bridge.core import carts, events, orders, payments
from bridge.core.events import Event
from bridge.core.orders import Reconciled
from bridge.db import Connection
from bridge.errors import UnreadableEvent, UnreadableLine
from bridge.platforms import PLATFORMS
from bridge.rules.orders import CartFacts, CheckoutFacts, LookUp, Nothing, OrderFacts
from tasks import event_task, settings


@event_task(lease_seconds=events.LEASE_SECONDS)
def apply_event(event: Event) -> None:
    """Do to the ledger what an event asks for. Safe to run twice."""
    if event.source not in PLATFORMS:
        raise UnreadableEvent(f"There is no platform {event.source!r}.")
    reading = PLATFORMS[event.source].read_event(event.document())

    # Outside any transaction: no row stays locked while we wait on the network.
    facts = _look_up(reading) if isinstance(reading, LookUp) else reading

    with db.transaction() as conn:
        events.finish_event(conn, event, **_apply(conn, facts, actor=event.id))


def _look_up(wanted: LookUp) -> OrderFacts | CartFacts:
    platform = PLATFORMS[wanted.source]
    if wanted.kind == "cart":
        cart: CartFacts = platform.read_cart(Medusa(settings()).get_cart(wanted.id))
        return cart
    if wanted.is_cancelled:
        # There is nothing to ask: an order is never cancelled less than it was, and wants nothing any more.
        return OrderFacts(source=wanted.source, id=wanted.id, is_cancelled=True)
    order: OrderFacts = platform.read_order(Medusa(settings()).get_order(wanted.id))
    return order


def _apply(conn: Connection, facts: OrderFacts | CartFacts | CheckoutFacts | Nothing, *, actor: str) -> dict[str, Any]:
    match facts:
        case OrderFacts():
            return _verdict(orders.reconcile(conn, facts, actor=actor))
        case CartFacts():
            return _verdict(carts.follow(conn, facts, actor=actor))
        case CheckoutFacts():
            return _verdict(payments.follow(conn, facts, actor=actor))
        case Nothing(reason=reason):
            return {"status": "ignored", "outcome": reason}


def _verdict(done: Reconciled) -> dict[str, Any]:
    if done.problems:
        # What could be done is kept; a person must see to the rest.
        problems = "; ".join(done.problems)
        return {"status": "failed", "outcome": done.outcome, "error_code": UnreadableLine.code, "error": problems}
    return {"status": "ignored" if done.ignored else "applied", "outcome": done.outcome}
