"""/ops/api/events: what came in and what is owed, and what people do when it fails."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest

from tests.web.ops.rows import committed, make_event

EVENTS = "/ops/api/events"


@pytest.fixture
def failed(database_url):
    return committed(make_event, order_id=new_order_id())


def new_order_id():
    return f"order_{uuid4().hex}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", EVENTS),
        ("GET", f"{EVENTS}/evt_1"),
        ("POST", f"{EVENTS}/evt_1/retry"),
        ("POST", f"{EVENTS}/evt_1/discard"),
        ("POST", f"{EVENTS}/evt_1/payload"),
        ("POST", f"{EVENTS}/retry"),
        ("GET", "/ops/api/queues"),
        ("POST", "/ops/api/queues/bridge.events/pause"),
        ("POST", "/ops/api/queues/bridge.events/resume"),
        ("GET", "/ops/api/workers"),
        ("GET", "/ops/api/orders/order_1/timeline"),
        ("GET", "/ops/api/audit"),
        ("GET", "/ops/api/overview"),
    ],
)
def test_only_a_key_with_the_scope_ops_gets_in(client, not_ops, method, path):
    without = client.open(path, method=method)
    with_another = client.open(path, method=method, headers=not_ops)

    assert (without.status_code, without.json["type"]) == (401, "unauthorized")
    assert (with_another.status_code, with_another.json["type"]) == (403, "forbidden")


def test_a_list_names_its_events_and_how_many_there_are(client, ops):
    order_id = new_order_id()
    ids = [committed(make_event, order_id=order_id) for _ in range(3)]

    answer = client.get(f"{EVENTS}?order_id={order_id}&limit=2&offset=1", headers=ops)

    assert answer.status_code == 200
    assert (answer.json["count"], answer.json["limit"], answer.json["offset"]) == (3, 2, 1)
    assert {event["id"] for event in answer.json["events"]} <= set(ids)
    assert len(answer.json["events"]) == 2
    assert answer.json["events"][0]["received_at"].endswith("Z")
    assert "payload" not in answer.json["events"][0]


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("status=failed", True),
        ("status=applied", False),
        ("type=order.placed", True),
        ("type=order.canceled", False),
        ("source=medusa", True),
        ("source=stripe", False),
        ("q=cannot+be+found", True),
        ("q=something+else", False),
        ("since=2020-01-01T00:00:00Z", True),
        ("since=2190-01-01T00:00:00Z", False),
        ("until=2020-01-01T00:00:00Z", False),
    ],
)
def test_each_filter_narrows_the_list(client, ops, query, finds):
    order_id = new_order_id()
    committed(make_event, order_id=order_id)

    answer = client.get(f"{EVENTS}?order_id={order_id}&{query}", headers=ops)

    assert answer.json["count"] == int(finds)


@pytest.mark.parametrize(
    "query",
    [
        "status=broken",
        "limit=0",
        "limit=101",
        "offset=-1",
        "since=yesterday",
        "since=0001-01-01T00:00:00Z",
        "until=9999-12-31T23:59:59-12:00",
        "q=",
        "q=%00",
        "colour=red",
        "type=a&type=b",
    ],
)
def test_a_bad_filter_is_refused(client, ops, query):
    answer = client.get(f"{EVENTS}?{query}", headers=ops)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


def test_an_event_shows_all_there_is_to_know(client, ops, failed):
    event = client.get(f"{EVENTS}/{failed}", headers=ops).json["event"]

    assert event["id"] == failed
    assert event["payload"] == {"type": "order.placed", "data": {"id": "order_1"}}
    assert event["original"] is None
    assert orjson.loads(event["raw"]) == event["payload"]
    assert event["headers"] == {"webhook-id": "msg_1"}
    assert [attempt["n"] for attempt in event["attempts"]] == [1, 2]
    assert event["attempts"][0]["traceback"] == "Traceback …"
    assert event["attempts"][0]["started_at"].endswith("Z")
    assert event["attempt_count"] == 2
    assert event["actions"] == []


def test_a_body_that_is_no_json_is_shown_as_it_came(client, ops):
    event_id = committed(make_event, raw=b"\xff{nonsense")

    event = client.get(f"{EVENTS}/{event_id}", headers=ops).json["event"]

    assert event["payload"] is None
    assert "{nonsense" in event["raw"]


def test_a_body_nested_absurdly_is_shown_as_it_came(client, ops):
    raw = b'{"a":' * 300 + b"1" + b"}" * 300
    event_id = committed(make_event, raw=raw)

    answer = client.get(f"{EVENTS}/{event_id}", headers=ops)

    assert answer.status_code == 200
    assert answer.json["event"]["payload"] is None
    assert answer.json["event"]["raw"] == raw.decode()


def test_retry_makes_it_due_and_says_who_asked(client, ops, failed):
    answer = client.post(f"{EVENTS}/{failed}/retry", headers=ops)

    event = answer.json["event"]
    assert answer.status_code == 200
    assert (event["status"], event["attempts_left"], event["finished_at"]) == ("pending", 16, None)
    assert event["actions"][0]["action"] == "retry"
    assert event["actions"][0]["actor"].startswith("key:")


def test_a_second_retry_is_told(client, ops, failed):
    client.post(f"{EVENTS}/{failed}/retry", headers=ops)

    again = client.post(f"{EVENTS}/{failed}/retry", headers=ops)

    assert (again.status_code, again.json["code"]) == (409, "event_not_retryable")


def test_discard_keeps_the_reason(client, ops, failed):
    answer = client.post(f"{EVENTS}/{failed}/discard", json={"reason": "a test order"}, headers=ops)

    assert answer.status_code == 200
    assert (answer.json["event"]["status"], answer.json["event"]["outcome"]) == ("discarded", "a test order")
    assert answer.json["event"]["actions"][0]["reason"] == "a test order"


def test_only_a_failed_event_is_discarded(client, ops):
    event_id = committed(make_event, status="applied")

    answer = client.post(f"{EVENTS}/{event_id}/discard", json={"reason": "no"}, headers=ops)

    assert (answer.status_code, answer.json["code"]) == (409, "event_not_failed")


def test_an_edited_payload_is_applied_and_the_original_kept(client, ops, failed):
    answer = client.post(
        f"{EVENTS}/{failed}/payload", json={"payload": {"mended": True}, "reason": "typo"}, headers=ops
    )

    event = answer.json["event"]
    assert answer.status_code == 200
    assert (event["status"], event["edited"]) == ("pending", True)
    assert event["payload"] == {"mended": True}
    assert event["original"]["type"] == "order.placed"
    assert event["actions"][0]["action"] == "edit"


def test_only_a_failed_event_is_edited(client, ops):
    event_id = committed(make_event, status="ignored")

    answer = client.post(f"{EVENTS}/{event_id}/payload", json={"payload": {}, "reason": "no"}, headers=ops)

    assert (answer.status_code, answer.json["code"]) == (409, "event_not_failed")


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("discard", {}),
        ("discard", {"reason": ""}),
        ("discard", {"reason": "x" * 1001}),
        ("discard", {"reason": "\0"}),
        ("discard", {"reason": "fine", "extra": 1}),
        ("payload", {"reason": "no payload"}),
        ("payload", {"payload": [], "reason": "a list"}),
        ("payload", {"payload": {}, "reason": None}),
    ],
)
def test_a_bad_body_is_refused(client, ops, failed, verb, body):
    answer = client.post(f"{EVENTS}/{failed}/{verb}", json=body, headers=ops)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


@pytest.mark.parametrize("verb", ["", "/retry", "/discard", "/payload"])
def test_an_unknown_event_is_not_found(client, ops, verb):
    body = {"": None, "/retry": None, "/discard": {"reason": "x"}, "/payload": {"payload": {}, "reason": "x"}}[verb]

    answer = client.open(f"{EVENTS}/evt_unknown{verb}", method="POST" if verb else "GET", json=body, headers=ops)

    assert (answer.status_code, answer.json["code"]) == (404, "event_not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", EVENTS), ("GET", f"{EVENTS}/evt_1/retry"), ("DELETE", f"{EVENTS}/evt_1")]
)
def test_a_wrong_method_is_refused_in_json(client, ops, method, path):
    answer = client.open(path, method=method, headers=ops)

    assert (answer.status_code, answer.json["code"]) == (405, "not_allowed")


def test_a_nul_in_an_id_is_refused(client, ops):
    assert client.get(f"{EVENTS}/evt_%00", headers=ops).status_code == 400


@pytest.mark.parametrize("in_query", [True, False])
def test_a_dry_run_counts_and_changes_nothing(client, ops, failed, in_query):
    body = {"filter": {"q": failed}, **({} if in_query else {"dry_run": True})}

    answer = client.post(f"{EVENTS}/retry{'?dry_run=true' if in_query else ''}", json=body, headers=ops)

    assert answer.json == {"matched": 1, "retried": 0, "dry_run": True}
    assert client.get(f"{EVENTS}/{failed}", headers=ops).json["event"]["status"] == "failed"


def test_a_bulk_retry_touches_what_its_filter_finds(client, ops):
    order_id = new_order_id()
    chosen = [committed(make_event, order_id=order_id) for _ in range(2)]
    applied = committed(make_event, order_id=order_id, status="applied")

    answer = client.post(f"{EVENTS}/retry", json={"filter": {"order_id": order_id}}, headers=ops)

    statuses = {
        row["id"]: row["status"] for row in client.get(f"{EVENTS}?order_id={order_id}", headers=ops).json["events"]
    }
    assert answer.json == {"matched": 2, "retried": 2, "dry_run": False}
    assert statuses == {chosen[0]: "pending", chosen[1]: "pending", applied: "applied"}


@pytest.mark.parametrize("body", [{}, {"filter": None}, {"filter": {"status": "odd"}}, {"filter": {"id": "x"}}, []])
def test_a_bad_bulk_retry_is_refused(client, ops, body):
    assert client.post(f"{EVENTS}/retry", json=body, headers=ops).status_code == 400


def test_what_was_applied_is_not_retried_in_bulk(client, ops):
    answer = client.post(f"{EVENTS}/retry", json={"filter": {"status": "applied"}}, headers=ops)

    assert (answer.status_code, answer.json["code"]) == (409, "event_not_retryable")
