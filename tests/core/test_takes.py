"""Holding any list of slots: seats, chairs, vehicles."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from bridge import errors
from bridge.core import holds, ledger, orders, shortfalls, takes
from bridge.core.takes import Take
from bridge.db import Connection
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.rules.slots import day_slot
from tests.factories import counters, lapse, make_resource


def place(conn: Connection, wanted: list[Take], **fields: object) -> takes.Taken:
    values = {
        "kind": "booking",
        "scope": "tests",
        "key": uuid4().hex,
        "request_hash": b"1",
        "resource_id": wanted[0].resource_id,
        "quantity": 1,
        "customer_email": "ada@example.test",
        "metadata": {},
        "term": timedelta(minutes=30),
        "hard_term": timedelta(minutes=120),
        "actor": "tests",
        **fields,
    }
    return takes.place(conn, wanted, **values)  # type: ignore[arg-type]  # As loose as a test likes.


def make_departure(conn: Connection, *, capacity: int, slot_no: int = 7) -> str:
    resource_id, _dates = make_resource(conn, grain="departure", days=0)
    conn.execute(
        "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, %s, current_date + 9, %s)",
        [resource_id, slot_no, capacity],
    )
    return resource_id


def test_one_hold_takes_slots_of_several_resources_or_none(conn):
    tour = make_departure(conn, capacity=4)
    vehicle, [day] = make_resource(conn, type="VEHICLE", capacity=1, days=1)
    wanted = [Take(vehicle, day_slot(day), 1), Take(tour, 7, 3)]

    place(conn, wanted)
    with pytest.raises(takes.Short) as refusal:
        place(conn, [*wanted[1:], *wanted[:1]])

    assert (counters(conn, tour), counters(conn, vehicle)) == ([(3, 0)], [(1, 0)])
    assert {slot["resource_id"]: slot["available"] for slot in refusal.value.slots} == {tour: 1, vehicle: 0}


def test_two_takes_of_one_slot_want_their_sum(conn):
    tour = make_departure(conn, capacity=4)

    with pytest.raises(takes.Short):
        place(conn, [Take(tour, 7, 3), Take(tour, 7, 2)])
    place(conn, [Take(tour, 7, 2), Take(tour, 7, 2)])

    assert counters(conn, tour) == [(4, 0)]


def test_the_same_request_again_answers_the_same_hold(conn):
    tour = make_departure(conn, capacity=4)
    first = place(conn, [Take(tour, 7, 3)], key="basket-1-" + tour)

    again = place(conn, [Take(tour, 7, 3)], key="basket-1-" + tour)
    with pytest.raises(errors.IdempotencyTokenReused):
        place(conn, [Take(tour, 7, 1)], key="basket-1-" + tour, request_hash=b"2")

    assert (again.hold_id, again.expires_at, again.is_replay) == (first.hold_id, first.expires_at, True)
    assert counters(conn, tour) == [(3, 0)]


def test_a_hold_shows_the_dates_of_what_it_takes(conn):
    tour = make_departure(conn, capacity=4)
    taken = place(conn, [Take(tour, 7, 3)])

    [shown] = holds.get_hold(conn, taken.hold_id).dates

    assert shown == conn.execute("SELECT current_date + 9 AS day").fetchone()["day"]


def test_a_hold_that_is_not_confirmed_moves_and_stays_held(conn):
    tour = make_departure(conn, capacity=4)
    conn.execute(
        "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, 8, current_date + 10, 3)",
        [tour],
    )
    taken = place(conn, [Take(tour, 7, 3)])
    target = ledger.Target(taken.hold_id, tour, 8, 2)

    ledger.settle(conn, [taken.hold_id], [target], cause="move", actor="tests", held_until=taken.expires_at)

    assert counters(conn, tour) == [(0, 0), (2, 0)]
    assert holds.get_hold(conn, taken.hold_id).status == "ACTIVE"


def test_an_appointment_is_one_whatever_its_quarter_hours_weigh(conn):
    staff, _dates = make_resource(conn, type="STAFF", grain="quarter_hour", days=0, default_capacity=2)
    quarters = [Take(staff, 2_000_000, 2), Take(staff, 2_000_001, 2), Take(staff, 2_000_002, 1)]
    taken = place(conn, quarters, kind="appointment")

    allocation, _hold = holds.confirm_hold(conn, taken.hold_id, order_id="o", line_item_id=None, actor="tests")

    assert allocation.quantity == 1
    assert counters(conn, staff) == [(0, 2), (0, 2), (0, 1)]


def order_for(hold_id: str, *, quantity: int = 1) -> OrderFacts:
    line = LineFacts(id="item_1", quantity=quantity, hold_ids=(hold_id,))
    return OrderFacts(source="medusa", id=f"order_{uuid4().hex}", lines=(line,))


def test_a_paid_order_posts_a_whole_party_and_gives_it_back_whole(conn):
    tour = make_departure(conn, capacity=4)
    taken = place(conn, [Take(tour, 7, 3)], quantity=3)
    order = order_for(taken.hold_id)

    orders.reconcile(conn, order, actor="tests")
    posted = counters(conn, tour)
    orders.reconcile(conn, OrderFacts(source="medusa", id=order.id, is_cancelled=True), actor="tests")

    assert (posted, counters(conn, tour)) == ([(0, 3)], [(0, 0)])


def test_half_a_party_is_not_taken_and_its_order_is_short(conn):
    tour = make_departure(conn, capacity=4)
    late = place(conn, [Take(tour, 7, 3)], quantity=3)
    lapse(conn, late.hold_id)
    place(conn, [Take(tour, 7, 2)], quantity=2)
    order = order_for(late.hold_id)

    done = orders.reconcile(conn, order, actor="tests")

    [shortfall], _count = shortfalls.list_shortfalls(conn, order_id=order.id)
    assert counters(conn, tour) == [(2, 0)]
    assert shortfall["missing"][0]["quantity"] == 1
    assert "0 of 1 bookings stand" in done.outcome
