"""Repairing beside a rush of sales: nothing is oversold, and in the end the ledger adds up."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from bridge import db, errors
from bridge.core import audits, holds, orders, repairs
from bridge.rules.orders import LineFacts, OrderFacts
from tests.concurrency.rush import in_transaction, rush
from tests.factories import counters, make_hold, make_resource

pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]

CAPACITY = 30


def order_of(hold_id, **fields):
    line = LineFacts(id="item_1", quantity=1, hold_ids=(hold_id,))
    return OrderFacts(source="medusa", id=f"order_{hold_id}", lines=(line,), **fields)


def buy(resource_id, dates):
    """A customer who holds a place, and then leaves, orders, or orders and cancels."""

    def shop():
        with suppress(errors.InsufficientCapacity):
            hold_id = in_transaction(lambda conn: make_hold(conn, resource_id, dates))()
            match random.choice(["leave", "order", "order", "cancel"]):
                case "leave":
                    in_transaction(lambda conn: holds.release_hold(conn, hold_id, actor="tests"))()
                case "order":
                    in_transaction(lambda conn: orders.reconcile(conn, order_of(hold_id), actor="tests"))()
                case "cancel":
                    in_transaction(lambda conn: orders.reconcile(conn, order_of(hold_id), actor="tests"))()
                    facts = order_of(hold_id, is_cancelled=True)
                    in_transaction(lambda conn: orders.reconcile(conn, facts, actor="tests"))()

    return shop


def findings_of(resource_id, hold_ids):
    with db.transaction() as conn:
        found = audits.audit(conn)
    return [row for row in found if row.get("resource_id") == resource_id or row.get("hold_id") in hold_ids]


def repair_all(resource_id, hold_ids):
    def run():
        for _ in range(3):
            for finding in findings_of(resource_id, hold_ids):
                with suppress(errors.Unavailable):
                    in_transaction(lambda conn, finding=finding: repairs.repair(conn, finding, actor="tests"))()

    return run


def test_a_repair_beside_a_rush_of_sales_mends_and_never_oversells():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=CAPACITY, days=2)
        sold = [make_hold(conn, resource_id, dates) for _ in range(6)]
        for hold_id in sold:
            orders.reconcile(conn, order_of(hold_id), actor="tests")
        closed = make_hold(conn, resource_id, dates)
    with db.transaction() as conn:
        # Two orders lose what they have, a hold that is over keeps what it had, and more is counted than there is.
        conn.execute("DELETE FROM claim WHERE hold_id = ANY (%s)", [sold[:2]])
        conn.execute("UPDATE hold SET status = 'RELEASED', closed_at = now() WHERE id = %s", [closed])
        conn.execute("UPDATE capacity SET held = held + 3 WHERE resource_id = %s", [resource_id])
    hold_ids = {*sold, closed}

    calls = [buy(resource_id, dates) for _ in range(60)]
    for n in (5, 25, 45):
        calls.insert(n, repair_all(resource_id, hold_ids))
    answers = rush(calls, at_once=12)
    repair_all(resource_id, hold_ids)()

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert findings_of(resource_id, hold_ids) == []
    with db.transaction() as conn:
        rows = conn.execute("SELECT overbooked FROM capacity WHERE resource_id = %s", [resource_id]).fetchall()
        assert all(held + allocated <= CAPACITY for held, allocated in counters(conn, resource_id))
    assert [row["overbooked"] for row in rows] == [0, 0]
