"""Nothing is oversold, nothing is taken twice, and no deadlock comes to the surface."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from bridge import db, errors
from bridge.core import audits, holds, orders
from bridge.rules.orders import LineFacts, OrderFacts
from tests.concurrency.rush import in_transaction, rush
from tests.factories import counters, lapse, make_hold, make_resource

# One process at a time: a rush takes half of the connections a server has.
pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]
TERMS = {"term": timedelta(minutes=30), "hard_term": timedelta(hours=2)}


def place(resource_id, dates, *, token=None, quantity=1):
    def call():
        with db.statement() as conn:
            return holds.place_hold(
                conn,
                resource_id=resource_id,
                dates=dates,
                quantity=quantity,
                customer_email="ada@example.test",
                idempotency_token=token or uuid4().hex,
                metadata={},
                **TERMS,
            )

    return call


def findings(resource_id):
    with db.transaction() as conn:
        return [found for found in audits.audit(conn) if found.get("resource_id") == resource_id]


def kinds(answers):
    return Counter(type(answer).__name__ for answer in answers)


def test_a_crowd_cannot_oversell():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=10, days=3)

    answers = rush([place(resource_id, dates) for _ in range(200)])

    assert kinds(answers) == {"Placed": 10, "InsufficientCapacity": 190}
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(10, 0)] * 3
    assert findings(resource_id) == []


def test_overlapping_ranges_in_any_order_never_deadlock():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=30, days=12)
    chance = random.Random(7)

    def some_dates():
        first = chance.randrange(8)
        chosen = dates[first : first + 5]
        return chosen if chance.random() < 0.5 else chosen[::-1]

    answers = rush([place(resource_id, some_dates()) for _ in range(300)])

    assert set(kinds(answers)) <= {"Placed", "InsufficientCapacity"}
    with db.transaction() as conn:
        assert all(held <= 30 for held, _allocated in counters(conn, resource_id))
    assert findings(resource_id) == []


def test_orders_of_several_resources_in_opposite_order_never_deadlock():
    with db.transaction() as conn:
        first, dates = make_resource(conn, capacity=500, days=2)
        second, _dates = make_resource(conn, capacity=500, days=2)
        pairs = [[make_hold(conn, first, dates), make_hold(conn, second, dates)] for _ in range(60)]

    def place(pair, *, cancelled):
        lines = tuple(LineFacts(id=hold_id, quantity=1, hold_ids=(hold_id,)) for hold_id in pair)
        facts = OrderFacts(source="medusa", id=f"order_{min(pair)}", lines=lines, is_cancelled=cancelled)
        return in_transaction(lambda conn: orders.reconcile(conn, facts, actor="tests"))

    calls = [place(pair if n % 2 else pair[::-1], cancelled=False) for n, pair in enumerate(pairs)]
    calls += [place(pair[::-1], cancelled=True) for pair in pairs[::3]]
    random.Random(7).shuffle(calls)
    answers = rush(calls)

    assert set(kinds(answers)) == {"Reconciled"}
    with db.transaction() as conn:
        assert counters(conn, first) == counters(conn, second) == [(0, 40)] * 2
    assert findings(first) == findings(second) == []


def test_the_same_token_fifty_times_makes_one_hold():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=1, days=2)
    token = uuid4().hex

    answers = rush([place(resource_id, dates, token=token) for _ in range(50)], at_once=50)

    assert kinds(answers) == {"Placed": 50}
    assert len({answer.hold.id for answer in answers}) == 1
    assert [answer.is_replay for answer in answers].count(False) == 1
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(1, 0)] * 2


def test_the_same_token_for_other_dates_is_refused_even_at_once():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=50, days=10)
    token = uuid4().hex

    answers = rush([place(resource_id, [day], token=token) for day in dates], at_once=10)

    assert kinds(answers) == {"Placed": 1, "IdempotencyTokenReused": 9}
    with db.transaction() as conn:
        assert sum(held for held, _allocated in counters(conn, resource_id)) == 1


def test_a_confirmation_sent_many_times_at_once_is_answered_alike():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=1, days=2)
        hold_id = make_hold(conn, resource_id, dates)

    def confirm(conn):
        return holds.confirm_hold(conn, hold_id, order_id="o1", line_item_id="l", actor="t")

    answers = rush([in_transaction(confirm) for _ in range(20)], at_once=20)

    assert kinds(answers) == {"tuple": 20}
    assert len({allocation.id for allocation, _hold in answers}) == 1
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 1)] * 2
    assert findings(resource_id) == []


def test_confirm_against_expire_against_release_resolves_once():
    for _round in range(15):
        with db.transaction() as conn:
            resource_id, dates = make_resource(conn, capacity=1, days=2)
            hold_id = make_hold(conn, resource_id, dates)
            if _round % 3:
                lapse(conn, hold_id)
        calls = [
            in_transaction(
                lambda conn, h=hold_id: holds.confirm_hold(conn, h, order_id="o1", line_item_id="l", actor="t")
            ),
            in_transaction(
                lambda conn, h=hold_id: holds.confirm_hold(conn, h, order_id="o2", line_item_id="l", actor="t")
            ),
            in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="t")),
            in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="t")),
            in_transaction(lambda conn, h=hold_id: holds.extend_hold(conn, h)),
            in_transaction(lambda conn: holds.expire_holds(conn, limit=1000)),
            place(resource_id, dates),
        ]
        random.Random(_round).shuffle(calls)

        answers = rush(calls, at_once=len(calls))

        assert not [
            answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, errors.BridgeError)
        ]
        assert not [answer for answer in answers if isinstance(answer, errors.Unavailable)]
        with db.transaction() as conn:
            assert all(held + allocated <= 1 for held, allocated in counters(conn, resource_id))
        assert findings(resource_id) == []


def test_a_lapsed_seat_goes_to_exactly_one_of_a_crowd():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=3, days=2)
        lapse(conn, *[make_hold(conn, resource_id, dates) for _ in range(3)])

    calls = [place(resource_id, dates) for _ in range(60)]
    calls[10:10] = [in_transaction(lambda conn: holds.expire_holds(conn, limit=1000))] * 4
    answers = rush(calls)

    assert kinds(answers)["Placed"] == 3
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(3, 0)] * 2
    assert findings(resource_id) == []


def test_quarter_hours_nobody_touched_are_opened_once():
    with db.transaction() as conn:
        resource_id, _dates = make_resource(conn, days=0, grain="quarter_hour", type="STAFF", default_capacity=2)
    first = 2_000_000

    def book(start):
        def call():
            slots = list(range(start, start + 4))
            with db.statement() as conn:
                return conn.execute(
                    "SELECT outcome FROM place_hold(%s, 'tests', %s, '', 'appointment', NULL, %s, 1, NULL, '{}',"
                    " INTERVAL '10 min', INTERVAL '1 h', %s, %s, %s, 'tests')",
                    [uuid4().hex, uuid4().hex, resource_id, [resource_id] * 4, slots, [2] * 4],
                ).fetchone()["outcome"]

        return call

    answers = rush([book(first + n % 7) for n in range(70)])

    assert set(map(str, answers)) <= {"placed", "short"}
    assert 1 <= answers.count("placed") <= 2
    assert findings(resource_id) == []
