"""Blackouts: whoever is placing a hold meanwhile is either seen or refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Event
from typing import Any

import pytest

from bridge import db
from bridge.core import blackouts, closures
from bridge.core.closures import Days
from bridge.db import Connection
from bridge.errors import BlackedOut, BlackoutNotFound, ResourceNotFound, Unavailable
from tests.factories import counters, lapse, make_allocation, make_hold, make_resource

# A blackout of everything would close other tests' days: each such test has a year of its own, far from theirs.
FAR = date(2120, 1, 1)


def _close(conn: Connection, resource_id: str | None, first: date, last: date, **fields: Any) -> blackouts.Effect:
    return blackouts.create_blackout(
        conn, resource_id=resource_id, start_date=first, end_date=last, actor="tests", **fields
    )


def _statuses(conn: Connection, *hold_ids: str) -> list[str]:
    rows = conn.execute("SELECT id, status::text FROM hold WHERE id = ANY (%s)", [list(hold_ids)])
    found = {row["id"]: row["status"] for row in rows}
    return [found[hold_id] for hold_id in hold_ids]


def test_a_blackout_counts_what_is_live_on_its_days(conn: Connection) -> None:
    resource_id, days = make_resource(conn, days=5)
    inside = make_hold(conn, resource_id, days[1:3])
    make_hold(conn, resource_id, days[:1])
    lapse(conn, make_hold(conn, resource_id, days))
    allocation_id = make_allocation(conn, resource_id, days[2:5], 2, order_id="order_9", customer_email="a@b.test")

    effect = _close(conn, resource_id, days[1], days[2], reason="Service")

    assert (effect.holds_affected, effect.holds_cancelled, effect.allocations_affected) == (1, 0, 1)
    assert effect.affected["holds"] == [inside]
    (allocation,) = effect.affected["allocations"]
    assert (allocation["id"], allocation["order_id"], allocation["customer_email"]) == (
        allocation_id,
        "order_9",
        "a@b.test",
    )
    assert (allocation["dates"], allocation["quantity"]) == (days[2:5], 2)
    with pytest.raises(BlackedOut):
        make_hold(conn, resource_id, days[2:4])


def test_cancelling_releases_the_whole_hold_once(conn: Connection) -> None:
    resource_id, days = make_resource(conn, days=4)
    touching = make_hold(conn, resource_id, days[:2], 2)
    beside = make_hold(conn, resource_id, days[2:], 3)
    make_allocation(conn, resource_id, days[1:2])

    effect = _close(conn, resource_id, days[1], days[1], cancel_existing_holds=True)

    assert (effect.holds_affected, effect.holds_cancelled, effect.allocations_affected) == (1, 1, 1)
    assert _statuses(conn, touching, beside) == ["RELEASED", "ACTIVE"]
    assert counters(conn, resource_id) == [(0, 0), (0, 1), (3, 0), (3, 0)]
    causes = conn.execute("SELECT cause FROM journal WHERE hold_id = %s AND held_change < 0", [touching])
    assert [row["cause"] for row in causes] == ["blackout", "blackout"]


@pytest.mark.parametrize("cancel", [True, False])
def test_a_dry_run_says_the_same_and_changes_nothing(conn: Connection, cancel: bool) -> None:
    resource_id, days = make_resource(conn)
    hold_id = make_hold(conn, resource_id, days)
    make_allocation(conn, resource_id, days[:1])

    tried = _close(conn, resource_id, days[0], days[0], cancel_existing_holds=cancel, dry_run=True)
    kept = _statuses(conn, hold_id), counters(conn, resource_id)
    done = _close(conn, resource_id, days[0], days[0], cancel_existing_holds=cancel)

    assert tried.blackout.id is None
    assert kept == (["ACTIVE"], [(1, 1), (1, 0), (1, 0)])
    assert (tried.holds_affected, tried.holds_cancelled, tried.allocations_affected, tried.affected) == (
        done.holds_affected,
        done.holds_cancelled,
        done.allocations_affected,
        done.affected,
    )


def test_a_blackout_of_everything_closes_every_resource(conn: Connection) -> None:
    one, days = make_resource(conn, first_day=FAR)
    other, _ = make_resource(conn, first_day=FAR)
    holds = [make_hold(conn, one, days[:1]), make_hold(conn, other, days[1:])]

    effect = _close(conn, None, days[0], days[1], cancel_existing_holds=True)

    assert effect.holds_cancelled == 2
    assert _statuses(conn, *holds) == ["RELEASED", "RELEASED"]
    with pytest.raises(BlackedOut):
        make_hold(conn, other, days[:1])


def test_other_grains_are_closed_by_the_date_they_fall_on(conn: Connection) -> None:
    resource_id, days = make_resource(conn, grain="departure", first_day=FAR + timedelta(days=400))
    hold_id = make_hold(conn, resource_id, days[:1])
    conn.execute("UPDATE capacity SET on_date = on_date - 200 WHERE resource_id = %s", [resource_id])
    moved = days[0] - timedelta(days=200)

    effect = _close(conn, None, moved, moved, cancel_existing_holds=True)

    assert effect.affected["holds"] == [hold_id]


def test_an_unknown_resource_is_not_found(conn: Connection) -> None:
    with pytest.raises(ResourceNotFound):
        _close(conn, "res_none", FAR, FAR)


def test_a_deleted_blackout_closes_nothing_and_is_gone(conn: Connection) -> None:
    resource_id, days = make_resource(conn)
    closed = _close(conn, resource_id, days[0], days[-1]).blackout

    blackouts.delete_blackout(conn, closed.id)

    make_hold(conn, resource_id, days)
    assert blackouts.list_blackouts(conn, resource_id=resource_id, limit=20, offset=0) == ([], 0)
    with pytest.raises(BlackoutNotFound):
        blackouts.delete_blackout(conn, closed.id)


def test_the_list_has_what_touches_the_range(conn: Connection) -> None:
    resource_id, days = make_resource(conn, days=9)
    made = [_close(conn, resource_id, days[n], days[n + 2]).blackout for n in (0, 3, 6)]

    page, count = blackouts.list_blackouts(
        conn, resource_id=resource_id, start_date=days[2], end_date=days[3], limit=1, offset=1
    )

    assert (page, count) == ([made[1]], 2)


@pytest.mark.parametrize("cancel", [True, False])
def test_a_hold_being_placed_is_seen(database_url: str, cancel: bool) -> None:
    """The hold commits while the blackout waits for its slots; its other day lies before them in the lock order."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)
    placed, commit = Event(), Event()

    def place() -> str:
        try:
            with db.transaction() as conn:
                hold_id = make_hold(conn, resource_id, days)
                placed.set()
                commit.wait(2)
            return hold_id
        finally:
            db.close()

    def close() -> blackouts.Effect:
        try:
            with db.transaction() as conn:
                return _close(conn, resource_id, days[1], days[1], cancel_existing_holds=cancel)
        finally:
            db.close()

    with ThreadPoolExecutor(2) as pool:
        hold = pool.submit(place)
        assert placed.wait(5)
        closing = pool.submit(close)
        commit.wait(0.3)  # Until the blackout waits for the slot.
        commit.set()
        hold_id, effect = hold.result(), closing.result()

    assert (effect.holds_affected, effect.holds_cancelled) == (1, int(cancel))
    with db.transaction() as conn:
        assert _statuses(conn, hold_id) == ["RELEASED" if cancel else "ACTIVE"]
        assert counters(conn, resource_id) == [(0 if cancel else 1, 0)] * 3


