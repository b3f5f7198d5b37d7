"""Reservations of every fate, for tests of what is said of them."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from bridge.core import blackouts, orders, reservations
from bridge.core.reservations import Reservation
from bridge.db import Connection
from bridge.rules.orders import LineFacts, OrderFacts
from tests.factories import lapse_reservation, make_reservation


def pay(conn: Connection, made: Reservation, *, items: int | None = None) -> OrderFacts:
    """An order that pays for the first `items` of a reservation, or all of them."""
    lines = tuple(LineFacts(id=item.id, quantity=1, hold_ids=(item.id,)) for item in made.items[:items])
    facts = OrderFacts(source="medusa", id=f"order_{uuid4().hex}", booking_number=made.booking_number, lines=lines)
    orders.reconcile(conn, facts, actor="tests")
    return facts


def make_fates(conn: Connection, resource_id: str, days: list[date]) -> dict[str, str]:
    """One reservation of one place and one day of each fate, and of some two; their numbers by fate."""

    def reserve(times: int = 1) -> Reservation:
        return make_reservation(conn, resource_id, days[:1], times=times, customer_email="ada@example.test")

    made = {name: reserve() for name in ("open", "paid", "paid_late", "cancelled", "lapsed", "released", "emptied")}
    made["partly_paid"] = reserve(times=2)
    pay(conn, made["paid"])
    pay(conn, made["partly_paid"], items=1)
    lapse_reservation(conn, made["paid_late"].booking_number)
    pay(conn, made["paid_late"])
    order = pay(conn, made["cancelled"])
    orders.reconcile(conn, OrderFacts(source="medusa", id=order.id, is_cancelled=True), actor="tests")
    lapse_reservation(conn, made["lapsed"].booking_number)
    reservations.release(conn, made["released"].booking_number, actor="tests", reason="the page was closed")
    reservations.drop_item(conn, made["emptied"].booking_number, made["emptied"].items[0].id, actor="tests")
    return {name: reservation.booking_number for name, reservation in made.items()}


def make_withdrawn(conn: Connection, resource_id: str, day: date) -> str:
    """A reservation whose day is closed while it is held; its number."""
    number = make_reservation(conn, resource_id, [day]).booking_number
    blackouts.create_blackout(
        conn,
        resource_id=resource_id,
        start_date=day,
        end_date=day,
        reason="painting",
        cancel_existing_holds=True,
        actor="tests",
    )
    return number
