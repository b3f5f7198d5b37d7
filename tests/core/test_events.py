"""An event is applied once, whatever happens to the messages and the workers that carry it."""

from __future__ import annotations

import statistics
from uuid import uuid4

import orjson
import pytest

from bridge import db, outbox
from bridge.core import events, failures, processes
from bridge.core.events import ClaimLost
from bridge.errors import UnreadableEvent
from tests.concurrency.rush import rush
from tests.databases import own_database

WORKER = "here:1"


@pytest.fixture(autouse=True, scope="module")
def _own(database_url):
    with own_database(database_url):
        yield


@pytest.fixture(autouse=True)
def _nothing_else_is_due():
    with db.transaction() as conn:
        conn.execute("UPDATE event SET status = 'ignored', finished_at = now() WHERE status = 'pending'")
        conn.execute("DELETE FROM paused_queue")
        conn.execute("DELETE FROM process")


def receive(**fields):
    values = {
        "source": "medusa",
        "dedupe_key": uuid4().hex,
        "type": "order.placed",
        "raw": b'{"type": "order.placed"}',
        "headers": {},
        "order_id": None,
        **fields,
    }
    with db.statement() as conn:
        return events.receive_event(conn, **values)


def ring(**fields):
    with db.transaction() as conn:
        return [event_id for event_id, _queue in events.ring_due_events(conn, **fields)]


def claim(event_id, worker=WORKER, **fields):
    with db.statement() as conn:
        return events.claim_event(conn, event_id=event_id, worker=worker, **fields)


def finish(event, **fields):
    with db.transaction() as conn:
        events.finish_event(conn, event, **{"status": "applied", "outcome": "done", **fields})


def look(event_id):
    with db.transaction() as conn:
        return failures.get_event(conn, event_id)


def change(event_id, assignments):
    with db.transaction() as conn:
        conn.execute(f"UPDATE event SET {assignments} WHERE id = %s", [event_id])


def say_a_worker_lives(name=WORKER, ago="0 seconds"):
    with db.transaction() as conn:
        processes.beat(conn, kind="worker", name=name)
        conn.execute("UPDATE process SET seen_at = now() - %s::interval WHERE name = %s", [ago, name])


def test_a_repeated_event_is_stored_once_and_counted():
    key = uuid4().hex

    first, second = receive(dedupe_key=key, raw=b"1"), receive(dedupe_key=key, raw=b"2")

    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.id == second.id
    assert look(first.id)["raw"] == "1"
    assert look(first.id)["duplicates"] == 1


def test_of_many_at_once_one_is_new():
    key = uuid4().hex

    receipts = rush([lambda: receive(dedupe_key=key)] * 20)

    assert sorted(receipt.duplicate for receipt in receipts) == [False] + [True] * 19
    assert len({receipt.id for receipt in receipts}) == 1


def test_an_event_may_be_received_as_failed_or_ignored():
    failed = receive(status="failed", error_code="unreadable_event", error="no type, says ada@example.test")
    ignored = receive(status="ignored", outcome="unknown")

    assert ring() == []
    assert look(failed.id)["error"] == "no type, says …@…"
    assert look(ignored.id)["finished_at"] is not None


def test_work_is_owed_once_and_only_if_its_cause_commits():
    key = uuid4().hex
    with db.transaction() as conn:
        outbox.add_work(conn, type="mail", payload={"to": "a"}, dedupe_key=key)
        outbox.add_work(conn, type="mail", payload={"to": "b"}, dedupe_key=key)
    with pytest.raises(ZeroDivisionError), db.transaction() as conn:
        outbox.add_work(conn, type="mail", payload={}, dedupe_key=uuid4().hex)
        raise ZeroDivisionError

    with db.transaction() as conn:
        rung = events.ring_due_events(conn)

    assert [queue for _id, queue in rung] == ["bridge.outgoing"]
    assert look(rung[0][0])["payload"] == {"to": "a"}


def test_a_due_event_is_rung_and_not_at_once_again():
    event_id = receive().id

    assert ring() == [event_id]
    assert ring() == []


def test_two_relays_ring_different_events():
    ids = [receive().id for _ in range(40)]

    rung = rush([lambda: ring(limit=20)] * 2)

    assert sorted(rung[0] + rung[1]) == sorted(ids)


def test_a_lost_ring_is_repeated_later_and_later():
    say_a_worker_lives()
    event_id = receive().id

    waits = []
    for _ in range(4):
        assert ring() == [event_id]
        with db.transaction() as conn:
            row = db.one(
                conn.execute("SELECT next_attempt_at - now() AS wait, rung_at FROM event WHERE id = %s", [event_id])
            )
        waits.append(round(row["wait"].total_seconds()))
        change(event_id, "next_attempt_at = now()")

    assert waits == [20, 40, 60, 60]


