"""Baskets that want the same things at once: one has all of it, the other nothing, and nobody waits in a ring."""

from __future__ import annotations

import random
from collections import Counter
from datetime import time, timedelta
from uuid import uuid4

import pytest

from bridge import db, errors
from bridge.core import (
    appointments,
    audits,
    holds,
    moves,
    orders,
    payments,
    reservation_items,
    reservation_news,
    reservations,
)
from bridge.core.terms import kept_terms
from bridge.rules.orders import CheckoutFacts, LineFacts, OrderFacts
from tests.concurrency.rush import in_transaction, rush
from tests.factories import (
    at,
    counters,
    future_day,
    lapse_reservation,
    make_reservation,
    make_resource,
    make_service,
    make_staff,
)
from tests.waiting import make_slot, make_tour, slot_id_of

# One process at a time: a rush takes half of the connections a server has.
pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]
TERMS = reservation_items.Terms(term=timedelta(minutes=15), currency_code="aud", tours=kept_terms())
HARD = timedelta(hours=2)
CHECKOUT = {"platform": "medusa", "customer": payments.Customer(), "grace": timedelta(minutes=10)}
ROUNDS = 1000


def add(*wanted, number=None):
    """A customer who adds (resource, day) pairs, in this order."""
    asked = [{"resource_id": resource_id, "dates": [day], "quantity": 1} for resource_id, day in wanted]
    return add_items(asked, number=number)


def add_items(asked, number=None):
    """A customer who adds these items."""

    def call(conn):
        items = reservation_items.read_items(conn, asked, terms=TERMS)
        return reservations.add_items(
            conn, items, booking_number=number, customer_email=None, hard_term=HARD, actor="tests"
        )

    return in_transaction(call)


def kinds(answers):
    return Counter(type(answer).__name__ for answer in answers)


def findings(*resource_ids):
    with db.transaction() as conn:
        return [found for found in audits.audit(conn) if found.get("resource_id") in resource_ids]


def unexpected(answers, *allowed):
    return [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, allowed)]


def test_baskets_that_overlap_in_opposite_order_a_thousand_times():
    with db.transaction() as conn:
        first, days = make_resource(conn, capacity=1, days=ROUNDS, first_day=future_day(1))
        second, _days = make_resource(conn, capacity=1, days=ROUNDS, first_day=future_day(1))
        third, _days = make_resource(conn, capacity=2 * ROUNDS, days=1)
        # Every other pair has something in its baskets already, so that rows of both are locked together.
        had = [make_reservation(conn, third, [future_day()]).booking_number for _ in range(ROUNDS)]
    calls = []
    for n, day in enumerate(days):
        mine, theirs = (had[n - 1], had[n]) if n % 2 else (None, None)
        calls += [add((first, day), (second, day), number=mine), add((second, day), (first, day), number=theirs)]

    answers = rush(calls, at_once=8)

    assert unexpected(answers, errors.InsufficientCapacity) == []
    pairs = [kinds(answers[n : n + 2]) for n in range(0, len(answers), 2)]
    assert [pair for pair in pairs if pair != {"tuple": 1, "InsufficientCapacity": 1}] == []
    with db.transaction() as conn:
        assert counters(conn, first) == counters(conn, second) == [(1, 0)] * ROUNDS
        assert counters(conn, third) == [(ROUNDS, 0)]
    assert findings(first, second, third) == []


