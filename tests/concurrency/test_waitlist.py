"""An offer in its last moment is accepted or lapses, never both; and nobody collects more seats than they need."""

from __future__ import annotations

import random
import time as clock
from collections import Counter
from datetime import UTC, datetime, time, timedelta

import pytest

from bridge import db, errors
from bridge.core import acceptances, audits, holds, offers, takes, waitlist
from bridge.core.bookings import Booking
from bridge.core.terms import kept_terms
from tests.concurrency.rush import in_transaction, rush
from tests.factories import counters, future_day
from tests.waiting import free_seats, make_slot, make_tour, statuses, take, wait

# One process at a time: a rush takes half of the connections a server has.
pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]

MOMENTS = 200
APART = timedelta(milliseconds=10)  # As fast as a small machine follows.
# Most accept a little before the end and a little after it; some early and some late enough for a slow machine.
EARLIEST, LATEST = -0.4, 0.2


def findings(tour_id):
    with db.transaction() as conn:
        return [found for found in audits.audit(conn) if found.get("resource_id") == tour_id]


def sweep():
    with db.transaction() as conn:
        while holds.expire_holds(conn, limit=1000):
            pass


def at(moment, call):
    """`call` at a moment, in a transaction of its own."""

    def run():
        clock.sleep(max(0, (moment - datetime.now(UTC)).total_seconds()))
        return in_transaction(call)()

    return run


def offer_one_seat(conn, tour_id, day):
    """A departure of one seat that is offered to the first of two; it and they."""
    slot_no = make_slot(conn, tour_id, capacity=1, on=day)
    held = take(conn, tour_id, slot_no)
    first, second = wait(conn, tour_id, on=day), wait(conn, tour_id, on=day)
    holds.release_hold(conn, held, actor="tests")
    return slot_no, waitlist.get_entry(conn, first.id), second


def end_offer(conn, entry, moment):
    conn.execute("UPDATE hold SET expires_at = %s, hard_expires_at = %s WHERE id = %s", [moment, moment, entry.hold_id])
    conn.execute("UPDATE claim SET expires_at = %s WHERE hold_id = %s", [moment, entry.hold_id])
    conn.execute("UPDATE waitlist_entry SET notification_expires_at = %s WHERE id = %s", [moment, entry.id])


def test_an_offer_in_its_last_moment_is_accepted_or_handed_on():
    chance = random.Random(11)
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        offered = [offer_one_seat(conn, tour_id, future_day(30 + n)) for n in range(MOMENTS)]
    begin = datetime.now(UTC) + timedelta(seconds=2)
    calls = []
    with db.transaction() as conn:
        for n, (slot_no, first, _second) in enumerate(offered):
            moment = begin + n * APART
            end_offer(conn, first, moment)
            spread = chance.choice([chance.uniform(-0.02, 0.02), chance.uniform(EARLIEST, LATEST)])
            acts = {
                "accept": lambda conn, e=first.id: acceptances.accept(conn, e, terms=kept_terms()),
                "sweep": lambda conn, h=first.hold_id: holds.sweep_holds(conn, [h]),
                "buy": lambda conn, s=slot_no: take(conn, tour_id, s),
            }
            delays = {"accept": spread, "sweep": chance.uniform(-0.01, 0.02), "buy": chance.uniform(-0.01, 0.02)}
            calls += [(moment + timedelta(seconds=delays[name]), name, act) for name, act in acts.items()]
    calls.sort(key=lambda call: call[0])

    answers = rush([at(moment, act) for moment, _name, act in calls])
    sweep()

    said = {name: [a for a, call in zip(answers, calls, strict=True) if call[1] == name] for name in ("accept", "buy")}
    accepted = [answer for answer in said["accept"] if isinstance(answer, Booking)]
    lapsed = [answer for answer in said["accept"] if isinstance(answer, errors.OfferExpired)]
    assert len(accepted) + len(lapsed) == MOMENTS
    assert accepted and lapsed
    assert {type(answer) for answer in said["buy"]} == {takes.Short}
    with db.transaction() as conn:
        became = Counter(tuple(statuses(conn, first, second)) for _slot_no, first, second in offered)
        assert became == {("converted", "active"): len(accepted), ("expired", "notified"): len(lapsed)}
        assert {booking.slot_no for booking in accepted} == {
            slot_no for slot_no, first, _second in offered if statuses(conn, first) == ["converted"]
        }
        assert counters(conn, tour_id) == [(1, 0)] * MOMENTS
    assert findings(tour_id) == []


def test_who_collects_while_three_departures_give_back_at_once_has_what_they_need_and_no_more():
    days, party, seats = 15, 4, 6
    held, entries, slots = [], [], []
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        for day in (future_day(30 + n) for n in range(days)):
            of_day = [
                make_slot(conn, tour_id, capacity=seats, on=day, at=at_time)
                for at_time in (time(9), time(12), time(15))
            ]
            held += [take(conn, tour_id, slot_no) for slot_no in of_day for _ in range(seats)]
            entries.append(wait(conn, tour_id, party, on=day))
            slots += of_day
        # They were passed over often enough.
        conn.execute("UPDATE waitlist_entry SET passed_over = 3 WHERE resource_id = %s", [tour_id])
    calls = [in_transaction(lambda conn, h=hold_id: holds.release_hold(conn, h, actor="tests")) for hold_id in held]
    calls += [in_transaction(lambda conn: offers.offer_opened(conn, tour_id=tour_id)) for _ in range(20)]
    calls += [sweep] * 10
    random.Random(12).shuffle(calls)

    answers = rush(calls)
    sweep()

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    with db.transaction() as conn:
        assert statuses(conn, *entries) == ["notified"] * days
        rows = conn.execute(
            "SELECT h.customer_email, sum(k.quantity) AS seats FROM hold h JOIN claim k ON k.hold_id = h.id"
            " WHERE h.resource_id = %s AND h.kind = 'offer' AND k.state = 'held' GROUP BY 1",
            [tour_id],
        )
        assert {row["customer_email"]: row["seats"] for row in rows} == {e.customer_email: party for e in entries}
        assert sum(free_seats(conn, tour_id, slot_no) for slot_no in slots) == days * (3 * seats - party)
    assert findings(tour_id) == []
