"""A seat that passes from one owner to the next is never seen by the public, and never has two owners."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest

from bridge import db, errors
from bridge.config import Config
from bridge.core import acceptances, audits, holds, offers, waitlist
from bridge.core.terms import terms_of
from tests.concurrency.rush import in_transaction, rush
from tests.factories import counters, lapse
from tests.waiting import TERM, free_seats, make_slot, make_tour, statuses, take, wait

# One process at a time: a rush takes half of the connections a server has.
pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]


class Watching:
    """A crowd that asks all the time what is free, and what it saw."""

    def __init__(self, tour_id, slot_no, people=3):
        self.seen = Counter()
        self._ended = threading.Event()
        self._people = [threading.Thread(target=self._look, args=[tour_id, slot_no]) for _ in range(people)]

    def _look(self, tour_id, slot_no):
        while not self._ended.is_set():
            with db.statement() as conn:
                self.seen[free_seats(conn, tour_id, slot_no)] += 1
        db.close()

    def __enter__(self):
        for person in self._people:
            person.start()
        return self

    def __exit__(self, *_raised):
        self._ended.set()
        for person in self._people:
            person.join()


def full(conn, seats):
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=seats)
    return tour_id, slot_no, [take(conn, tour_id, slot_no) for _ in range(seats)]


def findings(tour_id):
    with db.transaction() as conn:
        return [found for found in audits.audit(conn) if found.get("resource_id") == tour_id]


def buy(tour_id, slot_no):
    return in_transaction(lambda conn: take(conn, tour_id, slot_no))


def kinds(answers):
    return Counter(type(answer).__name__ for answer in answers)


def test_released_seats_pass_to_those_who_wait_and_nobody_sees_them():
    with db.transaction() as conn:
        tour_id, slot_no, held = full(conn, 12)
        entries = [wait(conn, tour_id) for _ in range(12)]
    releases = [in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="tests")) for hold_id in held]
    calls = releases + [buy(tour_id, slot_no) for _ in range(60)]
    random.Random(5).shuffle(calls)

    with Watching(tour_id, slot_no) as crowd:
        answers = rush(calls)

    assert kinds(answers) == {"Released": 12, "Short": 60}
    assert set(crowd.seen) == {0}
    with db.transaction() as conn:
        assert statuses(conn, *entries) == ["notified"] * 12
        assert counters(conn, tour_id) == [(12, 0)]
    assert findings(tour_id) == []


def test_lapsed_seats_pass_on_by_whoever_comes_first_sweepers_or_the_public():
    with db.transaction() as conn:
        tour_id, slot_no, held = full(conn, 10)
        entries = [wait(conn, tour_id) for _ in range(10)]
        lapse(conn, *held)
    sweep = in_transaction(lambda conn: holds.expire_holds(conn, limit=3))
    calls = [sweep, sweep, buy(tour_id, slot_no)] * 12

    with Watching(tour_id, slot_no) as crowd:
        answers = rush(calls)

    assert kinds(answers) == {"list": 24, "Short": 12}
    assert set(crowd.seen) == {0}
    with db.transaction() as conn:
        assert statuses(conn, *entries) == ["notified"] * 10
        assert counters(conn, tour_id) == [(10, 0)]
        conn.execute("SELECT expire_holds(1000)")
    assert findings(tour_id) == []


def test_who_leaves_while_seats_are_offered_has_none_and_nobody_loses_any():
    with db.transaction() as conn:
        tour_id, slot_no, held = full(conn, 8)
        leaving = [wait(conn, tour_id) for _ in range(8)]
        staying = [wait(conn, tour_id) for _ in range(8)]
    calls = [in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="tests")) for hold_id in held]
    calls += [in_transaction(lambda conn, e=entry.id: waitlist.leave(conn, e, actor="tests")) for entry in leaving]
    random.Random(6).shuffle(calls)

    with Watching(tour_id, slot_no) as crowd:
        answers = rush(calls)

    assert kinds(answers) == {"Released": 8, "Entry": 8}
    assert set(crowd.seen) == {0}
    with db.transaction() as conn:
        assert statuses(conn, *leaving, *staying) == ["cancelled"] * 8 + ["notified"] * 8
        assert counters(conn, tour_id) == [(8, 0)]
    assert findings(tour_id) == []


def test_an_offer_is_accepted_or_declined_or_lapses_once():
    with db.transaction() as conn:
        tour_id, slot_no, held = full(conn, 6)
        first = [wait(conn, tour_id) for _ in range(6)]
        second = [wait(conn, tour_id) for _ in range(6)]
        for hold_id in held:
            holds.release_hold(conn, hold_id, actor="tests")

    def accept(entry_id):
        def act(conn):
            waitlist.take_offer(conn, entry_id, term=TERM, hard_term=TERM)
            waitlist.convert(conn, entry_id, booking_id=f"book_{entry_id}")
            return "accepted"

        return in_transaction(act)

    def decline(entry_id):
        return in_transaction(lambda conn: waitlist.leave(conn, entry_id, actor="tests"))

    calls = [act(entry.id) for entry in first for act in (accept, accept, decline)]
    random.Random(7).shuffle(calls)
    with Watching(tour_id, slot_no) as crowd:
        answers = rush(calls)

    assert set(crowd.seen) == {0}
    assert not [answer for answer in answers if isinstance(answer, errors.Unavailable)]
    with db.transaction() as conn:
        assert counters(conn, tour_id) == [(6, 0)]
        declined = statuses(conn, *first).count("cancelled")
        assert answers.count("accepted") == statuses(conn, *first).count("converted") == 6 - declined
        assert statuses(conn, *second).count("notified") == declined
    assert findings(tour_id) == []


def test_an_offer_accepted_twice_at_once_is_one_booking():
    with db.transaction() as conn:
        tour_id, _slot_no, (hold_id,) = full(conn, 1)
        entry = wait(conn, tour_id)
        holds.release_hold(conn, hold_id, actor="tests")
    terms = terms_of(Config())

    accepted = rush([in_transaction(lambda conn: acceptances.accept(conn, entry.id, terms=terms)) for _ in range(8)])

    assert len({booking.id for booking in accepted}) == 1
    assert findings(tour_id) == []


def test_who_joins_while_a_seat_is_given_back_gets_it_or_is_told_that_there_is_room():
    for seed in range(6):
        with db.transaction() as conn:
            tour_id, slot_no, (hold_id,) = full(conn, 1)
        calls = [
            in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="tests")),
            in_transaction(lambda conn, t=tour_id: wait(conn, t)),
        ]
        random.Random(seed).shuffle(calls)

        answers = rush(calls)

        joined = [answer for answer in answers if isinstance(answer, waitlist.Entry)]
        with db.transaction() as conn:
            if joined:
                assert statuses(conn, *joined) == ["notified"]
                assert free_seats(conn, tour_id, slot_no) == 0
            else:
                assert any(isinstance(answer, errors.SeatsAvailable) for answer in answers)
                assert free_seats(conn, tour_id, slot_no) == 1


def test_more_capacity_and_releases_at_once_offer_no_seat_twice():
    with db.transaction() as conn:
        tour_id, slot_no, held = full(conn, 5)
        entries = [wait(conn, tour_id) for _ in range(10)]

    def widen(conn):
        conn.execute("SELECT lock_slots(%s, %s)", [[tour_id], [slot_no]])
        conn.execute("UPDATE capacity SET max_capacity = max_capacity + 1 WHERE slot_no = %s", [slot_no])
        offers.offer_opened(conn, tour_id=tour_id)

    calls = [in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="tests")) for hold_id in held]
    calls += [in_transaction(widen) for _ in range(5)] + [in_transaction(offers.offer_waiting) for _ in range(5)]
    with Watching(tour_id, slot_no) as crowd:
        answers = rush(calls)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert set(crowd.seen) == {0}
    with db.transaction() as conn:
        assert statuses(conn, *entries) == ["notified"] * 10
        assert counters(conn, tour_id) == [(10, 0)]
    assert findings(tour_id) == []
