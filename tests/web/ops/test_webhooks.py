"""The console's pages of webhooks: what they show, do and refuse."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from flask import url_for

from bridge.core import failures, webhooks
from bridge.db import Connection
from bridge.ids import new_id
from tests.web.ops.browsing import send
from tests.web.ops.rows import committed


def make_webhook(conn: Connection, **fields) -> str:
    made = webhooks.create_webhook(
        conn, url=f"https://shop.example/{uuid4().hex}", types=["booking.*"], actor="tests", **fields
    )
    return made.webhook["id"]


def make_delivery(conn: Connection, webhook_id: str, *, status: str = "failed", **fields) -> str:
    """A delivery with one attempt."""
    delivery_id = webhooks.send_test(conn, webhook_id)
    conn.execute("UPDATE event SET type = %s WHERE id = %s", [fields.get("type", "booking.created"), delivery_id])
    conn.execute(
        "INSERT INTO attempt (event_id, n, worker, finished_at, outcome, http_status, answer, error)"
        " VALUES (%s, 1, 'host:1', now(), %s, %s, %s, %s)",
        [delivery_id, status, fields.get("http_status", 500), fields.get("answer", "<b>out of order</b>"), "No."],
    )
    if status != "pending":
        conn.execute(
            "UPDATE event SET status = %s, finished_at = now(), attempts = 1 WHERE id = %s", [status, delivery_id]
        )
    return delivery_id


@pytest.fixture
def webhook(database_url):
    return committed(make_webhook, description="the shop")


def page_of(webhook_id):
    return f"/ops/webhooks/{webhook_id}"


def state(webhook_id):
    return committed(webhooks.get_webhook, webhook_id=webhook_id)


def test_nobody_has_subscribed(console, monkeypatch):
    monkeypatch.setattr(webhooks, "list_webhooks", lambda *_args, **_page: ([], 0))

    assert "Nobody has subscribed." in console.get("/ops/webhooks").text


def test_the_list_says_how_each_fares(console, webhook):
    committed(make_delivery, webhook_id=webhook)
    committed(make_delivery, webhook_id=webhook, status="pending")
    committed(webhooks.disable_webhook, webhook_id=webhook, reason="it answered 410 Gone", actor="tests")

    text = console.get("/ops/webhooks?limit=100").text

    assert state(webhook)["url"] in text
    assert "1 waiting, 1 failed" in text
    assert "it answered 410 Gone" in text


def test_a_failing_one_says_since_when_and_why(console, webhook):
    committed(
        lambda conn: conn.execute(
            "UPDATE webhook SET failures = 3, failing_since = now(), retry_at = now() + INTERVAL '90 s',"
            " last_error = 'It answered 500.' WHERE id = %s",
            [webhook],
        )
    )

    text = console.get(page_of(webhook)).text

    assert "Has failed 3 times in a row since" in text
    assert "It answered 500." in text


def test_a_delivery_among_events_says_whose_it_is_and_the_overview_for_whom_it_waits(console, webhook):
    waiting = committed(make_delivery, webhook_id=webhook, status="pending")

    listed, overview = console.get(f"/ops/events?q={waiting}").text, console.get("/ops").text

    assert f'href="{page_of(webhook)}"' in listed
    assert re.search(r"[1-9][\d,]* for receivers of webhooks", overview)


def test_deliveries_are_listed_and_filtered(console, webhook):
    failed = committed(make_delivery, webhook_id=webhook)
    applied = committed(make_delivery, webhook_id=webhook, status="applied", type="booking.confirmed")

    everything = console.get(page_of(webhook)).text
    delivered = console.get(page_of(webhook) + "?status=delivered").text
    created = console.get(page_of(webhook) + "?type=booking.created").text
    none = console.get(page_of(webhook) + "?type=booking.no_show").text

    assert failed in everything
    assert applied in everything
    assert (failed in delivered, applied in delivered) == (False, True)
    assert '<span class="pill applied">delivered</span>' in delivered
    assert (failed in created, applied in created) == (True, False)
    assert "No delivery is like that." in none


def test_a_delivery_shows_what_its_receiver_answered(console, webhook):
    delivery = committed(make_delivery, webhook_id=webhook)

    text = console.get(f"/ops/events/{delivery}").text

    assert "Answered <strong>500</strong>" in text
    assert "&lt;b&gt;out of order&lt;/b&gt;" in text
    assert page_of(webhook) in text


def test_a_delivery_that_arrived_is_sent_again(console, webhook):
    delivery = committed(make_delivery, webhook_id=webhook, status="applied", http_status=200)
    page = f"/ops/events/{delivery}"
    assert "Retry</button>" in console.get(page).text

    send(console, f"{page}/retry", form_at=page)

    assert committed(failures.get_event, event_id=delivery)["status"] == "pending"


def test_what_failed_is_replayed_in_bulk(console, webhook):
    delivery = committed(make_delivery, webhook_id=webhook)
    other = committed(make_delivery, webhook_id=committed(make_webhook))
    question = f"/ops/events/retry?webhook_id={webhook}&status=failed"
    assert "Retry 1 failed event?" in console.get(question).text

    send(console, "/ops/events/retry", {"webhook_id": webhook, "status": "failed"}, form_at=question)

    assert committed(failures.get_event, event_id=delivery)["status"] == "pending"
    assert committed(failures.get_event, event_id=other)["status"] == "failed"


def test_it_is_disabled_and_enabled_after_a_question_and_signed(console, operator, webhook):
    assert "Disable this webhook?" in console.get(page_of(webhook) + "/disable").text
    send(console, page_of(webhook) + "/disable", form_at=page_of(webhook))
    disabled = state(webhook)
    # What would be sent to one that is disabled would only fail again.
    assert "Replay what failed" not in console.get(page_of(webhook)).text
    assert "Enable this webhook?" in console.get(page_of(webhook) + "/enable").text
    send(console, page_of(webhook) + "/enable", form_at=page_of(webhook))

    assert (disabled["is_enabled"], state(webhook)["is_enabled"]) == (False, True)
    actions = committed(
        lambda conn: conn.execute(
            "SELECT actor, action FROM ops_action WHERE target = %s ORDER BY n", [webhook]
        ).fetchall()
    )
    assert [action["action"] for action in actions] == ["webhook.create", "webhook.disable", "webhook.enable"]
    assert operator in actions[-1]["actor"]


def test_a_test_is_sent(console, webhook):
    answer = send(console, page_of(webhook) + "/test", form_at=page_of(webhook))

    assert answer.location.endswith(page_of(webhook))
    assert "webhook.test" in console.get(page_of(webhook)).text


@pytest.mark.parametrize("verb", ["disable", "enable", "test"])
def test_without_the_token_nothing_is_done(console, webhook, verb):
    answer = console.post(f"{page_of(webhook)}/{verb}")

    assert answer.status_code == 400
    assert state(webhook)["is_enabled"]
    assert "No delivery is like that." in console.get(page_of(webhook)).text


@pytest.mark.parametrize("path", ["", "/disable", "/enable"])
def test_an_unknown_webhook_is_not_found(console, path):
    assert console.get(page_of(new_id("webhook")) + path).status_code == 404


def test_its_page_is_not_shown_to_a_visitor(browser, app, webhook):
    with app.test_request_context():
        assert url_for("ops_webhooks.show_webhook", webhook_id=webhook) == page_of(webhook)
    assert browser.get(page_of(webhook)).status_code == 303
