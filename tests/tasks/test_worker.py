"""Real processes and real brokers: what was received is applied, whoever is stopped or killed meanwhile."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bridge import db
from bridge.core import failures, processes
from bridge.ids import new_id
from tests.factories import counters, make_hold, make_resource
from tests.tasks.conftest import look, purge, receive, running, stop, wait_for

# One after the other: brokers are shared, and their queues have fixed names.
pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(180)]


@pytest.fixture
def chosen(settings, broker):
    changed = settings(broker_url=broker, medusa_url="", worker_processes=2)
    purge(broker)
    with db.transaction() as conn:
        conn.execute("DELETE FROM process")
    return changed


def place_order():
    """A paid order with a hold, as the platform tells of it: the event, and what it is about."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
        hold_id = make_hold(conn, resource_id, dates)
    order_id = new_id("order")
    order = {
        "id": order_id,
        "status": "pending",
        "version": 1,
        "updated_at": datetime.now(UTC).isoformat(),
        "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}}],
    }
    return receive({"type": "order.placed", "data": {"order": order}}, order_id=order_id), resource_id, order_id


def is_applied(event_id):
    return look(event_id)["status"] == "applied"


def allocated(resource_id):
    with db.transaction() as conn:
        return counters(conn, resource_id)


def workers():
    with db.transaction() as conn:
        return [row for row in failures.list_workers(conn) if row["kind"] == "worker"]


@contextmanager
def order_locked(order_id, own):
    """Nobody gets on with this order inside."""
    with db.connect(own) as other, other.transaction():
        other.execute("INSERT INTO platform_order (source, id) VALUES ('medusa', %s)", [order_id])
        yield other


@contextmanager
def hung_up(own, but):
    """As while it restarts: the database hangs up on everybody but one, and lets nobody in inside."""
    name = conninfo_to_dict(own)["dbname"]
    with psycopg.connect(own, dbname="postgres", autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> %s", [name, but]
        )
        yield
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_what_was_received_is_applied(chosen):
    with running(chosen, "worker", "relay") as started:
        placed = [place_order() for _ in range(20)]
        wait_for(lambda: all(is_applied(event_id) for event_id, _resource, _order in placed), 60)
        codes = [stop(process) for process in started.values()]

    assert {allocated(resource_id)[0] for _event, resource_id, _order in placed} == {(0, 1)}
    assert {look(event_id)["attempts"] for event_id, _resource, _order in placed} == {1}
    assert codes == [0, 0]


def test_a_worker_that_is_stopped_finishes_what_it_has_in_hand(chosen, own):
    event_id, resource_id, order_id = place_order()

    with running(chosen, "worker", "relay") as started:
        with order_locked(order_id, own):
            wait_for(lambda: look(event_id)["claimed_by"], 60)
            os.killpg(started["worker"].pid, signal.SIGTERM)
        code = started["worker"].wait(30)

    assert code == 0
    assert (look(event_id)["status"], look(event_id)["attempts"]) == ("applied", 1)
    assert allocated(resource_id) == [(0, 1)]


def test_the_event_of_a_killed_worker_is_applied_once_by_the_next(chosen, own):
    event_id, resource_id, order_id = place_order()

    with running(chosen, "worker", "relay") as started:
        with order_locked(order_id, own):
            wait_for(lambda: look(event_id)["claimed_by"], 60)
            stop(started["worker"], signal.SIGKILL)
        with db.transaction() as conn:
            conn.execute("UPDATE process SET seen_at = now() - INTERVAL '21 seconds' WHERE kind = 'worker'")
        with running(chosen, "worker"):
            wait_for(lambda: is_applied(event_id), 60)

    assert look(event_id)["attempts"] == 2
    assert allocated(resource_id) == [(0, 1)]


def test_an_event_left_behind_by_a_database_that_went_away_is_applied_long_before_its_lease_ends(chosen, own):
    event_id, resource_id, order_id = place_order()

    with running(chosen, "worker", "relay"):
        with order_locked(order_id, own) as locker:
            wait_for(lambda: look(event_id)["claimed_by"], 60)
            with hung_up(own, but=locker.info.backend_pid):
                time.sleep(1)
        wait_for(lambda: is_applied(event_id), 60)

    assert look(event_id)["attempts"] == 2
    assert allocated(resource_id) == [(0, 1)]


def test_processes_say_that_they_are_there_until_they_are_stopped(chosen, own):
    with running(chosen, "worker", "relay", "beat") as started:
        wait_for(lambda: len(workers()) == 2, 60)
        with db.transaction() as conn:
            kinds = {row["kind"]: row["alive"] for row in failures.list_workers(conn)}
        wait_for(lambda: {"worker", "relay", "beat"} <= _kinds(), 30)
        stuck = processes.find_stuck(own)
        codes = {kind: stop(process) for kind, process in started.items()}

    assert all(kinds.values())
    assert stuck == []
    assert codes == {"worker": 0, "relay": 0, "beat": 0}
    assert _kinds() == set()


def _kinds():
    with db.transaction() as conn:
        return {row["kind"] for row in failures.list_workers(conn)}
