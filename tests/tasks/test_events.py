"""What an event does, and what becomes of one that cannot be done."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
import responses
from celery.exceptions import SoftTimeLimitExceeded

from bridge import db
from bridge.core import events, orders
from bridge.errors import PlatformUnavailable, Unavailable
from bridge.ids import new_id
from tasks.events import apply_event
from tests.factories import counters, make_hold, make_resource
from tests.tasks.conftest import MEDUSA, look, receive

pytestmark = pytest.mark.usefixtures("settings")


def a_hold():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
        return make_hold(conn, resource_id, dates), resource_id


def order(hold_id, **fields):
    return {
        "id": new_id("order"),
        "status": "pending",
        "version": 1,
        "updated_at": datetime.now(UTC).isoformat(),
        "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}}],
        **fields,
    }


def counted(resource_id):
    with db.transaction() as conn:
        return counters(conn, resource_id)


def wait_of(event_id):
    with db.transaction() as conn:
        query = "SELECT extract(epoch FROM next_attempt_at - now())::float8 AS wait FROM event WHERE id = %s"
        return db.one(conn.execute(query, [event_id]))["wait"]


def apply(event_type, data, **fields):
    event_id = receive({"type": event_type, "data": data}, **fields)
    apply_event(event_id)
    return look(event_id)


def test_an_order_in_the_event_needs_no_look_up():
    hold_id, resource_id = a_hold()

    event = apply("order.placed", {"order": order(hold_id)})

    assert (event["status"], event["attempts"]) == ("applied", 1)
    assert event["attempt_log"][0]["outcome"] == "applied"
    assert "1 of 1" in event["outcome"]
    assert counted(resource_id) == [(0, 1)]


def test_the_same_event_twice_is_applied_once():
    hold_id, resource_id = a_hold()
    event_id = receive({"type": "order.placed", "data": {"order": order(hold_id)}})

    apply_event(event_id)
    apply_event(event_id)

    assert look(event_id)["attempts"] == 1
    assert counted(resource_id) == [(0, 1)]


@responses.activate
def test_a_thin_event_is_looked_up_outside_any_transaction():
    hold_id, resource_id = a_hold()
    shown = order(hold_id)

    def answer(_request):
        with db.connect() as other:
            query = "SELECT count(*) AS n FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND datname = "
            row = db.one(other.execute(query + "current_database()", prepare=False))
        return (200 if row["n"] == 0 else 500, {}, orjson.dumps({"order": shown}))

    responses.add_callback(responses.GET, f"{MEDUSA}/admin/orders/{shown['id']}", answer)

    event = apply("order.placed", {"id": shown["id"]})

    assert event["status"] == "applied", event["error"]
    assert counted(resource_id) == [(0, 1)]


@responses.activate
def test_a_cancellation_asks_nobody():
    hold_id, resource_id = a_hold()
    placed = order(hold_id)
    apply("order.placed", {"order": placed})

    event = apply("order.canceled", {"id": placed["id"]})

    assert event["status"] == "applied"
    assert counted(resource_id) == [(0, 0)]


@responses.activate
def test_a_platform_that_is_down_is_asked_again_later(monkeypatch):
    monkeypatch.setattr(events.random, "uniform", lambda _low, high: high)
    monkeypatch.setattr("tasks.events.Medusa", Down)

    event = apply("order.placed", {"id": "order_1"})

    assert (event["status"], event["error_code"]) == ("pending", "platform_unavailable")
    assert event["attempt_log"][0]["outcome"] == "retry"
    assert "PlatformUnavailable" in event["attempt_log"][0]["traceback"]
    assert 28 < wait_of(event["id"]) <= 30


class Down:
    """A platform that asks for half a minute."""

    def __init__(self, _config):
        pass

    def get_order(self, _order_id):
        raise PlatformUnavailable(retry_after=30)


@responses.activate
def test_an_order_the_platform_does_not_know_fails_at_once():
    responses.get(f"{MEDUSA}/admin/orders/order_1", status=404, json={"message": "not found"})

    event = apply("order.placed", {"id": "order_1"})

    assert (event["status"], event["error_code"], event["attempts"]) == ("failed", "platform_refused", 1)


def test_without_a_platform_to_ask_a_thin_event_fails(settings):
    settings(medusa_url="")

    assert apply("order.placed", {"id": "order_1"})["error_code"] == "platform_not_configured"


@pytest.mark.parametrize("raw", [b"not json", b"[]", b'{"type": "order.placed", "data": 7}'])
def test_what_cannot_be_read_fails_at_once(raw):
    event_id = receive({}, raw=raw)

    apply_event(event_id)

    assert (look(event_id)["status"], look(event_id)["error_code"]) == ("failed", "unreadable_event")


def test_a_platform_nobody_knows_fails():
    event_id = receive({}, source="magento")

    apply_event(event_id)

    assert "magento" in look(event_id)["error"]


def test_an_event_without_consequences_is_ignored():
    event = apply("payment.captured", {"id": "pay_1"})

    assert (event["status"], event["outcome"]) == ("ignored", "capacity follows the order, not its payment")


def test_what_can_be_done_is_kept_when_a_line_cannot_be_read():
    hold_id, resource_id = a_hold()
    items = [
        {"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}},
        {"id": "item_2", "quantity": 1, "metadata": {"booking_hold_id": "hold_none"}},
    ]

    event = apply("order.placed", {"order": order(hold_id, items=items)})

    assert (event["status"], event["error_code"]) == ("failed", "unreadable_line")
    assert counted(resource_id) == [(0, 1)]


def test_a_bug_is_tried_again_and_says_where_it_is(monkeypatch):
    def trip(*_args, **_fields):
        raise ZeroDivisionError("of ada@example.test")

    monkeypatch.setattr(orders, "reconcile", trip)

    event = apply("order.placed", {"order": order("hold_1")})

    attempt = event["attempt_log"][0]
    assert (event["status"], event["error_code"]) == ("pending", "unexpected_error")
    assert attempt["error"] == "ZeroDivisionError: of …@…"
    assert "in trip" in attempt["traceback"]
    assert "ada@" not in attempt["traceback"]


def test_what_takes_too_long_is_given_time_to_settle(monkeypatch):
    def hang(*_args, **_fields):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(orders, "reconcile", hang)

    event = apply("order.placed", {"order": order("hold_1")})

    assert event["error_code"] == "time_limit"
    assert wait_of(event["id"]) > 58


def test_an_effect_is_rolled_back_when_somebody_else_took_the_event(monkeypatch):
    hold_id, resource_id = a_hold()
    real = orders.reconcile

    def too_slow(conn, facts, *, actor):
        done = real(conn, facts, actor=actor)
        with db.connect() as other:
            other.execute("UPDATE event SET claimed_by = 'other' WHERE id = %s", [actor])
        return done

    monkeypatch.setattr(orders, "reconcile", too_slow)

    event = apply("order.placed", {"order": order(hold_id)})

    assert (event["status"], event["claimed_by"]) == ("pending", "other")
    assert counted(resource_id) == [(1, 0)]


def test_the_database_going_away_in_the_middle_costs_an_attempt(monkeypatch):
    hold_id, resource_id = a_hold()
    real = orders.reconcile

    def cut(conn, facts, *, actor):
        with db.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
        return real(conn, facts, actor=actor)

    monkeypatch.setattr(orders, "reconcile", cut)

    event = apply("order.placed", {"order": order(hold_id)})

    assert (event["status"], event["error_code"]) == ("pending", Unavailable.code)
    assert counted(resource_id) == [(1, 0)]


def test_a_ring_for_nothing_does_nothing():
    apply_event("evt_none")
