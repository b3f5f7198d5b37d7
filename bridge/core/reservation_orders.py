"""Which order pays for a booking number."""

from __future__ import annotations

from bridge import sql
from bridge.db import Connection
from bridge.rules.orders import OrderFacts
from bridge.rules.wanted import Plan

queries = sql.load("orders")
_reservations = sql.load("reservations")


def take_turn(conn: Connection, facts: OrderFacts) -> None:
    """Take the turn of the number an order names: after the order's, before any of the number's holds."""
    if facts.booking_number:
        conn.fetch(_reservations.lock_reservation, {"booking_number": facts.booking_number})


def attach_order(conn: Connection, facts: OrderFacts, plan: Plan) -> None:
    """Note that an order pays for the number it names, unless its lines say that they are for something else."""
    if not facts.booking_number:
        return
    named = {*facts.hold_ids, *(name for line in facts.lines for name in line.hold_ids)}
    conn.fetch(
        queries.attach_reservation,
        {
            "source": facts.source,
            "order_id": facts.id,
            "booking_number": facts.booking_number,
            "is_cancelled": facts.is_cancelled,
            "customer_email": facts.email,
            "customer_name": facts.customer_name,
            "names_none": not named,
            "hold_ids": sorted(named | {wanted.hold.id for wanted in plan.wanted if wanted.hold is not None}),
        },
    )
