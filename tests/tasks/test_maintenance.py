"""Upkeep does what it is for, makes up for missed turns, and can be paused."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

import tasks
from bridge import db
from bridge.core import departures, failures, holds, schedules
from bridge.errors import PlatformRefused
from bridge.ids import new_id
from tasks import maintenance
from tests import waiting
from tests.factories import ZONE, counters, lapse, make_hold, make_resource
from tests.tasks.conftest import look, purge, receive, running, stop, wait_for

pytestmark = pytest.mark.usefixtures("settings")
NOW = datetime.now(UTC)


def order(**fields):
    return {
        "id": new_id("order"),
        "status": "pending",
        "version": 1,
        "updated_at": NOW.isoformat(),
        "items": [],
        **fields,
    }


class FakeMedusa:
    """A platform that lists these orders."""

    def __init__(self, *orders):
        self.orders = orders
        self.asked_since = []

    def __call__(self, _config):
        return self

    def list_orders(self, updated_since):
        self.asked_since.append(updated_since)
        yield from self.orders


@pytest.fixture
def medusa(monkeypatch):
    with db.transaction() as conn:
        conn.execute("DELETE FROM platform_cursor")

    def use(*orders):
        fake = FakeMedusa(*orders)
        monkeypatch.setattr(maintenance, "Medusa", fake)
        return fake

    return use


def events_of(order_id):
    with db.transaction() as conn:
        return failures.list_events(conn, order_id=order_id)[0]


def a_lapsed_hold():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
        lapse(conn, make_hold(conn, resource_id, dates))
    return resource_id


def held(resource_id):
    with db.transaction() as conn:
        return counters(conn, resource_id)[0][0]


def test_lapsed_holds_are_swept_in_batches(monkeypatch):
    monkeypatch.setattr(maintenance, "LISTED", 4)
    monkeypatch.setattr(maintenance, "SWEPT", 3)
    resources = [a_lapsed_hold() for _ in range(5)]

    maintenance.sweep_holds()

    assert [held(resource_id) for resource_id in resources] == [0] * 5


def test_a_sweep_leaves_what_another_one_sweeps(own):
    resource_id = a_lapsed_hold()
    with db.connect(own) as other, other.transaction():
        holds.sweep_holds(other, [])
        maintenance.sweep_holds()
        assert held(resource_id) == 1

    maintenance.sweep_holds()
    assert held(resource_id) == 0


def test_a_paused_queue_stops_upkeep():
    resource_id = a_lapsed_hold()
    with db.transaction() as conn:
        failures.pause_queue(conn, "bridge.maintenance", actor="ada")
    maintenance.sweep_holds()
    assert held(resource_id) == 1

    with db.transaction() as conn:
        failures.resume_queue(conn, "bridge.maintenance", actor="ada")
    maintenance.sweep_holds()
    assert held(resource_id) == 0


def test_upkeep_that_fails_waits_for_the_next_turn(own):
    db.configure("postgresql://postgres@127.0.0.1:1/none")
    try:
        maintenance.sweep_holds()
    finally:
        db.configure(own)


def test_the_ledger_is_audited():
    maintenance.audit_ledger()

    with db.transaction() as conn:
        row = db.one(conn.execute("SELECT drift, now() - checked_at AS age FROM audit"))
    assert row["drift"] == 0
    assert row["age"] < timedelta(minutes=1)


def test_an_order_whose_event_never_came_is_found(medusa):
    missed, seen = order(), order()
    medusa(missed, seen)
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO platform_order (source, id, version, updated_at) VALUES ('medusa', %s, 1, %s)",
            [seen["id"], NOW],
        )

    for _ in range(2):
        maintenance.reconcile_orders()

    found = events_of(missed["id"])
    assert [event["type"] for event in found] == ["order.reconcile"]
    assert look(found[0]["id"])["payload"] == {"type": "order.reconcile", "data": {"order": missed}}
    assert events_of(seen["id"]) == []


def test_a_later_state_of_an_order_is_another_event(medusa):
    first = order()
    second = first | {"updated_at": (NOW + timedelta(seconds=1)).isoformat()}
    medusa(first, second)

    maintenance.reconcile_orders()

    assert len(events_of(first["id"])) == 2


def test_each_look_begins_a_little_before_the_last_one_ended(medusa):
    fake = medusa(order(updated_at="2026-01-02T03:04:05.678Z"), order(updated_at=NOW.isoformat()))
    begun = datetime.now(UTC)

    for _ in range(2):
        maintenance.reconcile_orders()

    ended = datetime.now(UTC)
    assert begun - timedelta(days=1, minutes=5) <= fake.asked_since[0] <= ended - timedelta(days=1, minutes=5)
    assert fake.asked_since[1] == NOW - timedelta(minutes=5)


def test_an_order_that_cannot_be_read_is_shown_to_people(medusa):
    broken = order(items="none")
    medusa(broken)

    maintenance.reconcile_orders()

    assert len(events_of(broken["id"])) == 1


def test_without_a_platform_nobody_is_asked(medusa, settings):
    fake = medusa(order())
    settings(medusa_url="")

    maintenance.reconcile_orders()

    assert fake.asked_since == []


def test_a_platform_that_refuses_is_asked_again_the_next_time(medusa, monkeypatch):
    fake = medusa()

    def refuse(_since):
        raise PlatformRefused

    monkeypatch.setattr(fake, "list_orders", refuse)

    maintenance.reconcile_orders()


def test_what_is_old_is_forgotten():
    old, failed = receive({"type": "t"}, status="applied"), receive({"type": "t"}, status="failed")
    with db.transaction() as conn:
        conn.execute(
            "UPDATE event SET received_at = now() - INTERVAL '31 days', finished_at = now() - INTERVAL '31 days'"
            " WHERE id = ANY (%s)",
            [[old, failed]],
        )
        conn.execute(
            "INSERT INTO idempotency_key (scope, key, request_hash, created_at)"
            " VALUES ('s', 'old', '', now() - INTERVAL '25 hours'), ('s', 'young', '', now()) ON CONFLICT DO NOTHING"
        )

    maintenance.purge_old()

    with db.transaction() as conn:
        assert {row["key"] for row in conn.execute("SELECT key FROM idempotency_key WHERE scope = 's'")} == {"young"}
        assert [row["id"] for row in conn.execute("SELECT id FROM event WHERE id = ANY (%s)", [[old, failed]])] == [
            failed
        ]


def test_beat_asks_as_often_as_it_is_told(settings):
    settings(sweep_seconds=2)

    assert tasks.celery.conf.beat_schedule["sweep_holds"]["schedule"] == 2.0


@pytest.mark.xdist_group("broker")
@pytest.mark.timeout(180)
def test_beat_and_worker_sweep_what_has_lapsed(settings, broker):
    chosen = settings(broker_url=broker, sweep_seconds="0.5")
    purge(broker)
    resource_id = a_lapsed_hold()

    with running(chosen, "worker", "beat") as started:
        wait_for(lambda: held(resource_id) == 0, 60)

        assert stop(started["beat"], signal.SIGTERM) == 0


def test_the_horizon_is_filled_a_night_at_a_time(settings):
    settings(booking_advance_days=10)
    today = datetime.now(ZoneInfo(ZONE)).date()  # Where the tour is.
    with db.transaction() as conn:
        tour_id = waiting.make_tour(conn)
        schedule = schedules.create_schedule(
            conn,
            tour_id=tour_id,
            name="Mornings",
            start_time=time(9),
            duration_minutes=60,
            recurrence="daily",
            weekdays=[],
            custom_rule=None,
            max_capacity=5,
            min_capacity=1,
            valid_from=today + timedelta(days=2),
            valid_until=None,
            price_override=None,
            is_active=True,
        )

    maintenance.fill_horizon()
    maintenance.fill_horizon()
    first = _departures(tour_id)
    settings(booking_advance_days=12)
    maintenance.fill_horizon()

    assert len(first) == 9
    assert len(_departures(tour_id)) == len(first) + 2
    with db.transaction() as conn:
        assert schedule.id not in departures.list_unfilled(conn, advance_days=12, limit=1000)


def _departures(tour_id):
    with db.transaction() as conn:
        return conn.execute("SELECT slot_date FROM slot WHERE resource_id = %s", [tour_id]).fetchall()
