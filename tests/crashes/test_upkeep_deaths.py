"""Upkeep killed half way: what it had committed stays, the rest is done by the next turn, and nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge import db
from bridge.ids import new_id
from tasks.maintenance import SWEPT
from tests.crashes.conftest import drift, journal_of, kinds_alive, send
from tests.factories import counters, lapse, make_hold, make_resource
from tests.tasks.conftest import running, stop, wait_for

pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(180)]


def ask_for(name):
    """Send what beat would."""
    send(f"tasks.maintenance.{name}", queue="bridge.maintenance")


def lapsed_holds(count):
    """A resource, and holds of it that have just run out."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=2, capacity=count)
        hold_ids = [make_hold(conn, resource_id, dates) for _ in range(count)]
        lapse(conn, *hold_ids)
    return resource_id, hold_ids


def live(resource_id):
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT count(*) AS n FROM hold WHERE resource_id = %s AND status = 'ACTIVE'", [resource_id]
        )
        return db.one(rows)["n"]


def held(resource_id):
    with db.transaction() as conn:
        return counters(conn, resource_id)


def test_a_sweep_killed_in_its_second_batch_is_made_up_for_and_frees_nothing_twice(chosen, doomed):
    first, first_holds = lapsed_holds(SWEPT)  # As many as go at once,
    second, second_holds = lapsed_holds(5)  # and these lapsed after them.

    with doomed(chosen, "worker", "after", "bridge.core.holds:sweep_holds", nth=2) as worker:
        ask_for("sweep_holds")
        worker.wait_for_death()
    left = [(live(resource_id), held(resource_id)) for resource_id in (first, second)]
    with running(chosen, "worker"):
        ask_for("sweep_holds")
        wait_for(lambda: live(second) == 0, 60)

    assert left == [(0, [(0, 0), (0, 0)]), (5, [(5, 0), (5, 0)])]
    assert held(second) == [(0, 0), (0, 0)]
    with db.transaction() as conn:
        noted = conn.execute(
            "SELECT count(*) AS n FROM journal WHERE cause = 'expire' AND hold_id = ANY (%s) GROUP BY hold_id",
            [first_holds + second_holds],
        ).fetchall()
    assert [row["n"] for row in noted] == [2] * (SWEPT + 5)
    assert drift() == []


def test_two_beats_at_once_do_no_harm_and_one_that_is_killed_is_not_missed(chosen, settings):
    quick = settings(
        broker_url=chosen.broker_url, medusa_url=chosen.medusa_url, worker_processes=2, sweep_seconds="0.2"
    )
    with running(quick, "worker", "beat") as processes, running(quick, "beat"):
        wait_for(lambda: kinds_alive().count("beat") == 2, 60)
        under_two, first = lapsed_holds(20)
        wait_for(lambda: live(under_two) == 0, 60)
        stop(processes["beat"], 9)
        under_one, second = lapsed_holds(20)
        wait_for(lambda: live(under_one) == 0, 60)

    for resource_id, hold_ids in ((under_two, first), (under_one, second)):
        assert held(resource_id) == [(0, 0), (0, 0)]
        assert {tuple(journal_of(hold_id)) for hold_id in hold_ids} == {
            (("place", 1, 0), ("place", 1, 0), ("expire", -1, 0), ("expire", -1, 0))
        }
    assert drift() == []


def test_a_reconciler_killed_before_it_remembers_how_far_it_got_finds_every_order_once(chosen, platform, doomed):
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
        hold_ids = [make_hold(conn, resource_id, dates) for _ in range(3)]
    for hold_id in hold_ids:
        platform.add_order(
            {
                "id": new_id("order"),
                "status": "pending",
                "version": 1,
                "updated_at": datetime.now(UTC).isoformat(),
                "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}}],
            }
        )

    with doomed(chosen, "worker", "before", "tasks.maintenance:_remember") as worker:
        ask_for("reconcile_orders")
        worker.wait_for_death()
    found = events_of(platform.orders)
    with running(chosen, "worker", "relay"):
        ask_for("reconcile_orders")
        wait_for(lambda: held(resource_id) == [(0, 3)] and remembered(), 60)

    assert len(found) == 3
    assert sorted(event["id"] for event in events_of(platform.orders)) == sorted(event["id"] for event in found)
    assert drift() == []


def events_of(order_ids):
    with db.transaction() as conn:
        return conn.execute("SELECT id FROM event WHERE order_id = ANY (%s)", [list(order_ids)]).fetchall()


def remembered():
    with db.transaction() as conn:
        return conn.execute("SELECT FROM platform_cursor").fetchone() is not None
