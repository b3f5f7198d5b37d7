"""What a hold promises, one customer at a time."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import psycopg
import pytest

from bridge import errors
from bridge.core import availability, holds, ledger
from bridge.core.ledger import Target
from bridge.rules.slots import day_slot, quarter_slot, quarter_start, slot_day
from tests.factories import counters, future_day, lapse, make_hold, make_resource

TERMS = {"term": timedelta(minutes=30), "hard_term": timedelta(hours=2)}


def place(conn, resource_id, dates, **fields):
    return holds.place_hold(
        conn,
        **{
            "resource_id": resource_id,
            "dates": dates,
            "quantity": 1,
            "customer_email": "ada@example.test",
            "idempotency_token": uuid4().hex,
            "metadata": {},
            **TERMS,
            **fields,
        },
    )


def test_a_hold_takes_every_date(conn):
    resource_id, dates = make_resource(conn, capacity=5, days=3)

    placed = place(conn, resource_id, dates, quantity=2)

    assert placed.hold.dates == dates
    assert placed.hold.seconds_left == pytest.approx(1800, abs=1)
    assert counters(conn, resource_id) == [(2, 0)] * 3


def test_one_full_date_refuses_all_and_names_it(conn):
    resource_id, dates = make_resource(conn, capacity=2, days=3)
    make_hold(conn, resource_id, [dates[1]], quantity=2)

    with pytest.raises(errors.InsufficientCapacity) as refusal:
        place(conn, resource_id, dates)

    assert refusal.value.message == f"Insufficient capacity for dates: {dates[1]}"
    assert refusal.value.details["unavailable_dates"] == [{"date": str(dates[1]), "requested": 1, "available": 0}]
    assert counters(conn, resource_id) == [(0, 0), (2, 0), (0, 0)]


def test_a_date_that_was_never_opened_has_no_room(conn):
    resource_id, dates = make_resource(conn, days=1)

    with pytest.raises(errors.InsufficientCapacity) as refusal:
        place(conn, resource_id, [*dates, dates[0] + timedelta(days=1)])

    assert [day["date"] for day in refusal.value.details["unavailable_dates"]] == [str(dates[0] + timedelta(days=1))]


def test_a_replay_answers_the_same_hold_even_when_sold_out(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    first = place(conn, resource_id, dates, idempotency_token="same-token")

    again = place(conn, resource_id, dates, idempotency_token="same-token")

    assert again.is_replay
    assert again.hold.id == first.hold.id
    assert counters(conn, resource_id) == [(1, 0)] * 3


def test_a_token_used_for_something_else_is_refused(conn):
    resource_id, dates = make_resource(conn)
    token = uuid4().hex
    place(conn, resource_id, dates, idempotency_token=token)

    with pytest.raises(errors.IdempotencyTokenReused):
        place(conn, resource_id, dates, idempotency_token=token, quantity=2)


def test_unknown_inactive_and_deleted_resources_are_not_found(conn):
    inactive, dates = make_resource(conn, is_active=False)
    deleted, _dates = make_resource(conn)
    conn.execute("UPDATE resource SET deleted_at = now() WHERE id = %s", [deleted])

    for resource_id in ("res_none", inactive, deleted):
        with pytest.raises(errors.ResourceNotFound):
            place(conn, resource_id, dates)


def test_yesterday_in_the_resources_zone_is_past(conn):
    # Kiritimati is 14 hours ahead of UTC, Niue 11 behind: their todays are never the same date.
    ahead, _ = make_resource(conn, first_day=date.today() - timedelta(days=2), days=5, time_zone="Pacific/Kiritimati")
    behind, _ = make_resource(conn, first_day=date.today() - timedelta(days=2), days=5, time_zone="Pacific/Niue")
    todays = {
        zone: conn.execute("SELECT (now() AT TIME ZONE %s)::date AS today", [zone]).fetchone()["today"]
        for zone in ("Pacific/Kiritimati", "Pacific/Niue")
    }

    assert place(conn, ahead, [todays["Pacific/Kiritimati"]])
    assert place(conn, behind, [todays["Pacific/Niue"]])
    with pytest.raises(errors.PastDates):
        place(conn, ahead, [todays["Pacific/Kiritimati"] - timedelta(days=1)])
    with pytest.raises(errors.PastDates):
        place(conn, behind, [todays["Pacific/Niue"] - timedelta(days=1)])


def test_a_blackout_refuses_with_its_reason(conn):
    resource_id, dates = make_resource(conn)
    conn.execute(
        "INSERT INTO blackout (id, resource_id, starts_on, ends_on, reason) VALUES (%s, %s, %s, %s, 'service')",
        [uuid4().hex, resource_id, dates[1], dates[1]],
    )

    with pytest.raises(errors.BlackedOut) as refusal:
        place(conn, resource_id, dates)

    assert refusal.value.details["blackout"]["reason"] == "service"


def test_a_lapsed_hold_is_free_at_once_without_any_sweeping(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)

    free = availability.read_days(conn, resource_id=resource_id, start_date=dates[0], end_date=dates[-1])
    taken_over = place(conn, resource_id, dates)

    assert [day.available_capacity for day in free.days] == [1, 1, 1]
    assert holds.get_hold(conn, hold_id).status == "EXPIRED"
    assert taken_over.hold.status == "ACTIVE"
    assert counters(conn, resource_id) == [(1, 0)] * 3


def test_sweeping_tidies_what_had_lapsed_once(conn):
    resource_id, dates = make_resource(conn, capacity=4)
    hold_id = make_hold(conn, resource_id, dates)
    other = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)

    swept = holds.expire_holds(conn, limit=1000)

    assert hold_id in swept
    assert other not in swept
    assert hold_id not in holds.expire_holds(conn, limit=1000)
    assert counters(conn, resource_id) == [(1, 0)] * 3


def test_what_lapsed_is_listed_by_slot_and_swept_once(conn):
    resource_id, dates = make_resource(conn, capacity=4, days=2)
    hold_ids = [make_hold(conn, resource_id, [dates[n % 2]]) for n in range(4)]
    alive = make_hold(conn, resource_id, dates[:1])
    lapse(conn, *hold_ids)

    listed = [hold_id for hold_id in holds.list_lapsed(conn, limit=100_000) if hold_id in {*hold_ids, alive}]
    swept = holds.sweep_holds(conn, [*hold_ids[:3], alive])
    swept_again = holds.sweep_holds(conn, hold_ids)

    assert [holds.get_hold(conn, hold_id).dates for hold_id in listed] == [[day] for day in dates for _ in range(2)]
    assert sorted(swept) == sorted(hold_ids[:3])
    assert swept_again == hold_ids[3:]
    assert counters(conn, resource_id) == [(1, 0), (0, 0)]


def test_the_term_is_the_resources_where_it_has_one(conn):
    resource_id, dates = make_resource(conn, hold_minutes=5)

    assert place(conn, resource_id, dates).hold.seconds_left == pytest.approx(300, abs=1)


def test_extending_gives_a_full_term_up_to_the_cap(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates, minutes=30, hard_minutes=45)
    conn.execute("UPDATE hold SET expires_at = now() + INTERVAL '1 minute' WHERE id = %s", [hold_id])

    extended = holds.extend_hold(conn, hold_id)
    conn.execute(
        "UPDATE hold SET created_at = now() - INTERVAL '1 h', hard_expires_at = now() + INTERVAL '31 min'"
        " WHERE id = %s",
        [hold_id],
    )
    capped = holds.extend_hold(conn, hold_id)
    conn.execute("UPDATE hold SET expires_at = hard_expires_at WHERE id = %s", [hold_id])

    assert extended.seconds_left == pytest.approx(1800, abs=2)
    assert capped.seconds_left <= 1860
    with pytest.raises(errors.ExtensionLimit):
        holds.extend_hold(conn, hold_id)
    assert counters(conn, resource_id) == [(1, 0)] * 3


def test_what_is_over_is_not_extended(conn):
    resource_id, dates = make_resource(conn)
    lapsed, released = make_hold(conn, resource_id, dates), make_hold(conn, resource_id, dates)
    lapse(conn, lapsed)
    holds.release_hold(conn, released, actor="tests")

    with pytest.raises(errors.HoldExpired):
        holds.extend_hold(conn, lapsed)
    with pytest.raises(errors.HoldNotActive):
        holds.extend_hold(conn, released)
    with pytest.raises(errors.HoldNotFound):
        holds.extend_hold(conn, "hold_none")


def test_a_hold_is_released_once(conn):
    resource_id, dates = make_resource(conn, capacity=5)
    hold_id = make_hold(conn, resource_id, dates, quantity=2)

    released = holds.release_hold(conn, hold_id, actor="tests")

    assert released.capacity_returned == 6
    assert released.hold.status == "RELEASED"
    assert released.hold.dates == dates
    assert counters(conn, resource_id) == [(0, 0)] * 3
    with pytest.raises(errors.HoldNotActive):
        holds.release_hold(conn, hold_id, actor="tests")


def test_confirming_posts_the_hold_and_again_changes_nothing(conn):
    resource_id, dates = make_resource(conn, capacity=5)
    hold_id = make_hold(conn, resource_id, dates, quantity=2)

    allocation, hold = holds.confirm_hold(conn, hold_id, order_id="order_1", line_item_id="item_1", actor="tests")
    again, _hold = holds.confirm_hold(conn, hold_id, order_id="order_1", line_item_id="item_1", actor="tests")

    assert (allocation.quantity, allocation.dates, allocation.status) == (2, dates, "CONFIRMED")
    assert hold.status == "CONFIRMED"
    assert again == allocation
    assert counters(conn, resource_id) == [(0, 2)] * 3
    with pytest.raises(errors.AlreadyConfirmed):
        holds.confirm_hold(conn, hold_id, order_id="order_2", line_item_id="item_1", actor="tests")


def test_a_hold_that_was_moved_is_confirmed_where_it_is_and_nowhere_else(conn):
    resource_id, (first, second) = make_resource(conn, days=2)
    hold_id = make_hold(conn, resource_id, [first], 2)
    until = holds.get_hold(conn, hold_id).expires_at
    target = Target(hold_id, resource_id, day_slot(second), 2)
    ledger.settle(conn, [hold_id], [target], cause="move", actor="tests", held_until=until)

    holds.confirm_hold(conn, hold_id, order_id="order_moved", line_item_id=None, actor="tests")

    assert counters(conn, resource_id) == [(0, 0), (0, 2)]


def test_a_lapsed_hold_is_confirmed_late_while_there_is_room(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    late, swept = make_hold(conn, resource_id, [dates[0]]), make_hold(conn, resource_id, [dates[1]])
    lapse(conn, late, swept)
    holds.expire_holds(conn, limit=1000)

    for hold_id in (late, swept):
        allocation, _hold = holds.confirm_hold(conn, hold_id, order_id="o", line_item_id="i", actor="tests")
        assert allocation.posted_late
    assert counters(conn, resource_id) == [(0, 1), (0, 1), (0, 0)]


def test_a_lapsed_hold_whose_place_is_gone_is_expired_and_changes_nothing(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)
    make_hold(conn, resource_id, [dates[2]])

    with pytest.raises(errors.HoldExpired):
        holds.confirm_hold(conn, hold_id, order_id="o", line_item_id="i", actor="tests")

    assert [held for held, allocated in counters(conn, resource_id)][2] == 1
    assert all(allocated == 0 for _held, allocated in counters(conn, resource_id))


def test_a_released_hold_is_not_confirmed(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    holds.release_hold(conn, hold_id, actor="tests")

    with pytest.raises(errors.HoldReleased):
        holds.confirm_hold(conn, hold_id, order_id="o", line_item_id="i", actor="tests")


def test_every_change_is_in_the_journal(conn):
    resource_id, dates = make_resource(conn, days=1)
    hold_id = make_hold(conn, resource_id, dates, quantity=3)
    holds.confirm_hold(conn, hold_id, order_id="o", line_item_id="i", actor="somebody")

    rows = conn.execute(
        "SELECT cause, actor, held_change, allocated_change FROM journal WHERE hold_id = %s ORDER BY n", [hold_id]
    ).fetchall()

    assert [tuple(row.values()) for row in rows] == [("place", "store", 3, 0), ("confirm", "somebody", -3, 3)]


def test_the_database_itself_refuses_to_oversell(conn):
    resource_id, _dates = make_resource(conn, capacity=1, days=1)

    with pytest.raises(psycopg.errors.CheckViolation, match="never_overbook"), conn.transaction():
        conn.execute("UPDATE capacity SET held = 2 WHERE resource_id = %s", [resource_id])


def test_departures_are_taken_like_days(conn):
    resource_id, _dates = make_resource(conn, days=0, grain="departure")
    conn.execute(
        "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, 77, %s, 2)",
        [resource_id, future_day()],
    )
    take = (
        "SELECT outcome FROM place_hold(%s, 'tests', %s, '', 'appointment', NULL, %s, 1, NULL, '{}',"
        " INTERVAL '10 min', INTERVAL '1 h', %s, %s, %s, 'tests')"
    )

    outcomes = [
        conn.execute(take, [uuid4().hex, uuid4().hex, resource_id, [resource_id], [77], [1]]).fetchone()["outcome"]
        for _ in range(3)
    ]

    assert outcomes == ["placed", "placed", "short"]


def test_two_buffers_share_a_quarter_hour_and_nothing_overlaps_a_service(conn):
    resource_id, _dates = make_resource(conn, days=0, grain="quarter_hour", type="STAFF", default_capacity=2)

    def book(slots, weights):
        return conn.execute(
            "SELECT outcome FROM place_hold(%s, 'tests', %s, '', 'appointment', NULL, %s, 1, NULL, '{}',"
            " INTERVAL '10 min', INTERVAL '1 h', %s, %s, %s, 'tests')",
            [uuid4().hex, uuid4().hex, resource_id, [resource_id] * len(slots), slots, weights],
        ).fetchone()["outcome"]

    assert book([100, 101, 102], [2, 2, 1]) == "placed"  # a service of half an hour and its buffer
    assert book([101], [1]) == "short"  # not even a buffer fits into a service
    assert book([102, 103, 104], [1, 2, 2]) == "placed"  # buffer on buffer
    assert book([102], [1]) == "short"


def test_slots_count_days_and_quarters():
    assert slot_day(day_slot(date(2026, 12, 24))) == date(2026, 12, 24)
    assert day_slot(date(1970, 1, 2)) == 1
    assert quarter_slot(quarter_start(123_456)) == 123_456


def test_a_late_confirmation_may_take_what_another_let_lapse(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    first = make_hold(conn, resource_id, dates)
    lapse(conn, first)
    second = make_hold(conn, resource_id, dates)
    lapse(conn, second)

    holds.confirm_hold(conn, first, order_id="o", line_item_id="i", actor="tests")

    assert holds.get_hold(conn, second).status == "EXPIRED"
    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_hold_whose_place_was_taken_over_in_its_last_instant_is_not_extended(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    # What a taker leaves whose clock read a moment later than that of whoever waits to extend.
    conn.execute("UPDATE claim SET expires_at = now() - INTERVAL '1 s' WHERE hold_id = %s", [hold_id])
    conn.execute("SELECT expire_claims(%s, %s)", [[resource_id], [day_slot(dates[0])]])

    with pytest.raises(errors.HoldExpired):
        holds.extend_hold(conn, hold_id)