def test_baskets_of_every_kind_that_overlap_in_opposite_order_a_thousand_times():
    """A van's day, a boat's only seat and a guide's hour, in this order and the other way round."""
    with db.transaction() as conn:
        van, days = make_resource(conn, capacity=1, days=ROUNDS, first_day=future_day(1))
        tour = make_tour(conn)
        # As many as may be booked ahead: a departure a minute, and guides with eight hours a day.
        times = [(future_day(3 + n // 100), time(9 + n % 100 // 60, n % 60)) for n in range(ROUNDS)]
        slots = [slot_id_of(conn, make_slot(conn, tour, capacity=1, on=day, at=clock)) for day, clock in times]
        service = make_service(conn, price=80, duration_minutes=60)
        guides = [make_staff(conn, service_ids=[service]) for _ in range(5)]
    hours = [(guides[n % 5], at(f"{9 + n // 5 % 8:02}:00", future_day(3 + n // 40))) for n in range(ROUNDS)]
    calls = []
    for day, slot, (guide, start) in zip(days, slots, hours, strict=True):
        items = [
            {"resource_id": van, "dates": [day], "quantity": 1},
            {"slot_id": slot, "party": {"adults": 1}},
            {"service_id": service, "staff_id": guide, "start_at": start},
        ]
        calls += [add_items(items), add_items(items[::-1])]

    answers = rush(calls, at_once=8)

    refusals = (errors.InsufficientCapacity, errors.SlotUnavailable)
    assert unexpected(answers, *refusals) == []
    won = [sum(isinstance(answer, tuple) for answer in answers[n : n + 2]) for n in range(0, len(answers), 2)]
    assert won == [1] * ROUNDS
    with db.transaction() as conn:
        assert counters(conn, van) == counters(conn, tour) == [(1, 0)] * ROUNDS
    assert findings(van, tour) == []


def test_many_baskets_of_many_things_never_deadlock():
    with db.transaction() as conn:
        made = [make_resource(conn, capacity=30, days=5) for _ in range(6)]
        numbers = [make_reservation(conn, *made[0]).booking_number for _ in range(8)]
    things = [(resource_id, day) for resource_id, days in made for day in days]
    chance = random.Random(7)

    calls = [
        add(*chance.sample(things, chance.randint(2, 8)), number=chance.choice([None, *numbers])) for _ in range(300)
    ]
    answers = rush(calls)

    assert unexpected(answers, errors.InsufficientCapacity, errors.TooManyItems) == []
    with db.transaction() as conn:
        assert all(held <= 30 for resource_id, _days in made for held, _allocated in counters(conn, resource_id))
    assert findings(*[resource_id for resource_id, _days in made]) == []


def test_adding_dropping_paying_releasing_sweeping_and_payments_that_ran_out_resolve_once():
    for n in range(25):
        chance = random.Random(n)
        with db.transaction() as conn:
            first, days = make_resource(conn, capacity=2, days=2)
            second, _days = make_resource(conn, capacity=2, days=2)
            made = make_reservation(conn, first, days)
            number = made.booking_number
        add((second, days[1]), (second, days[0]), number=number)()
        if n % 3 == 0:
            with db.transaction() as conn:
                lapse_reservation(conn, number)
        item_id = made.items[0].id
        paid = OrderFacts(source="stripe", id=f"pi_{uuid4().hex}", booking_number=number)
        by_line = OrderFacts(
            source="medusa", id=f"o_{uuid4().hex}", lines=(LineFacts(id="l", quantity=1, hold_ids=(item_id,)),)
        )
        gone = CheckoutFacts(source="stripe", reference="cs_1", booking_number=number)
        calls = [
            add((first, days[0]), number=number),
            add((second, days[1]), (first, days[1])),
            *[in_transaction(lambda conn, f=paid: orders.reconcile(conn, f, actor="t"))] * 2,
            in_transaction(lambda conn, f=by_line: orders.reconcile(conn, f, actor="t")),
            in_transaction(lambda conn, m=number: reservations.release(conn, m, actor="t", reason="t")),
            in_transaction(lambda conn, m=number, i=item_id: reservations.drop_item(conn, m, i, actor="t")),
            in_transaction(lambda conn, f=gone: payments.follow(conn, f, actor="t")),
            in_transaction(lambda conn, m=number: payments.begin(conn, m, **CHECKOUT)),
            in_transaction(lambda conn: holds.expire_holds(conn, limit=1000)),
            in_transaction(lambda conn, i=item_id: holds.release_hold(conn, i, actor="t")),
        ]
        chance.shuffle(calls)

        answers = rush(calls, at_once=len(calls))

        assert unexpected(answers, errors.Conflict, errors.NotFound) == []
        with db.transaction() as conn:
            slots = [*counters(conn, first), *counters(conn, second)]
            assert all(held + allocated <= 2 for held, allocated in slots)
            shown = reservations.get_reservation(conn, number)
        assert shown.status in {"open", "paid", "released", "expired", "cancelled"}
        assert findings(first, second) == []


def test_whatever_happens_at_once_to_somebodys_hours_and_to_who_pays_for_them_resolves_once():
    for n in range(25):
        chance = random.Random(n)
        with db.transaction() as conn:
            van, days = make_resource(conn, capacity=2, days=1)
            conn.execute("""UPDATE resource SET metadata = '{"price": 90}' WHERE id = %s""", [van])
            service = make_service(conn, price=80, duration_minutes=60)
            guide = make_staff(conn, service_ids=[service])
        hours = [
            {"service_id": service, "staff_id": guide, "start_at": at(clock)} for clock in ("10:00", "11:00", "12:00")
        ]
        made, _added = add_items([{"resource_id": van, "dates": days, "quantity": 1}, *hours[:2]])()
        number = made.booking_number
        with db.transaction() as conn:
            if n % 3 == 0:
                lapse_reservation(conn, number)
            query = "SELECT id FROM appointment WHERE booking_number = %s ORDER BY start_at"
            first, second = [row["id"] for row in conn.execute(query, [number])]
        lines = tuple(LineFacts(id=item.id, quantity=1, hold_ids=(item.id,)) for item in made.items)
        named = {"id": f"o_{uuid4().hex}", "lines": lines, "email": "ada@example.test"}
        paid = OrderFacts(source="medusa", booking_number=number, **named)
        by_line = OrderFacts(source="medusa", **named)
        pays = {**CHECKOUT, "platform": "stripe", "customer": payments.Customer(email="bob@example.test", name="Bob")}
        calls = [
            *[in_transaction(lambda conn, m=number, p=pays: payments.begin(conn, m, **p))] * 2,
            in_transaction(lambda conn, f=paid: orders.reconcile(conn, f, actor="t")),
            in_transaction(lambda conn, f=by_line: orders.reconcile(conn, f, actor="t")),
            add_items(hours[2:], number=number),
            in_transaction(lambda conn, m=number: reservation_news.find_news(conn, m)),
            in_transaction(lambda conn, m=number: reservations.release(conn, m, actor="t", reason="t")),
            in_transaction(lambda conn, a=first: appointments.cancel_appointment(conn, a, actor="t", reason="t")),
            in_transaction(lambda conn, a=second: moves.move_appointment(conn, a, start_at=at("14:00"), actor="t")),
            in_transaction(lambda conn: holds.expire_holds(conn, limit=1000)),
        ]
        chance.shuffle(calls)

        answers = rush(calls, at_once=len(calls))

        assert unexpected(answers, errors.Conflict, errors.NotFound) == []
        assert findings(van, guide) == []


def test_a_beacon_against_an_addition_leaves_nothing_held_that_nobody_has():
    for _round in range(40):
        with db.transaction() as conn:
            resource_id, days = make_resource(conn, capacity=9, days=2)
            number = make_reservation(conn, resource_id, days).booking_number
        calls = [
            in_transaction(lambda conn, m=number: reservations.release(conn, m, actor="t", reason="closed")),
            add((resource_id, days[0]), number=number),
        ]

        answers = rush(calls, at_once=2)

        assert unexpected(answers, errors.ReservationClosed) == []
        with db.transaction() as conn:
            # The addition came first and went with the rest, or came to a closed number.
            assert counters(conn, resource_id) == [(0, 0)] * 2
            assert reservations.get_reservation(conn, number).status == "released"


def test_payment_against_expiry_has_the_seats_once_or_is_short():
    for _round in range(20):
        with db.transaction() as conn:
            resource_id, days = make_resource(conn, capacity=1, days=1)
            made = make_reservation(conn, resource_id, days)
            hold_id = [made.items[0].id]
            soon = "expires_at = clock_timestamp() + INTERVAL '30 ms'"
            conn.execute(f"UPDATE claim SET {soon} WHERE hold_id = %s", hold_id)
            conn.execute(f"UPDATE hold SET {soon} WHERE id = %s", hold_id)
        lines = (LineFacts(id="l", quantity=1, hold_ids=(made.items[0].id,)),)
        facts = OrderFacts(source="medusa", id=f"o_{uuid4().hex}", booking_number=made.booking_number, lines=lines)
        calls = [in_transaction(lambda conn, f=facts: orders.reconcile(conn, f, actor="t"))]
        calls += [add((resource_id, days[0])) for _ in range(4)]
        calls += [in_transaction(lambda conn: holds.expire_holds(conn, limit=1000))] * 2

        answers = rush(calls, at_once=len(calls))

        assert unexpected(answers, errors.InsufficientCapacity) == []
        with db.transaction() as conn:
            [(held, allocated)] = counters(conn, resource_id)
            status = reservations.get_reservation(conn, made.booking_number).status
            short = conn.execute("SELECT FROM shortfall WHERE hold_id = %s", hold_id).fetchall()
        assert held + allocated == 1
        assert bool(short) == (allocated == 0)
        assert status == "paid"
        assert findings(resource_id) == []
