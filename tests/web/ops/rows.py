"""Rows that operators look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from psycopg.types.json import Jsonb

from bridge import db
from bridge.core import events, orders, shortfalls
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from tests.factories import lapse, make_hold, make_resource


def committed(make: Callable[..., Any], **fields: Any) -> Any:
    """What `make` makes, for everybody to see."""
    with db.transaction() as conn:
        return make(conn, **fields)


def make_event(conn: Connection, *, status: str = "failed", attempts: int = 2, **fields: Any) -> str:
    """An event in any state, with the attempts that led there; its id."""
    event_id = new_id("evt")
    values = {
        "id": event_id,
        "source": "medusa",
        "dedupe_key": uuid4().hex,
        "type": "order.placed",
        "queue": events.EVENTS,
        "order_id": None,
        "status": status,
        "outcome": None,
        "raw": orjson.dumps({"type": "order.placed", "data": {"id": "order_1"}}),
        "headers": Jsonb({"webhook-id": "msg_1"}),
        "attempts": attempts,
        "error_code": "unreadable_line" if status == "failed" else None,
        "error": "A line names a booking that cannot be found." if status == "failed" else None,
        **fields,
    }
    conn.execute(
        "INSERT INTO event (id, source, dedupe_key, type, queue, order_id, status, outcome, raw, headers, attempts,"
        " error_code, error, finished_at, next_attempt_at)"
        " VALUES (%(id)s, %(source)s, %(dedupe_key)s, %(type)s, %(queue)s, %(order_id)s, %(status)s, %(outcome)s,"
        " %(raw)s, %(headers)s, %(attempts)s, %(error_code)s, %(error)s,"
        " CASE WHEN %(status)s::event_status <> 'pending' THEN now() END, now() + INTERVAL '1 hour')",
        values,
    )
    for n in range(1, attempts + 1):
        outcome = status if n == attempts and status != "pending" else "retry"
        conn.execute(
            "INSERT INTO attempt (event_id, n, worker, finished_at, outcome, error_code, error, traceback)"
            " VALUES (%s, %s, 'host:1', clock_timestamp() + INTERVAL '250 ms', %s, %s, %s, %s)",
            [event_id, n, outcome, values["error_code"], values["error"], fields.get("traceback", "Traceback …")],
        )
    return event_id


def make_shortfall(conn: Connection, **fields: Any) -> tuple[str, str, str]:
    """An open shortfall: its id, the order's, and the resource's, which is full."""
    resource_id, dates = make_resource(conn, capacity=1, days=1, **fields)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)
    make_hold(conn, resource_id, dates)
    order_id = new_id("order")
    line = LineFacts(id="item_1", quantity=1, hold_ids=(hold_id,))
    orders.reconcile(
        conn, OrderFacts(source="medusa", id=order_id, lines=(line,), updated_at=datetime.now(UTC)), actor="tests"
    )
    rows, _count = shortfalls.list_shortfalls(conn, order_id=order_id)
    return rows[0]["id"], order_id, resource_id
