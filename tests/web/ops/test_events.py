"""/ops/events: what its pages show, what their buttons do, and what they refuse."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest
from markupsafe import escape

from bridge import db
from bridge.core import failures
from tests.web.ops.browsing import send
from tests.web.ops.rows import committed, make_event

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def failed(database_url):
    return committed(make_event)


def status_of(event_id):
    with db.transaction() as conn:
        return failures.get_event(conn, event_id)["status"]


@pytest.mark.parametrize("status", ["pending", "applied", "ignored", "failed", "discarded"])
def test_an_event_of_any_status_is_told_in_a_sentence(console, status):
    event_id = committed(make_event, status=status, outcome="as it should be" if status != "pending" else None)

    text = console.get(f"/ops/events/{event_id}").text

    assert event_id in text
    assert f'<span class="pill {status}">{status}</span>' in text


def test_hostile_text_is_shown_and_not_run(console):
    order_id = f"{HOSTILE}{uuid4().hex}"
    event_id = committed(
        make_event,
        type=HOSTILE,
        source=HOSTILE,
        order_id=order_id,
        error=HOSTILE,
        error_code=HOSTILE,
        traceback=HOSTILE,
        raw=orjson.dumps({"</textarea>": HOSTILE}),
    )

    for path in (f"/ops/events/{event_id}", f"/ops/events?q={event_id}", f"/ops/events?q={HOSTILE}", "/ops/"):
        text = console.get(path).text
        assert "&lt;script&gt;" in text
        assert "<script" not in text
    page = console.get("/ops/orders", query_string={"order_id": order_id}).text
    assert "<script" not in page
    assert event_id in page
    assert console.get(f"/ops/events/{event_id}").text.count("</textarea>") == 1


def test_a_body_that_is_no_json_is_shown_as_it_came(console):
    event_id = committed(make_event, raw=b"\xff{nonsense <b>")

    assert "{nonsense &lt;b&gt;" in console.get(f"/ops/events/{event_id}").text


def test_one_click_retries_and_leads_back(console, failed):
    answer = send(console, f"/ops/events/{failed}/retry", {"back": "/ops/"})

    with db.transaction() as conn:
        actions = failures.get_event(conn, failed)["actions"]
    assert (answer.status_code, answer.location) == (303, "/ops/")
    assert "It will be tried again now." in console.get("/ops/").text
    assert status_of(failed) == "pending"
    assert actions[0]["actor"].startswith("ops:op_")


def test_a_double_click_is_told_kindly(console, failed):
    send(console, f"/ops/events/{failed}/retry", {"back": f"/ops/events/{failed}"})
    answer = send(console, f"/ops/events/{failed}/retry", {"back": f"/ops/events/{failed}"})

    text = console.get(answer.location).text
    assert answer.status_code == 303
    assert "Only an event that is failed, ignored or discarded can be retried." in text
    assert status_of(failed) == "pending"


@pytest.mark.parametrize("back", ["https://evil.test/", "//evil.test", "javascript:alert(1)", "/ops/\r\nX-Evil: 1"])
def test_a_form_cannot_lead_elsewhere(console, failed, back):
    answer = send(console, f"/ops/events/{failed}/retry", {"back": back})

    assert (answer.status_code, answer.location) == (303, f"/ops/events/{failed}")


def test_discarding_needs_a_reason(console, failed):
    refused = send(console, f"/ops/events/{failed}/discard", {"reason": " "})
    done = send(console, f"/ops/events/{failed}/discard", {"reason": "a test order"})

    assert refused.status_code == 400
    assert done.status_code == 303
    assert status_of(failed) == "discarded"
    assert "a test order" in console.get(f"/ops/events/{failed}").text


def test_an_edited_payload_is_tried(console, failed):
    answer = send(console, f"/ops/events/{failed}/payload", {"payload": '{"a": 1}', "reason": "typo"})

    with db.transaction() as conn:
        event = failures.get_event(conn, failed)
    assert answer.status_code == 303
    assert (event["payload"], event["status"]) == ({"a": 1}, "pending")
    assert "As it came" in console.get(f"/ops/events/{failed}").text


def test_a_payload_as_large_as_a_webhook_can_be_edited(console, failed):
    fields = {"payload": f'{{"a": "{"x" * 1_000_000}"}}', "reason": "large"}

    assert send(console, f"/ops/events/{failed}/payload", fields).status_code == 303


@pytest.mark.parametrize("payload", ['{"a": ', "[1]", "", '{"a": "\\u0000"}'])
def test_a_payload_that_cannot_be_taken_is_not_lost(console, failed, payload):
    answer = send(console, f"/ops/events/{failed}/payload", {"payload": payload, "reason": "typo"})

    assert answer.status_code == 400
    assert "Not done." in answer.text
    assert escape(payload) in answer.text
    assert status_of(failed) == "failed"


def test_retrying_all_counts_first(console):
    order_id = f"order_{uuid4().hex}"
    ids = [committed(make_event, order_id=order_id) for _ in range(2)]

    page = console.get(f"/ops/events/retry?order_id={order_id}").text
    untouched = {status_of(event_id) for event_id in ids}
    answer = send(console, "/ops/events/retry", {"order_id": order_id, "back": "/ops/events"})

    assert "Retry 2 failed events?" in page
    assert untouched == {"failed"}
    assert answer.location == "/ops/events"
    assert {status_of(event_id) for event_id in ids} == {"pending"}
    assert "2 events will be tried again now." in console.get("/ops/events").text


def test_what_was_applied_is_not_offered_for_retry(console):
    committed(make_event, status="applied")

    assert "Retry all" not in console.get("/ops/events?status=applied").text
    assert console.get("/ops/events/retry?status=applied").status_code == 409


def test_a_long_list_is_turned_like_pages(console):
    order_id = f"order_{uuid4().hex}"
    for _ in range(3):
        committed(make_event, order_id=order_id)

    first = console.get(f"/ops/events?order_id={order_id}&limit=2").text
    second = console.get(f"/ops/events?order_id={order_id}&limit=2&offset=2").text

    assert "1–2 of 3" in first
    assert "Older" in first
    assert "Newer" not in first
    assert "3–3 of 3" in second
    assert "Newer" in second
