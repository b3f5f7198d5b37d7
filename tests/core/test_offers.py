"""Seats that become free are theirs who wait for them, before the public sees them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from bridge.core import blackouts, holds, ledger, offers, slot_cancellations, takes, waitlist
from bridge.core.ledger import Target
from bridge.core.offers import Rule
from bridge.core.waitlist import Entry
from bridge.db import Connection
from bridge.errors import EntryClosed, InsufficientCapacity
from tests.factories import counters, future_day, lapse
from tests.waiting import (
    free_seats,
    lapse_offer,
    make_slot,
    make_tour,
    slot_id_of,
    statuses,
    take,
    wait,
)

RULE = Rule(is_automatic=True, offer_term=timedelta(hours=24), cutoff=timedelta(hours=24), patience=3)


def full(conn: Connection, *parties: int, capacity: int | None = None) -> tuple[str, int, list[str]]:
    """A departure that is full of these parties; tour, departure, their holds."""
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=capacity or sum(parties))
    return tour_id, slot_no, [take(conn, tour_id, slot_no, party) for party in parties]


def test_a_released_seat_is_held_for_the_first_who_waits(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 1)
    first, second = wait(conn, tour_id), wait(conn, tour_id)

    holds.release_hold(conn, hold_id, actor="tests")

    assert statuses(conn, first, second) == ["notified", "active"]
    assert free_seats(conn, tour_id, slot_no) == 0
    assert counters(conn, tour_id) == [(1, 0)]
    offered = waitlist.get_entry(conn, first.id)
    assert offered.offered_slot_id == slot_id_of(conn, slot_no)
    assert offered.notification_expires_at is not None and offered.notified_at is not None
    assert offered.notification_expires_at - offered.notified_at == timedelta(hours=24)


def test_priority_goes_before_age(conn: Connection) -> None:
    tour_id, _slot_no, (hold_id,) = full(conn, 1)
    older, favoured = wait(conn, tour_id), wait(conn, tour_id)
    waitlist.set_priority(conn, favoured.id, priority=5)

    holds.release_hold(conn, hold_id, actor="tests")

    assert statuses(conn, older, favoured) == ["active", "notified"]


def test_a_party_is_passed_over_by_seats_that_are_too_few_for_it(conn: Connection) -> None:
    tour_id, slot_no, (one, _rest) = full(conn, 1, 3)
    large, small = wait(conn, tour_id, 3), wait(conn, tour_id, 1)

    holds.release_hold(conn, one, actor="tests")

    assert statuses(conn, large, small) == ["active", "notified"]
    assert free_seats(conn, tour_id, slot_no) == 0


def test_seats_too_few_for_anybody_are_for_the_public(conn: Connection) -> None:
    tour_id, slot_no, (one, _rest) = full(conn, 1, 3)
    wait(conn, tour_id, 3)

    holds.release_hold(conn, one, actor="tests")

    assert free_seats(conn, tour_id, slot_no) == 1


def test_one_release_serves_as_many_as_fit(conn: Connection) -> None:
    tour_id, slot_no, (four,) = full(conn, 4)
    entries = [wait(conn, tour_id, party) for party in (2, 3, 1, 2)]

    holds.release_hold(conn, four, actor="tests")

    assert statuses(conn, *entries) == ["notified", "active", "notified", "active"]
    assert free_seats(conn, tour_id, slot_no) == 1


def test_who_waits_for_one_departure_is_not_offered_another(conn: Connection) -> None:
    tour_id = make_tour(conn)
    morning, noon = make_slot(conn, tour_id, capacity=1), make_slot(conn, tour_id, capacity=1, at=time(12))
    held = [take(conn, tour_id, slot_no) for slot_no in (morning, noon)]
    only_noon = wait(conn, tour_id, slot_id=slot_id_of(conn, noon))
    any_time = wait(conn, tour_id)

    holds.release_hold(conn, held[0], actor="tests")

    assert statuses(conn, only_noon, any_time) == ["active", "notified"]


def test_a_lapsed_hold_is_not_for_the_public_while_somebody_waits(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 1)
    entry = wait(conn, tour_id)

    lapse(conn, hold_id)

    assert free_seats(conn, tour_id, slot_no) == 0
    with pytest.raises(takes.Short):
        take(conn, tour_id, slot_no)
    # That very try has handed it over, though nobody has swept.
    assert statuses(conn, entry) == ["notified"]


def test_the_sweeper_hands_a_lapsed_seat_over(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 1)
    entry = wait(conn, tour_id)
    lapse(conn, hold_id)

    holds.expire_holds(conn, limit=1000)

    assert statuses(conn, entry) == ["notified"]
    assert free_seats(conn, tour_id, slot_no) == 0


def test_an_offer_that_lapses_goes_to_the_next(conn: Connection) -> None:
    tour_id, _slot_no, (hold_id,) = full(conn, 1)
    first, second = wait(conn, tour_id), wait(conn, tour_id)
    holds.release_hold(conn, hold_id, actor="tests")
    lapse_offer(conn, first)

    before = statuses(conn, first, second)
    holds.expire_holds(conn, limit=1000)

    assert before == ["expired", "active"]
    assert statuses(conn, first, second) == ["expired", "notified"]
    assert counters(conn, tour_id) == [(1, 0)]


def test_an_offer_that_is_declined_goes_to_the_next(conn: Connection) -> None:
    tour_id, _slot_no, (hold_id,) = full(conn, 1)
    first, second = wait(conn, tour_id), wait(conn, tour_id)
    holds.release_hold(conn, hold_id, actor="tests")

    waitlist.leave(conn, first.id, actor="tests")

    assert statuses(conn, first, second) == ["cancelled", "notified"]
    with pytest.raises(EntryClosed):
        waitlist.leave(conn, first.id, actor="tests")


def test_a_party_that_shrinks_gives_its_seats_to_who_waits(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 3)
    entry = wait(conn, tour_id, 2)
    until = holds.get_hold(conn, hold_id).expires_at

    ledger.settle(
        conn, [hold_id], [Target(hold_id, tour_id, slot_no, 1)], cause="move", actor="tests", held_until=until
    )

    assert statuses(conn, entry) == ["notified"]
    assert counters(conn, tour_id) == [(3, 0)]


def test_more_capacity_is_theirs_who_wait(conn: Connection) -> None:
    tour_id, slot_no, _held = full(conn, 2)
    entry = wait(conn, tour_id, 2)

    conn.execute("UPDATE capacity SET max_capacity = 4 WHERE resource_id = %s", [tour_id])
    offered = offers.offer_opened(conn, tour_id=tour_id)

    assert offered == 1
    assert statuses(conn, entry) == ["notified"]
    assert free_seats(conn, tour_id, slot_no) == 0


def test_days_that_a_blackout_ends_on_are_theirs_who_wait(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 1)
    entry = wait(conn, tour_id)
    blackout = blackouts.create_blackout(
        conn, resource_id=tour_id, start_date=future_day(), end_date=future_day(), actor="tests"
    ).blackout
    holds.release_hold(conn, hold_id, actor="tests")
    during = statuses(conn, entry)

    assert blackout.id is not None
    blackouts.delete_blackout(conn, blackout.id)

    assert during == ["active"]
    assert statuses(conn, entry) == ["notified"]
    assert free_seats(conn, tour_id, slot_no) == 0


def test_a_blackout_takes_an_offer_away_and_its_entry_waits_on(conn: Connection) -> None:
    tour_id, _slot_no, (hold_id,) = full(conn, 1)
    first, second = wait(conn, tour_id), wait(conn, tour_id)
    holds.release_hold(conn, hold_id, actor="tests")

    blackouts.create_blackout(
        conn,
        resource_id=tour_id,
        start_date=future_day(),
        end_date=future_day(),
        actor="tests",
        cancel_existing_holds=True,
    )

    assert statuses(conn, first, second) == ["active", "active"]
    assert waitlist.get_entry(conn, first.id).position == 1
    assert counters(conn, tour_id) == [(0, 0)]


# -- a large party is not passed over for ever -------------------------------------------------------------------------


def test_a_party_that_was_passed_over_often_enough_collects_seats(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 6)
    large = wait(conn, tour_id, 2)
    small = [wait(conn, tour_id, 1) for _ in range(6)]

    for hold_id in held[:3]:
        holds.release_hold(conn, hold_id, actor="tests")
    passed = statuses(conn, large, *small)
    holds.release_hold(conn, held[3], actor="tests")
    collecting = statuses(conn, large, *small)
    holds.release_hold(conn, held[4], actor="tests")

    assert passed == ["active", "notified", "notified", "notified", "active", "active", "active"]
    assert collecting == passed  # The fourth seat is kept for the large party, and shown to nobody.
    assert free_seats(conn, tour_id, slot_no) == 0
    assert statuses(conn, large, *small) == ["notified", *passed[1:]]
    assert counters(conn, tour_id) == [(6, 0)]


def test_a_party_collects_for_one_term_and_not_again(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 6)
    large = wait(conn, tour_id, 3)
    for hold_id in held[:3]:
        holds.release_hold(conn, hold_id, actor="tests")
        take(conn, tour_id, slot_no)  # The public is quicker each time.
    holds.release_hold(conn, held[3], actor="tests")
    collected = (waitlist.get_entry(conn, large.id).hold_id is not None, free_seats(conn, tour_id, slot_no))

    lapse_offer(conn, large)
    holds.expire_holds(conn, limit=1000)

    assert collected == (True, 0)
    assert statuses(conn, large) == ["active"]
    assert free_seats(conn, tour_id, slot_no) == 1
    holds.release_hold(conn, held[4], actor="tests")
    assert free_seats(conn, tour_id, slot_no) == 2
    holds.release_hold(conn, held[5], actor="tests")
    assert statuses(conn, large) == ["notified"]


def test_who_collects_may_leave_and_gives_it_all_back(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 5)
    large = wait(conn, tour_id, 2)
    for hold_id in held[:3]:
        holds.release_hold(conn, hold_id, actor="tests")
        take(conn, tour_id, slot_no)
    holds.release_hold(conn, held[3], actor="tests")
    next_in_queue = wait(conn, tour_id, 1)

    waitlist.leave(conn, large.id, actor="tests")

    assert statuses(conn, large, next_in_queue) == ["cancelled", "notified"]


def collecting(conn: Connection, tour_id: str, slot_no: int, held: list[str], party: int) -> Entry:
    """A party that was passed over often enough, and has one seat of those it needs."""
    large = wait(conn, tour_id, party)
    for hold_id in held[:3]:
        holds.release_hold(conn, hold_id, actor="tests")
        take(conn, tour_id, slot_no)
    holds.release_hold(conn, held[3], actor="tests")
    return large


def test_what_was_collected_and_what_else_lapses_is_offered_whole_when_it_is_enough(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 5)
    large, small = collecting(conn, tour_id, slot_no, held, 2), wait(conn, tour_id, 1)
    lapse_offer(conn, large)
    lapse(conn, held[4])

    holds.expire_holds(conn, limit=1000)

    assert statuses(conn, large, small) == ["notified", "active"]
    assert counters(conn, tour_id) == [(5, 0)]


def test_who_collects_takes_all_seats_elsewhere_and_lets_go_of_the_rest(conn: Connection) -> None:
    tour_id, morning, held = full(conn, *[1] * 4)
    noon = make_slot(conn, tour_id, capacity=2, at=time(12))
    both = take(conn, tour_id, noon, 2)
    large, small = collecting(conn, tour_id, morning, held, 2), wait(conn, tour_id, 1)

    holds.release_hold(conn, both, actor="tests")

    assert statuses(conn, large, small) == ["notified", "active"]
    assert waitlist.get_entry(conn, large.id).offered_slot_id == slot_id_of(conn, noon)
    holds.expire_holds(conn, limit=1000)
    assert statuses(conn, large, small) == ["notified", "notified"]
    assert counters(conn, tour_id) == [(4, 0), (2, 0)]


def test_who_has_collected_in_vain_does_not_keep_the_next_from_it(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 8)
    first, second = collecting(conn, tour_id, slot_no, held, 3), wait(conn, tour_id, 2)
    lapse_offer(conn, first)
    holds.expire_holds(conn, limit=1000)
    take(conn, tour_id, slot_no)
    for hold_id in held[4:6]:
        holds.release_hold(conn, hold_id, actor="tests")
        take(conn, tour_id, slot_no)

    holds.release_hold(conn, held[6], actor="tests")

    assert free_seats(conn, tour_id, slot_no) == 0
    holds.release_hold(conn, held[7], actor="tests")
    assert statuses(conn, first, second) == ["active", "notified"]


def test_who_collects_goes_on_though_a_larger_party_comes_before(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 6)
    large = collecting(conn, tour_id, slot_no, held, 3)
    favoured = wait(conn, tour_id, 4)
    waitlist.set_priority(conn, favoured.id, priority=5)

    holds.release_hold(conn, held[4], actor="tests")

    assert free_seats(conn, tour_id, slot_no) == 0
    holds.release_hold(conn, held[5], actor="tests")
    assert statuses(conn, large, favoured) == ["notified", "active"]


def test_who_loses_an_offer_to_others_is_offered_what_else_is_free(conn: Connection) -> None:
    tour_id, morning, (hold_id,) = full(conn, 1)
    noon = make_slot(conn, tour_id, capacity=2, at=time(12))
    both = take(conn, tour_id, noon, 2)
    entry = wait(conn, tour_id)
    holds.release_hold(conn, hold_id, actor="tests")
    holds.release_hold(conn, both, actor="tests")
    offered = waitlist.get_entry(conn, entry.id)

    slot_cancellations.begin(conn, slot_id_of(conn, morning), reason="Storm", alternative_slot_id=None, actor="tests")
    slot_cancellations.take_step(conn, morning)

    assert offered.offered_slot_id == slot_id_of(conn, morning)
    assert statuses(conn, entry) == ["notified"]
    assert waitlist.get_entry(conn, entry.id).offered_slot_id == slot_id_of(conn, noon)
    assert free_seats(conn, tour_id, noon) == 1


def test_without_patience_nobody_collects(conn: Connection) -> None:
    tour_id, slot_no, held = full(conn, *[1] * 6)
    wait(conn, tour_id, 2)
    offers.keep_rule(conn, replace(RULE, patience=0))

    for hold_id in held[:5]:
        holds.release_hold(conn, hold_id, actor="tests")
        take(conn, tour_id, slot_no)
    holds.release_hold(conn, held[5], actor="tests")
    offers.keep_rule(conn, RULE)

    assert free_seats(conn, tour_id, slot_no) == 1


# -- the rule ----------------------------------------------------------------------------------------------------------


def test_by_hand_only_people_offer_seats(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 2)
    first, second, third = wait(conn, tour_id), wait(conn, tour_id), wait(conn, tour_id, 2)
    offers.keep_rule(conn, replace(RULE, is_automatic=False))

    holds.release_hold(conn, hold_id, actor="tests")
    seen = free_seats(conn, tour_id, slot_no)
    offers.offer_by_hand(conn, second.id)
    offers.keep_rule(conn, RULE)

    assert seen == 2
    assert statuses(conn, first, second) == ["active", "notified"]
    with pytest.raises(EntryClosed):
        offers.offer_by_hand(conn, second.id)
    with pytest.raises(InsufficientCapacity):
        offers.offer_by_hand(conn, third.id)


def test_what_was_left_lying_is_offered_when_it_is_automatic_again(conn: Connection) -> None:
    tour_id, slot_no, (hold_id,) = full(conn, 1)
    entry = wait(conn, tour_id)
    offers.keep_rule(conn, replace(RULE, is_automatic=False))
    holds.release_hold(conn, hold_id, actor="tests")
    offers.keep_rule(conn, RULE)

    offers.offer_waiting(conn)

    assert statuses(conn, entry) == ["notified"]
    assert free_seats(conn, tour_id, slot_no) == 0


def test_nothing_is_offered_after_the_cut_off_and_no_offer_outlasts_it(conn: Connection) -> None:
    tour_id = make_tour(conn)
    near, soon = datetime.now(UTC) + timedelta(hours=23), datetime.now(UTC) + timedelta(hours=30)
    late = make_slot(conn, tour_id, capacity=1, starts_at=near)
    open_still = make_slot(conn, tour_id, capacity=1, starts_at=soon, at=time(12))
    held = [take(conn, tour_id, slot_no) for slot_no in (late, open_still)]
    first, second = wait(conn, tour_id), wait(conn, tour_id)

    holds.release_hold(conn, held[0], actor="tests")
    after_the_late_one = statuses(conn, first, second)
    holds.release_hold(conn, held[1], actor="tests")

    assert after_the_late_one == ["active", "active"]
    assert waitlist.get_entry(conn, first.id).notification_expires_at == soon - timedelta(hours=24)


def test_an_entry_ends_with_the_cut_off_of_its_last_departure(conn: Connection) -> None:
    tour_id, _slot_no, _held = full(conn, 1)
    entry = wait(conn, tour_id)
    conn.execute("UPDATE waitlist_entry SET closes_at = now() WHERE id = %s", [entry.id])

    seen = statuses(conn, entry)
    closed = offers.expire_entries(conn, limit=1000)

    assert seen == ["expired"]
    assert entry.id in closed
    assert statuses(conn, entry) == ["expired"]


def test_every_change_is_owed_one_notice(conn: Connection) -> None:
    tour_id, _slot_no, (hold_id,) = full(conn, 1)
    first, second = wait(conn, tour_id), wait(conn, tour_id)
    holds.release_hold(conn, hold_id, actor="tests")
    lapse_offer(conn, first)
    holds.expire_holds(conn, limit=1000)
    waitlist.leave(conn, second.id, actor="tests")

    rows = conn.execute(
        "SELECT convert_from(raw, 'UTF8')::jsonb AS work FROM event WHERE type = 'waitlist.notify'"
        " ORDER BY received_at, id"
    )
    owed = [(row["work"]["entry_id"], row["work"]["what"]) for row in rows]

    assert [what for entry_id, what in owed if entry_id == first.id] == ["joined", "offered", "expired"]
    assert [what for entry_id, what in owed if entry_id == second.id] == ["joined", "offered", "cancelled"]
