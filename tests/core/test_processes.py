"""Who is alive, and who only looks alive."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bridge import db
from bridge.core import events, failures, processes
from bridge.errors import Unavailable
from tests.databases import own_database


@pytest.fixture(scope="module")
def own(database_url):
    with own_database(database_url) as url:
        yield url


@pytest.fixture(autouse=True)
def _fresh(own, monkeypatch):
    with db.transaction() as conn:
        conn.execute("DELETE FROM process")
        conn.execute("DELETE FROM paused_queue")
        conn.execute("DELETE FROM attempt")
        conn.execute("DELETE FROM event")
    # The server of the tests may be younger than a minute, which excuses everybody.
    queries = processes._sql
    monkeypatch.setattr(
        queries, "find_stuck", queries.find_stuck.replace("pg_postmaster_start_time()", "'-infinity'::timestamptz")
    )


def say(kind, *, seen=0.0, started=3600.0, progressed=None, name=None):
    name = name or uuid4().hex
    with db.transaction() as conn:
        processes.beat(conn, kind=kind, name=name)
        conn.execute(
            "UPDATE process SET seen_at = now() - make_interval(secs => %s),"
            " started_at = now() - make_interval(secs => %s), progressed_at = now() - make_interval(secs => %s)"
            " WHERE kind = %s AND name = %s",
            [seen, started, progressed, kind, name],
        )
    return name


def ring(seconds_ago):
    with db.transaction() as conn:
        event_id = events.receive_event(
            conn, source="medusa", dedupe_key=uuid4().hex, type="t", raw=b"{}", headers={}, order_id=None
        ).id
        events.ring_due_events(conn)
        conn.execute(
            "UPDATE event SET rung_at = now() - make_interval(secs => %s) WHERE id = %s", [seconds_ago, event_id]
        )
    return event_id


def everybody_is_well():
    say("worker", progressed=1)
    say("relay")
    say("beat")


def test_nobody_is_stuck_when_nothing_is_due(own):
    everybody_is_well()

    assert processes.find_stuck(own) == []


def test_a_worker_that_rings_do_not_wake_is_stuck(own):
    say("worker", progressed=40)
    ring(31)

    assert processes.find_stuck(own) == ["worker"]


@pytest.mark.parametrize("worker", [{"progressed": 20}, {"progressed": None, "started": 20}])
def test_a_worker_that_works_or_has_just_started_is_left_alone(own, worker):
    say("worker", **worker)
    ring(100)

    assert processes.find_stuck(own) == []


def test_one_working_process_speaks_for_its_worker(own):
    say("worker", progressed=100)
    say("worker", progressed=1)
    ring(100)

    assert processes.find_stuck(own) == []


def test_a_ring_may_take_half_a_minute(own):
    say("worker", progressed=100)
    ring(25)

    assert processes.find_stuck(own) == []


def test_a_paused_queue_explains_why_nobody_works(own):
    say("worker", progressed=100)
    ring(100)
    with db.transaction() as conn:
        failures.pause_queue(conn, events.EVENTS, actor="ada")

    assert processes.find_stuck(own) == []


def test_ringing_again_does_not_reset_the_watch(own):
    say("worker", progressed=100)
    event_id = ring(31)
    with db.transaction() as conn:
        conn.execute("UPDATE event SET next_attempt_at = now() WHERE id = %s", [event_id])
    with db.transaction() as conn:
        assert events.ring_due_events(conn) == [(event_id, events.EVENTS)]

    assert processes.find_stuck(own) == ["worker"]


@pytest.mark.parametrize("kind", ["relay", "beat"])
def test_a_silent_process_is_stuck_unless_another_took_its_place(own, kind):
    say(kind, seen=61)

    assert processes.find_stuck(own) == [kind]
    say(kind, started=1)
    assert processes.find_stuck(own) == []


def test_nobody_is_to_blame_when_it_was_the_database_that_was_away(own, monkeypatch):
    query = processes._sql.find_stuck.replace("'-infinity'::timestamptz", "now() - INTERVAL '10 seconds'")
    monkeypatch.setattr(processes._sql, "find_stuck", query)
    say("relay", seen=300)
    say("worker", seen=300, progressed=300)
    ring(300)

    assert processes.find_stuck(own) == []


def test_without_the_database_nobody_can_tell():
    with pytest.raises(Unavailable):
        processes.find_stuck("postgresql://postgres@127.0.0.1:1/none")


def test_a_process_that_takes_the_name_of_another_starts_anew(own):
    name = say("worker", started=3600, progressed=3600)

    with db.transaction() as conn:
        processes.start(conn, kind="worker", name=name)
        rows = failures.list_workers(conn)

    assert [(row["name"], row["progressed_at"], row["alive"]) for row in rows] == [(name, None, True)]


def test_progress_is_remembered_and_old_processes_are_forgotten(own):
    say("worker", seen=601)
    name = say("worker", progressed=5)
    with db.transaction() as conn:
        processes.beat(conn, kind="worker", name=name, state={"a": 1})
        rows = failures.list_workers(conn)

    assert [(row["name"], row["state"]) for row in rows] == [(name, {"a": 1})]
    assert rows[0]["progressed_at"] is not None


def test_the_relay_lags_by_its_oldest_due_event(own):
    with db.transaction() as conn:
        assert processes.relay_lag(conn) == 0
    event_id = ring(0)
    with db.transaction() as conn:
        assert processes.relay_lag(conn) == 0
        conn.execute(
            "UPDATE event SET rung_at = NULL, next_attempt_at = now() - INTERVAL '90 seconds' WHERE id = %s", [event_id]
        )
        assert 90 <= processes.relay_lag(conn) < 95
        failures.pause_queue(conn, events.EVENTS, actor="ada")
        assert processes.relay_lag(conn) == 0


def test_the_broker_is_in_trouble_when_no_relay_reaches_it(own):
    with db.transaction() as conn:
        assert processes.broker_trouble(conn) is None
        processes.beat(conn, kind="relay", name="a", state={"broker": "refused"})
        assert processes.broker_trouble(conn) == "refused"
        processes.beat(conn, kind="relay", name="b", state={"broker": "ok"})
        assert processes.broker_trouble(conn) is None
