"""Many parties at the same instant: the last seat, a change against a cancellation, an order against the clock."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from bridge import db, errors
from bridge.core import bookings, holds, orders, outcomes, rebookings
from bridge.core.bookings import Booking
from bridge.core.rebookings import Changes
from bridge.db import Connection
from bridge.errors import InsufficientCapacity, InvalidTransition
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from tests.concurrency.rush import in_transaction, rush
from tests.core.test_passengers import GUEST, TERMS, book
from tests.factories import counters, lapse
from tests.waiting import make_slot, make_tour, slot_id_of

ROUNDS = 12


def make_departures(conn: Connection, count: int, capacity: int) -> tuple[str, list[str]]:
    tour_id = make_tour(conn)
    numbers = [make_slot(conn, tour_id, capacity=capacity, at=time(8 + n)) for n in range(count)]
    return tour_id, [slot_id_of(conn, number) for number in numbers]


def move(booking_id: str, slot_id: str) -> Any:
    changes = Changes(slot_id=slot_id, details={})
    return in_transaction(
        lambda conn: rebookings.change_booking(conn, booking_id, changes=changes, by=GUEST, terms=TERMS)
    )


def cancel(booking_id: str) -> Any:
    return in_transaction(lambda conn: outcomes.cancel_booking(conn, booking_id, by=GUEST))


def pay(hold_id: str) -> Any:
    line = LineFacts(id="item_1", quantity=1, hold_ids=(hold_id,))
    facts = OrderFacts(source="medusa", id=new_id("order"), lines=(line,))
    return in_transaction(lambda conn: orders.reconcile(conn, facts, actor="tests"))


def is_busy(answer: object) -> bool:
    """Refused for now, because too many wanted the same: nothing has changed."""
    return isinstance(answer, errors.Unavailable)


@pytest.mark.parametrize("capacity", [1, 7])
def test_a_crowd_cannot_overbook_a_departure(database_url: str, capacity: int) -> None:
    with db.transaction() as conn:
        tour_id, [slot_id] = make_departures(conn, 1, capacity)
    one = in_transaction(lambda conn: book(conn, tour_id, slot_id, adults=1, children=0))

    answers = rush([one] * 30)

    booked = [answer for answer in answers if isinstance(answer, Booking)]
    assert len(booked) == capacity
    assert len({booking.reference for booking in booked}) == capacity
    assert {type(answer) for answer in answers} <= {Booking, InsufficientCapacity, errors.Unavailable}
    with db.transaction() as conn:
        assert counters(conn, tour_id) == [(capacity, 0)]


def test_two_who_swap_departures_never_wait_for_each_other(database_url: str) -> None:
    with db.transaction() as conn:
        tour_id, [first, second] = make_departures(conn, 2, 20)
        here = [book(conn, tour_id, first, adults=1, children=0).id for _ in range(10)]
        there = [book(conn, tour_id, second, adults=1, children=0).id for _ in range(10)]

    answers = rush([call for a, b in zip(here, there, strict=True) for call in (move(a, second), move(b, first))])

    assert [answer for answer in answers if not isinstance(answer, Booking)] == []
    with db.transaction() as conn:
        assert counters(conn, tour_id) == [(10, 0), (10, 0)]


def test_the_last_seat_goes_to_one_who_moves_or_one_who_books(database_url: str) -> None:
    for _ in range(ROUNDS):
        with db.transaction() as conn:
            tour_id, [first, second] = make_departures(conn, 2, 1)
            mine = book(conn, tour_id, first, adults=1, children=0).id
        others = in_transaction(lambda conn, t=tour_id, s=second: book(conn, t, s, adults=1, children=0))

        moved, booked = rush([move(mine, second), others])

        assert isinstance(moved, Booking) != isinstance(booked, Booking)
        with db.transaction() as conn:
            held = [pair[0] for pair in counters(conn, tour_id)]
            assert held == ([0, 1] if isinstance(moved, Booking) else [1, 1])


def test_a_change_against_a_cancellation_ends_in_one_of_two_ways(database_url: str) -> None:
    for _ in range(ROUNDS):
        with db.transaction() as conn:
            tour_id, [first, second] = make_departures(conn, 2, 5)
            booking = book(conn, tour_id, first)

        moved, cancelled = rush([move(booking.id, second), cancel(booking.id)])

        assert isinstance(cancelled, outcomes.Cancelled)
        assert isinstance(moved, Booking | InvalidTransition)
        with db.transaction() as conn:
            assert bookings.get_booking(conn, booking.id).status == "cancelled"
            assert counters(conn, tour_id) == [(0, 0), (0, 0)]


def test_cancelling_many_times_at_once_gives_back_once(database_url: str) -> None:
    with db.transaction() as conn:
        tour_id, [slot_id] = make_departures(conn, 1, 10)
        booking, _other = (book(conn, tour_id, slot_id) for _ in range(2))

    answers = rush([cancel(booking.id)] * 10)

    assert sum(isinstance(answer, outcomes.Cancelled) for answer in answers) == 1
    with db.transaction() as conn:
        assert counters(conn, tour_id) == [(3, 0)]


def test_an_order_against_the_clock_keeps_booking_and_seats_together(database_url: str) -> None:
    for _ in range(ROUNDS):
        with db.transaction() as conn:
            tour_id, [slot_id] = make_departures(conn, 1, 3)
            booking = book(conn, tour_id, slot_id)
            lapse(conn, booking.hold_id)
        sweep = in_transaction(lambda conn: holds.expire_holds(conn, limit=1000))
        rival = in_transaction(lambda conn, t=tour_id, s=slot_id: book(conn, t, s))

        rush([pay(booking.hold_id), sweep, rival])

        with db.transaction() as conn:
            found = bookings.get_booking(conn, booking.id)
            [(held, allocated)] = counters(conn, tour_id)
        # Whoever came first has the seats, and the other has none.
        assert (found.status, held, allocated) in {("confirmed", 0, 3), ("cancelled", 3, 0)}


def test_an_order_against_a_cancellation_takes_or_leaves_the_seats(database_url: str) -> None:
    for _ in range(ROUNDS):
        with db.transaction() as conn:
            tour_id, [slot_id] = make_departures(conn, 1, 3)
            booking = book(conn, tour_id, slot_id)

        paid, cancelled = rush([pay(booking.hold_id), cancel(booking.id)])

        assert not isinstance(paid, Exception) or is_busy(paid)
        assert isinstance(cancelled, outcomes.Cancelled) or is_busy(cancelled)
        with db.transaction() as conn:
            statuses = {one.status: one for one in bookings.list_bookings(conn, limit=9, offset=0, tour_id=tour_id)[0]}
            [(held, allocated)] = counters(conn, tour_id)
        # Paid first and cancelled then: nothing is left. Cancelled first: the paid order has seats of its own.
        assert held == 0
        assert allocated == sum(one.seats for status, one in statuses.items() if status == "confirmed")
