"""What ops sees of events and queues, and what becomes of what ops does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bridge import db
from bridge.core import events, failures, orders
from bridge.errors import EventNotFailed, EventNotFound, EventNotRetryable, InvalidData, QueueNotFound
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from tests.concurrency.rush import rush
from tests.factories import make_hold, make_resource

pytestmark = pytest.mark.usefixtures("database_url")


def receive(**fields):
    values = {
        "source": "medusa",
        "dedupe_key": uuid4().hex,
        "type": "order.placed",
        "raw": b'{"type": "order.placed"}',
        "headers": {"webhook-id": "msg_1"},
        "order_id": None,
        **fields,
    }
    with db.statement() as conn:
        return events.receive_event(conn, **values).id


def receive_failed(**fields):
    return receive(**{"status": "failed", "error_code": "unreadable_event", "error": "no items", **fields})


def act(function, *args, **fields):
    with db.transaction() as conn:
        return function(conn, *args, **fields)


def found(**filters):
    rows, count = act(failures.list_events, limit=100, **filters)
    return [row["id"] for row in rows], count


def test_events_are_listed_newest_first_without_their_bodies():
    order_id = new_id("order")
    ids = [receive(order_id=order_id) for _ in range(3)]

    rows, count = act(failures.list_events, order_id=order_id, limit=2)

    assert [row["id"] for row in rows] == [ids[2], ids[1]]
    assert count == 3
    assert not {"raw", "edited_payload", "headers"} & rows[0].keys()
    assert [row["id"] for row in act(failures.list_events, order_id=order_id, limit=2, offset=2)[0]] == [ids[0]]


def test_every_filter_narrows_the_list():
    order_id, word = new_id("order"), uuid4().hex
    event_id = receive_failed(order_id=order_id, type=f"type.{word}", error=f"no {word.upper()} here")
    receive(order_id=order_id)
    now = datetime.now(UTC)

    for filters in (
        {"status": "failed", "order_id": order_id},
        {"type": f"type.{word}"},
        {"order_id": order_id, "source": "medusa", "status": "failed"},
        {"type": f"type.{word}", "since": now - timedelta(minutes=5), "until": now + timedelta(minutes=5)},
        {"q": word},
        {"q": event_id},
        {"q": order_id, "status": "failed"},
    ):
        assert found(**filters) == ([event_id], 1), filters
    assert found(type=f"type.{word}", until=now - timedelta(minutes=5)) == ([], 0)
    assert found(type=f"type.{word}", source="stripe") == ([], 0)


def test_text_is_taken_literally():
    assert found(q="%") == ([], 0)
    assert found(q="' OR true --") == ([], 0)


def test_counting_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(failures, "COUNT_LIMIT", 2)
    order_id = new_id("order")
    for _ in range(3):
        receive(order_id=order_id)

    assert found(order_id=order_id)[1] == 2


def test_each_page_knows_how_many_there_are():
    order_id = new_id("order")
    for _ in range(5):
        receive(order_id=order_id)

    with db.transaction() as conn:
        pages = [failures.list_events(conn, order_id=order_id, limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert [(len(rows), count) for rows, count in pages] == [(2, 5), (2, 5), (1, 5), (0, 5)]


def test_an_event_shows_all_there_is_to_know():
    event_id = receive(raw=b'{"type": "order.placed", "data": {"id": "o"}}')
    act(failures.get_event, event_id)
    with db.statement() as conn:
        event = events.claim_event(conn, event_id=event_id, worker="here:1")
    act(events.fail_event, event, error_code="unreadable_event", error="no items", traceback="Traceback")
    act(failures.retry_event, event_id, actor="ada")

    shown = act(failures.get_event, event_id)

    assert shown["payload"] == {"type": "order.placed", "data": {"id": "o"}}
    assert shown["headers"] == {"webhook-id": "msg_1"}
    assert [(row["n"], row["outcome"], row["traceback"]) for row in shown["attempt_log"]] == [
        (1, "failed", "Traceback")
    ]
    assert [(row["actor"], row["action"]) for row in shown["actions"]] == [("ada", "retry")]


def test_a_body_that_is_no_json_is_shown_as_it_came():
    shown = act(failures.get_event, receive(raw=b"\xff not json"))

    assert shown["payload"] is None
    assert shown["raw"] == "� not json"


def test_there_is_no_such_event():
    for call in (
        lambda: act(failures.get_event, "evt_none"),
        lambda: act(failures.retry_event, "evt_none", actor="ada"),
        lambda: act(failures.discard_event, "evt_none", reason="r", actor="ada"),
        lambda: act(failures.edit_payload, "evt_none", payload={}, reason="r", actor="ada"),
    ):
        with pytest.raises(EventNotFound):
            call()


@pytest.mark.parametrize("status", ["failed", "ignored", "discarded"])
def test_what_came_to_an_end_without_effect_can_be_retried(status):
    event_id = receive(status=status)
    with db.transaction() as conn:
        conn.execute("UPDATE event SET attempts = 16, attempts_left = 0 WHERE id = %s", [event_id])

    act(failures.retry_event, event_id, actor="ada")

    event = act(failures.get_event, event_id)
    assert (event["status"], event["attempts_left"], event["finished_at"]) == ("pending", 16, None)
    assert event["actions"][0]["details"] == {"was": status}
    with db.statement() as conn:
        assert events.claim_event(conn, event_id=event_id, worker="here:1").attempts == 17


@pytest.mark.parametrize("status", ["pending", "applied"])
def test_nothing_else_can_be_retried(status):
    event_id = receive(status=status)

    with pytest.raises(EventNotRetryable):
        act(failures.retry_event, event_id, actor="ada")


def test_a_double_click_retries_once():
    event_id = receive_failed()

    answers = rush([lambda: act(failures.retry_event, event_id, actor="ada")] * 5)

    assert sorted(type(answer).__name__ for answer in answers) == ["EventNotRetryable"] * 4 + ["NoneType"]
    assert len(act(failures.get_event, event_id)["actions"]) == 1


def test_many_are_retried_by_filter_after_a_look_at_how_many():
    word = uuid4().hex
    failed = [receive_failed(type=word) for _ in range(3)]
    ignored, other = receive(type=word, status="ignored"), receive_failed()

    looked = act(failures.retry_events, {"type": word}, actor="ada", dry_run=True)
    retried = act(failures.retry_events, {"type": word}, actor="ada")
    again = act(failures.retry_events, {"type": word}, actor="ada")

    assert looked == {"matched": 3, "retried": 0}
    assert retried == {"matched": 3, "retried": 3}
    assert again == {"matched": 0, "retried": 0}
    assert {act(failures.get_event, event_id)["status"] for event_id in failed} == {"pending"}
    assert act(failures.get_event, ignored)["status"] == "ignored"
    assert act(failures.get_event, other)["status"] == "failed"
    assert act(failures.get_event, failed[0])["actions"][0]["details"]["filter"] == {"type": word, "status": "failed"}


def test_one_call_retries_no_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(failures, "BULK_LIMIT", 2)
    word = uuid4().hex
    for _ in range(3):
        receive_failed(type=word)

    assert act(failures.retry_events, {"type": word}, actor="ada") == {"matched": 2, "retried": 2}
    assert act(failures.retry_events, {"type": word}, actor="ada") == {"matched": 1, "retried": 1}


def test_what_was_applied_is_never_retried_by_filter():
    with pytest.raises(EventNotRetryable):
        act(failures.retry_events, {"status": "applied"}, actor="ada")


def test_an_edited_payload_is_applied_and_the_original_kept():
    event_id = receive_failed(raw=b'{"a": 1}')

    act(failures.edit_payload, event_id, payload={"a": 2}, reason="a typing error", actor="ada")

    shown = act(failures.get_event, event_id)
    assert (shown["payload"], shown["original"], shown["raw"], shown["edited"]) == (
        {"a": 2},
        {"a": 1},
        '{"a": 1}',
        True,
    )
    assert (shown["actions"][0]["action"], shown["actions"][0]["reason"]) == ("edit", "a typing error")
    with db.statement() as conn:
        assert events.claim_event(conn, event_id=event_id, worker="here:1").document() == {"a": 2}


def test_only_a_failed_event_can_be_edited_or_discarded():
    event_id = receive(status="applied")

    with pytest.raises(EventNotFailed):
        act(failures.edit_payload, event_id, payload={}, reason="r", actor="ada")
    with pytest.raises(EventNotFailed):
        act(failures.discard_event, event_id, reason="r", actor="ada")


def test_a_payload_must_be_json():
    with pytest.raises(InvalidData):
        act(failures.edit_payload, receive_failed(), payload={"a": object()}, reason="r", actor="ada")


def test_a_discarded_event_says_who_and_why_and_may_come_back():
    event_id = receive_failed()

    act(failures.discard_event, event_id, reason="a test order", actor="ada")

    event = act(failures.get_event, event_id)
    assert (event["status"], event["outcome"]) == ("discarded", "a test order")
    assert (event["actions"][0]["actor"], event["actions"][0]["reason"]) == ("ada", "a test order")
    act(failures.retry_event, event_id, actor="ada")
    assert act(failures.get_event, event_id)["status"] == "pending"


def test_queues_show_what_waits_in_them():
    before = {queue["name"]: queue for queue in act(failures.list_queues)}
    receive()
    receive_failed()

    queues = {queue["name"]: queue for queue in act(failures.list_queues)}

    assert list(queues) == ["bridge.events", "bridge.outgoing", "bridge.webhooks", "bridge.maintenance"]
    ours, was = queues["bridge.events"], before["bridge.events"]
    assert (ours["pending"] - was["pending"], ours["failed"] - was["failed"]) == (1, 1)
    assert ours["due"] >= 1
    assert ours["oldest_pending_seconds"] >= 0
    assert queues["bridge.maintenance"]["oldest_pending_seconds"] is None


def test_pausing_twice_is_written_down_once():
    name = "bridge.maintenance"
    actions = "SELECT action, actor FROM ops_action WHERE target = %s AND actor IN ('ada', 'bob') ORDER BY n"

    for _ in range(2):
        act(failures.pause_queue, name, actor="ada")
    paused = act(failures.is_paused, name)
    for _ in range(2):
        act(failures.resume_queue, name, actor="bob")

    assert paused
    assert not act(failures.is_paused, name)
    with db.transaction() as conn:
        written = [(row["action"], row["actor"]) for row in conn.execute(actions, [name])]
    assert written == [("pause", "ada"), ("resume", "bob")]


def test_there_is_no_such_queue():
    with pytest.raises(QueueNotFound):
        act(failures.pause_queue, "celery", actor="ada")
    with pytest.raises(QueueNotFound):
        act(failures.resume_queue, "celery", actor="ada")


def test_the_timeline_tells_the_whole_story_of_an_order():
    order_id = new_id("order")
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
        hold_id = make_hold(conn, resource_id, dates[:1])
    event_id = receive(order_id=order_id)
    with db.statement() as conn:
        event = events.claim_event(conn, event_id=event_id, worker="here:1")
    facts = OrderFacts(source="medusa", id=order_id, lines=(LineFacts(id="item_1", quantity=1, hold_ids=(hold_id,)),))
    with db.transaction() as conn:
        orders.reconcile(conn, facts, actor=event.id)
        events.finish_event(conn, event, status="failed", error_code="x", error="y")
    act(failures.retry_event, event_id, actor="ada")

    entries = act(failures.order_timeline, order_id)

    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    kinds = [entry["kind"] for entry in entries]
    assert {"event", "attempt", "journal", "action"} == set(kinds)
    assert {entry["id"] for entry in entries if entry["kind"] == "journal"} == {hold_id}
    assert entries[-1]["title"] == "retry"
    assert act(failures.order_timeline, new_id("order")) == []
