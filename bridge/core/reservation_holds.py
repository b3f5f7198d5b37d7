"""How an item of a reservation is held: its slots, or, of somebody's time, an appointment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from psycopg.types.json import Jsonb

from bridge import sql
from bridge.core import placements, takes
from bridge.core.reservation_items import Item
from bridge.db import Connection
from bridge.ids import new_id

queries = sql.load("reservations")


def hold_item(
    conn: Connection,
    booking_number: str,
    item: Item,
    customer_email: str | None,
    hard_term: timedelta,
    actor: str,
) -> str:
    """Hold the item under the number; the hold's id. The caller has locked what it takes, and knows that it fits."""
    hold_id = (_hold_time if item.wish else _hold_slots)(conn, booking_number, item, customer_email, hard_term, actor)
    conn.execute(
        queries.insert_item,
        {
            "hold_id": hold_id,
            "booking_number": booking_number,
            "title": item.title,
            "details": Jsonb(item.details),
            "term": item.term,
            "line_quantity": item.line_quantity,
            "unit_price": item.unit_price,
            "currency_code": item.currency_code,
            "variant_id": item.variant_id,
        },
    )
    return hold_id


def _hold_slots(
    conn: Connection, booking_number: str, item: Item, customer_email: str | None, hard_term: timedelta, actor: str
) -> str:
    taken = takes.place(
        conn,
        item.takes,
        kind=item.kind,
        scope="reservation",
        key=new_id("item"),
        request_hash=b"",
        resource_id=item.resource_id,
        quantity=item.quantity,
        customer_email=customer_email,
        metadata={},
        term=item.term,
        hard_term=hard_term,
        actor=actor,
        booking_number=booking_number,
    )
    return taken.hold_id


def _hold_time(
    conn: Connection, booking_number: str, item: Item, customer_email: str | None, hard_term: timedelta, actor: str
) -> str:
    """An appointment goes with the hold of somebody's time, and follows it."""
    assert item.wish is not None, "only called for somebody's time"
    placed = placements.place_appointment(
        conn,
        replace(item.wish, customer_email=customer_email),
        term=item.term,
        hard_term=hard_term,
        actor=actor,
        booking_number=booking_number,
    )
    return placed.hold_id