def test_a_hold_that_waits_for_the_blackout_is_refused(database_url: str) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)

    def place() -> None:
        try:
            with db.transaction() as conn:
                make_hold(conn, resource_id, days)
        finally:
            db.close()

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as conn:
            _close(conn, resource_id, days[1], days[1], cancel_existing_holds=True)
            waiting = pool.submit(place)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)

        with pytest.raises(BlackedOut):
            waiting.result(5)


def test_a_late_hold_in_other_hands_is_never_waited_for_with_slots_locked(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody keeps the lock of a hold that only shows after the slots are locked: give up, having let go of them."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)
        hold_id = make_hold(conn, resource_id, days)
    look = closures.list_live_holds
    looks: list[int] = []

    def look_late(conn: Connection, days: Days, *, booked: bool = False) -> list[str]:
        looks.append(1)
        return [] if len(looks) % 2 else look(conn, days, booked=booked)

    monkeypatch.setattr(closures, "list_live_holds", look_late)
    with db.connect() as other, other.transaction():
        other.execute("SELECT FROM hold WHERE id = %s FOR UPDATE", [hold_id])

        with pytest.raises(Unavailable), db.transaction() as conn:
            _close(conn, resource_id, days[0], days[0], cancel_existing_holds=True)

        other.execute("SELECT FROM capacity WHERE resource_id = %s FOR UPDATE NOWAIT", [resource_id])
    with db.transaction() as conn:
        assert _close(conn, resource_id, days[0], days[0], cancel_existing_holds=True).holds_cancelled == 1


def test_in_a_rush_no_live_hold_is_left_on_the_days(database_url: str) -> None:
    """Six customers place and give back holds of changing days without pause; a blackout closes one of the days."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=1000, days=6)
    stop = Event()

    def buy(n: int) -> list[str]:
        placed = []
        try:
            while not stop.is_set():
                try:
                    with db.transaction() as conn:
                        placed.append(make_hold(conn, resource_id, days[n % 4 : n % 4 + 3]))
                except BlackedOut:
                    pass
        finally:
            db.close()
        return placed

    with ThreadPoolExecutor(6) as pool:
        buyers = [pool.submit(buy, n) for n in range(6)]
        stop.wait(0.4)
        with db.transaction() as conn:
            effect = _close(conn, resource_id, days[3], days[3], cancel_existing_holds=True)
        stop.wait(0.2)
        stop.set()
        placed = [hold_id for buyer in buyers for hold_id in buyer.result()]

    with db.transaction() as conn:
        touching = closures.list_live_holds(conn, Days(resource_id=resource_id, starts_on=days[3], ends_on=days[3]))
        released = _statuses(conn, *placed).count("RELEASED")
        sums = conn.execute(
            "SELECT slot_no, sum(quantity) FILTER (WHERE state = 'held') AS held FROM claim WHERE resource_id = %s"
            " GROUP BY slot_no ORDER BY slot_no",
            [resource_id],
        )
        assert [held for held, _ in counters(conn, resource_id)] == [row["held"] or 0 for row in sums]
    assert touching == []
    assert effect.holds_cancelled == released > 0