def test_nothing_is_rung_again_while_no_worker_lives():
    event_id = receive().id
    ring()
    change(event_id, "next_attempt_at = now()")

    assert ring() == []
    say_a_worker_lives(ago="2 minutes")
    assert ring() == []
    say_a_worker_lives()
    assert ring() == [event_id]


def test_no_more_than_the_window_are_rung_and_unclaimed():
    ids = [receive().id for _ in range(5)]

    assert len(ring(window=3)) == 3
    assert ring(window=3) == []
    assert claim(ids[0])
    assert ring(window=3) == [ids[3]]


def test_a_full_window_of_one_queue_leaves_the_other_alone():
    for _ in range(3):
        with db.transaction() as conn:
            outbox.add_work(conn, type="mail", payload={}, dedupe_key=uuid4().hex)
    ring(window=2)
    event_id = receive().id

    assert ring(window=2) == [event_id]


def test_a_paused_queue_is_neither_rung_nor_claimed():
    rung, waiting = receive().id, receive().id
    ring(limit=1)
    with db.transaction() as conn:
        failures.pause_queue(conn, events.EVENTS, actor="ada")

    assert ring() == []
    assert claim(rung) is None
    with db.transaction() as conn:
        failures.resume_queue(conn, events.EVENTS, actor="ada")
    assert ring() == [rung, waiting]


def test_an_event_that_could_not_be_rung_is_due_again_in_a_second():
    rung, claimed = receive().id, receive().id
    ring()
    claim(claimed)

    with db.transaction() as conn:
        events.unring_events(conn, ids=[rung, claimed])

    assert ring() == []
    change(rung, "next_attempt_at = next_attempt_at - INTERVAL '1.1 seconds'")
    assert ring() == [rung]


def test_of_two_claims_at_once_one_gets_the_event():
    event_id = receive().id

    claims = rush([lambda: claim(event_id, worker=uuid4().hex)] * 8)

    assert sum(claimed is not None for claimed in claims) == 1
    assert look(event_id)["attempts"] == 1


def test_the_same_ring_twice_applies_once():
    event_id = receive().id
    ring()

    finish(claim(event_id))

    assert claim(event_id) is None
    assert look(event_id)["status"] == "applied"
    assert [attempt["outcome"] for attempt in look(event_id)["attempt_log"]] == ["applied"]


def test_a_ring_that_comes_late_does_not_cut_a_wait_short():
    event_id = receive().id
    ring()
    event = claim(event_id)
    with db.transaction() as conn:
        events.retry_later(conn, event, error_code="unavailable", error="down", retry_after=60)

    assert claim(event_id) is None
    assert ring() == []


def test_an_event_whose_worker_died_comes_back_when_the_lease_ends():
    event_id = receive().id
    ring()
    claim(event_id, lease_seconds=60)

    assert claim(event_id, worker="other") is None
    assert ring() == []
    change(event_id, "claimed_until = now(), next_attempt_at = now()")
    assert ring() == [event_id]
    again = claim(event_id, worker="other")

    assert again.attempts == 2
    assert [attempt["finished_at"] for attempt in look(event_id)["attempt_log"]] == [None, None]


def test_the_event_of_a_worker_that_is_gone_comes_back_sooner():
    lost, kept = receive().id, receive().id
    say_a_worker_lives("gone:1", ago="30 seconds")
    say_a_worker_lives("here:1")
    claim(lost, worker="gone:1")
    claim(kept, worker="here:1")

    with db.transaction() as conn:
        freed = events.free_lost_claims(conn)

    assert freed == 1
    assert ring() == [lost]
    assert claim(lost, worker="here:1")


def test_a_worker_gives_back_what_it_left_behind_and_nothing_else():
    left, in_hand, just_taken, theirs = (receive().id for _ in range(4))
    for event_id in (left, in_hand, just_taken):
        claim(event_id, worker="here:1", lease_seconds=events.LEASE_SECONDS)
    claim(theirs, worker="there:1", lease_seconds=events.LEASE_SECONDS)
    for event_id in (left, in_hand, theirs):
        change(event_id, "claimed_until = claimed_until - INTERVAL '6 seconds'")

    with db.transaction() as conn:
        freed = events.free_own_claims(conn, worker="here:1", in_hand=[in_hand])

    assert freed == 1
    assert ring() == [left]
    assert claim(left, worker="there:1")


def test_a_worker_that_was_too_slow_cannot_finish_and_its_effect_rolls_back():
    event_id = receive().id
    slow = claim(event_id)
    change(event_id, "claimed_until = now(), next_attempt_at = now()")
    quick = claim(event_id)
    effect = uuid4().hex

    with pytest.raises(ClaimLost), db.transaction() as conn:
        conn.execute("INSERT INTO paused_queue (name, paused_by) VALUES (%s, 'effect')", [effect])
        events.finish_event(conn, slow, status="applied")
    finish(quick)

    with db.transaction() as conn:
        assert not failures.is_paused(conn, effect)
    assert look(event_id)["status"] == "applied"


