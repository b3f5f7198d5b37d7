"""Rows for tests. Every test makes its own, so nothing is cleaned up between them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from bridge.core import holds
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.slots import day_slot

ZONE = "Australia/Brisbane"


def future_day(offset: int = 30) -> date:
    """A date far enough from today for any zone."""
    return date.today() + timedelta(days=offset)


def make_resource(
    conn: Connection, *, capacity: int = 10, days: int = 3, first_day: date | None = None, **fields: Any
) -> tuple[str, list[date]]:
    """A resource sold by the day, open with `capacity` on `days` dates; its id and the dates."""
    resource_id = fields.pop("id", new_id("res"))
    values = {"type": "TOUR", "grain": "day", "name": "A tour", "time_zone": ZONE, **fields}
    conn.execute(
        "INSERT INTO resource (id, type, grain, name, time_zone, hold_minutes, default_capacity, shortfall_policy,"
        " overbook_limit, is_active) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            resource_id,
            values["type"],
            values["grain"],
            values["name"],
            values["time_zone"],
            values.get("hold_minutes"),
            values.get("default_capacity"),
            values.get("shortfall_policy", "flag"),
            values.get("overbook_limit", 0),
            values.get("is_active", True),
        ],
    )
    start = first_day or future_day()
    dates = [start + timedelta(days=n) for n in range(days)]
    for day in dates:
        conn.execute(
            "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, %s, %s, %s)",
            [resource_id, day_slot(day), day, capacity],
        )
    return resource_id, dates


def make_hold(conn: Connection, resource_id: str, dates: list[date], quantity: int = 1, **fields: Any) -> str:
    """A live hold; its id."""
    values = {"customer_email": "ada@example.test", "idempotency_token": uuid4().hex, "minutes": 30, **fields}
    placed = holds.place_hold(
        conn,
        resource_id=resource_id,
        dates=dates,
        quantity=quantity,
        customer_email=values["customer_email"],
        idempotency_token=values["idempotency_token"],
        metadata=values.get("metadata", {}),
        term=timedelta(minutes=values["minutes"]),
        hard_term=timedelta(minutes=values.get("hard_minutes", 120)),
    )
    if number := values.get("booking_number"):
        conn.execute("UPDATE hold SET booking_number = %s WHERE id = %s", [number, placed.hold.id])
    return placed.hold.id


def make_allocation(conn: Connection, resource_id: str, dates: list[date], quantity: int = 1, **fields: Any) -> str:
    """A hold confirmed for an order; the allocation's id."""
    hold_id = make_hold(conn, resource_id, dates, quantity, **fields)
    allocation, _hold = holds.confirm_hold(
        conn,
        hold_id,
        order_id=fields.get("order_id", new_id("order")),
        line_item_id=fields.get("line_item_id", "item_1"),
        actor="tests",
    )
    return allocation.id


def lapse(conn: Connection, *hold_ids: str) -> None:
    """Make holds lapse a second ago, as the clock would."""
    conn.execute("UPDATE hold SET expires_at = now() - INTERVAL '1 second' WHERE id = ANY (%s)", [list(hold_ids)])
    conn.execute(
        "UPDATE claim SET expires_at = now() - INTERVAL '1 second' WHERE hold_id = ANY (%s) AND state = 'held'",
        [list(hold_ids)],
    )


def counters(conn: Connection, resource_id: str) -> list[tuple[int, int]]:
    """(held, allocated) of each slot of a resource, by slot."""
    rows = conn.execute("SELECT held, allocated FROM capacity WHERE resource_id = %s ORDER BY slot_no", [resource_id])
    return [(row["held"], row["allocated"]) for row in rows]
