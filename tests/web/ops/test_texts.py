"""How the console says things."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.web.ops import texts


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0.25, "250 ms"),
        (59, "59 s"),
        (60, "1 min"),
        (95, "1 min 35 s"),
        (3599, "59 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_span_is_said_in_its_largest_units(seconds, said):
    assert texts.span(seconds) == said


def test_an_instant_is_said_from_now_either_way():
    now = datetime.now(UTC)

    assert texts.ago(now) == "just now"
    assert texts.ago(now - timedelta(minutes=20, seconds=1)) == "20 min ago"
    assert texts.ago(now + timedelta(minutes=20, seconds=1)) == "in 20 min"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            {"claimed_until": datetime.now(UTC) + timedelta(hours=1), "claimed_by": "host:1"},
            "host:1 is working on it now",
        ),
        ({"is_paused": True}, "Its queue is paused"),
        ({"rung_at": datetime.now(UTC)}, "no worker has taken it yet"),
        ({}, "Waiting for its first attempt."),
        ({"attempts": 2, "attempts_left": 1}, "Attempt 2 did not work"),
        ({"status": "failed"}, "It could not be read when it came"),
        ({"status": "failed", "attempts": 16}, "Failed after 16 attempts; the last one changed nothing. It waits"),
        # Whoever believes that nothing was applied books the other line by hand, a second time.
        (
            {"status": "failed", "attempts": 1, "outcome": "placed: 1 of 1 bookings stand"},
            "Failed after 1 attempt; the rest of it was applied: placed: 1 of 1 bookings stand. It waits",
        ),
        ({"status": "failed", "attempts": 16, "queue": "bridge.outgoing"}, "Failed after 16 attempts. It waits"),
        ({"webhook_id": "webhook_1"}, "While its receiver fails, one delivery at a time is tried."),
    ],
)
def test_what_became_of_an_event_is_one_sentence(state, said):
    is_paused = state.pop("is_paused", False)
    event = {
        "status": "pending",
        "queue": "bridge.events",
        "outcome": None,
        "attempts": 0,
        "attempts_left": 16,
        "claimed_until": None,
        "rung_at": None,
        "next_attempt_at": datetime.now(UTC),
        **state,
    }

    assert said in texts.describe_event(event, is_paused=is_paused)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("applied", "Delivered: answered 204 in 7 ms."),
        ("failed", "Not delivered, after 16 attempts. It waits for a person."),
    ],
)
def test_a_delivery_is_delivered_or_not(status, says):
    event = {"status": status, "attempts": 16, "outcome": "answered 204 in 7 ms", "webhook_id": "webhook_1"}

    assert texts.describe_event(event) == says


@pytest.mark.parametrize(
    ("grain", "says"),
    [
        ("day", "1970-02-11"),
        ("quarter_hour", "1970-01-01 10:15 UTC"),
        ("departure", "2026-12-25 09:00 (Australia/Brisbane)"),
        (None, "41"),
    ],
)
def test_a_slot_is_said_as_what_is_sold_there_has_it(grain, says):
    starts = {41: (datetime(2026, 12, 24, 23, tzinfo=UTC), "Australia/Brisbane")}

    assert texts.slot(41, grain, starts) == says