def test_an_event_that_kills_its_workers_fails_in_the_end():
    event_id = receive().id
    change(event_id, "attempts_left = 2")
    for _ in range(2):
        assert claim(event_id)
        change(event_id, "claimed_until = now(), next_attempt_at = now()")

    assert claim(event_id) is None

    event = look(event_id)
    assert (event["status"], event["error_code"], event["attempts"]) == ("failed", "worker_lost", 2)
    assert ring() == []


def test_the_last_attempt_fails_the_event():
    event_id = receive().id
    change(event_id, "attempts_left = 1")

    with db.transaction() as conn:
        events.retry_later(conn, claim(event_id), error_code="unavailable", error="down", traceback="Traceback …")

    event = look(event_id)
    assert (event["status"], event["error"]) == ("failed", "down")
    assert event["attempt_log"][0]["outcome"] == "failed"
    assert event["attempt_log"][0]["traceback"] == "Traceback …"


def test_a_retry_waits_and_says_why():
    event_id = receive().id

    with db.transaction() as conn:
        events.retry_later(conn, claim(event_id), error_code="unavailable", error="down", retry_after=30)

    event = look(event_id)
    assert (event["status"], event["error_code"], event["claimed_by"]) == ("pending", "unavailable", None)
    assert event["attempt_log"][0]["outcome"] == "retry"
    with db.transaction() as conn:
        row = conn.execute("SELECT next_attempt_at - now() AS wait FROM event WHERE id = %s", [event_id]).fetchone()
    assert 29 <= row["wait"].total_seconds() <= 30


@pytest.mark.parametrize(("attempts", "bound"), [(1, 1), (2, 2), (5, 16), (10, 512), (11, 900), (16, 900), (500, 900)])
def test_waits_are_drawn_from_a_range_that_doubles(attempts, bound):
    waits = [events.wait_seconds(attempts) for _ in range(500)]

    assert min(waits) >= 0
    assert max(waits) <= bound
    assert 0.4 * bound < statistics.mean(waits) < 0.6 * bound


def test_all_waits_together_are_about_an_hour_and_a_half_at_most():
    together = sum(min(900, 2 ** (attempts - 1)) for attempts in range(1, 16))

    assert 90 * 60 < together < 95 * 60


@pytest.mark.parametrize(("asked", "least"), [(None, 0), (-5, 0), (7, 7), (1e30, 24 * 3600)])
def test_what_the_other_side_asked_for_is_the_least(asked, least):
    assert min(events.wait_seconds(1, retry_after=asked) for _ in range(50)) >= least


def test_what_is_kept_of_an_error_is_short_and_names_nobody():
    kept = events.redact("a" * 100_000 + " to <ada.lovelace+x@example.co.uk>\x00")

    assert len(kept.encode()) <= events.TRACEBACK_BYTES
    assert kept.endswith("to <…@…>")


def test_a_body_that_is_no_json_object_is_unreadable():
    for raw in (b"", b"[1]", b"{", b'{"a": NaN}'):
        with pytest.raises(UnreadableEvent):
            claim(receive(raw=raw).id).document()
    assert claim(receive(raw=orjson.dumps({"a": 1})).id).document() == {"a": 1}


def test_only_what_was_applied_or_ignored_long_ago_is_purged():
    old, failed, young = (receive() for _ in range(3))
    change(
        old.id, "status = 'applied', finished_at = now() - INTERVAL '31 days', received_at = now() - INTERVAL '31 days'"
    )
    change(
        failed.id,
        "status = 'failed', finished_at = now() - INTERVAL '31 days', received_at = now() - INTERVAL '31 days'",
    )
    change(young.id, "status = 'applied', finished_at = now()")

    with db.transaction() as conn:
        events.purge_events(conn)
        left = {row["id"] for row in conn.execute("SELECT id FROM event")}

    assert old.id not in left
    assert {failed.id, young.id} <= left


def test_the_relay_asks_the_index_however_many_events_were_applied():
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO event (id, source, dedupe_key, type, queue, status, raw, finished_at)"
            " SELECT 'old_' || n, 'old', n::text, 't', 'bridge.events', 'applied', '', now()"
            " FROM generate_series(1, 20000) n"
        )
        conn.execute("ANALYZE event")
        plan = conn.execute(
            "EXPLAIN " + events._sql.ring_due_events,
            {"limit": 100, "window": 500, "queues": ["bridge.events"]},
            prepare=False,
        ).fetchall()

    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "event_due" in text
    assert "Seq Scan on event" not in text
