"""All pages of the console, and its queues, orders and shortfalls: what they show, do and refuse."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bridge import db
from bridge.core import failures, processes
from tests.web.ops.browsing import send
from tests.web.ops.rows import committed, make_event, make_shortfall

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
    "/ops/reservations",
    "/ops/reservations?status=open&q=ada&customer_email=ada@example.test&start_date=2026-01-01&end_date=2190-01-01",
    "/ops/shortfalls",
    "/ops/shortfalls?status=all",
    "/ops/shortfalls?status=resolved&order_id=order_unknown",
    "/ops/webhooks",
    "/ops/webhooks?refresh",
]


@pytest.fixture
def failed(database_url):
    return committed(make_event)


@pytest.fixture
def running_queue(database_url):
    """A queue that is left running, whatever the test did to it."""
    yield "bridge.maintenance"
    committed(failures.resume_queue, name="bridge.maintenance", actor="tests")


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
    # That one order has none says nothing of the others.
    none_left = console.get(f"/ops/shortfalls?order_id={order_id}").text
    assert "No shortfall is like that." in none_left and "Every paid order" not in none_left


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
