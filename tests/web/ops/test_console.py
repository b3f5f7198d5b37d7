"""The console's pages: what they show, what their buttons do, and what they refuse."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest
from markupsafe import escape

from bridge import db
from bridge.core import failures, processes
from tests.web.ops.browsing import send
from tests.web.ops.rows import committed, make_event, make_shortfall

HOSTILE = '<script>alert("x")</script>'
PAGES = [
    "/ops/",
    "/ops/?refresh",
    "/ops/events",
    "/ops/events?status=failed&type=order.placed&source=medusa&since=2026-01-01T00:00&until=2190-01-01T00:00:00&q=line",
    "/ops/events?offset=1000",
    "/ops/events/retry",
    "/ops/queues",
    "/ops/queues/bridge.events/pause",
    "/ops/queues/bridge.events/resume",
    "/ops/workers",
    "/ops/orders",
    "/ops/orders?order_id=order_unknown",
    "/ops/shortfalls",
    "/ops/shortfalls?status=all",
    "/ops/shortfalls?status=resolved&order_id=order_unknown",
]


@pytest.fixture
def failed(database_url):
    return committed(make_event)


@pytest.fixture
def running_queue(database_url):
    """A queue that is left running, whatever the test did to it."""
    yield "bridge.maintenance"
    committed(failures.resume_queue, name="bridge.maintenance", actor="tests")


def status_of(event_id):
    with db.transaction() as conn:
        return failures.get_event(conn, event_id)["status"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_without_rows(console, monkeypatch, path):
    for name in ("list_events", "list_queues", "list_workers"):
        monkeypatch.setattr(
            failures, name, lambda *_args, _name=name, **_filter: ([], 0) if _name == "list_events" else []
        )

    answer = console.get(path)

    assert answer.status_code == 200
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_with_rows(console, failed, path):
    committed(make_shortfall)
    committed(processes.beat, kind="worker", name=f"host:{uuid4().hex}")

    assert console.get(path).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/ops/events/evt_1", "/ops/nowhere"])
def test_no_page_is_shown_to_a_visitor(browser, path):
    answer = browser.get(path)

    assert answer.status_code == 303
    assert answer.location.startswith("/ops/sign-in")


@pytest.mark.parametrize("path", ["/ops/", "/ops/sign-in", "/ops/nowhere", "/ops/events/evt_unknown"])
def test_every_answer_is_locked_down(console, path):
    headers = console.get(path).headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_no_page_has_a_script_or_a_style_of_its_own(console, failed):
    for path in (*PAGES, f"/ops/events/{failed}"):
        text = console.get(path).text
        assert "<script" not in text
        assert "style=" not in text
        assert "<style" not in text


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


def test_a_queue_is_paused_after_asking_and_resumed(console, running_queue):
    asked = console.get(f"/ops/queues/{running_queue}/pause").text
    paused = send(console, f"/ops/queues/{running_queue}/pause", {"back": "/ops/queues"})
    with db.transaction() as conn:
        was_paused = failures.is_paused(conn, running_queue)
    resumed = send(console, f"/ops/queues/{running_queue}/resume", {"back": "/ops/queues"})

    assert f"Pause {running_queue}?" in asked
    assert (paused.location, resumed.location) == ("/ops/queues", "/ops/queues")
    assert was_paused
    assert f"{running_queue} is worked on again." in console.get("/ops/queues").text


def test_a_shortfall_is_decided_with_a_note(console):
    shortfall_id, order_id, _resource_id = committed(make_shortfall)
    listed = console.get(f"/ops/shortfalls?order_id={order_id}").text

    answer = send(
        console, f"/ops/shortfalls/{shortfall_id}/resolve", {"action": "dismiss", "note": "they came another day"}
    )

    assert shortfall_id in listed
    assert answer.status_code == 303
    assert "they came another day" in console.get(f"/ops/shortfalls?status=dismissed&order_id={order_id}").text


def test_a_shortfall_without_room_says_so_and_stays_open(console):
    shortfall_id, order_id, _resource_id = committed(make_shortfall)
    page = f"/ops/shortfalls?order_id={order_id}"

    answer = send(console, f"/ops/shortfalls/{shortfall_id}/resolve", {"action": "retry", "back": page})

    text = console.get(answer.location).text
    assert answer.location == page
    assert "There is still not enough capacity for this order." in text
    assert "Decide…" in text


@pytest.mark.parametrize("action", ["force", "refund"])
def test_a_shortfall_is_forced_or_refunded(console, action):
    shortfall_id, order_id, _resource_id = committed(make_shortfall)

    answer = send(console, f"/ops/shortfalls/{shortfall_id}/resolve", {"action": action})

    assert answer.status_code == 303
    assert "Decide…" not in console.get(f"/ops/shortfalls?status=all&order_id={order_id}").text


def test_a_timeline_names_days_not_numbers(console):
    _shortfall_id, order_id, resource_id = committed(make_shortfall)
    with db.transaction() as conn:
        day = conn.execute("SELECT on_date FROM capacity WHERE resource_id = %s", [resource_id]).fetchone()["on_date"]

    text = console.get("/ops/orders", query_string={"order_id": order_id}).text

    assert f"slot {day}" in text
    assert f"1 on {day}" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ops/nowhere", 404),
        ("/ops/events/evt_unknown", 404),
        ("/ops/queues/celery/pause", 404),
        ("/ops/events?status=broken", 400),
        ("/ops/events?since=yesterday", 400),
        ("/ops/events?limit=0", 400),
        ("/ops/events/evt_%00", 400),
        ("/ops/orders?order_id=%00", 400),
        ("/ops/shortfalls?status=odd", 400),
    ],
)
def test_what_goes_wrong_is_a_page(console, path, status):
    answer = console.get(path)

    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert "To the overview" in answer.text


def test_even_a_crash_is_a_page_that_tells_nothing(console, monkeypatch):
    def crash(*_args, **_filter):
        raise RuntimeError("secret")

    monkeypatch.setattr(failures, "list_queues", crash)

    answer = console.get("/ops/queues")

    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "secret" not in answer.text


def test_the_api_answers_what_is_not_there_in_json(client, ops):
    answer = client.get("/ops/api/nowhere", headers=ops)

    assert (answer.status_code, answer.json["type"]) == (404, "not_found")
