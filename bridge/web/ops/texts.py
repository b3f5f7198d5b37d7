"""How the console says things: times, spans, JSON, and what became of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from bridge.core.events import EVENTS
from bridge.core.slots import Start
from bridge.rules.slots import quarter_start, slot_day

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def ago(at: datetime) -> str:
    """How far an instant is from now: "3 min ago", "in 2 h"."""
    seconds = (datetime.now(UTC) - at).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def span(seconds: float | None) -> str:
    """A length of time in its one or two largest units; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < 10 * _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s".removesuffix(" 0 s")
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min".removesuffix(" 0 min")
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h".removesuffix(" 0 h")


def utc(at: datetime) -> str:
    """An instant in full, in UTC."""
    return f"{at.astimezone(UTC):%d %b %Y %H:%M:%S} UTC"


def rfc3339(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def pretty(value: Any) -> str | None:
    """JSON laid out to be read; None where it cannot be written."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # Nested too deeply.
        return None


def brief(details: Mapping[str, Any]) -> str:
    """The details that have a value, on one line."""
    return " · ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in details.items() if _tells(value))


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 event", "1,234 events"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def slot(slot_no: int, grain: str | None, starts: Mapping[int, Start]) -> str:
    """When a slot is, by the grain of its resource; for departures, by when they start."""
    match grain:
        case "departure" if slot_no in starts:
            at, zone = starts[slot_no]
            return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
        case "day":
            return slot_day(slot_no).isoformat()
        case "quarter_hour":
            return f"{quarter_start(slot_no):%Y-%m-%d %H:%M} UTC"
    return str(slot_no)


def flatten(messages: Any) -> str:
    """Every message of a nest of them, on one line."""
    parts = messages.values() if isinstance(messages, dict) else messages
    return " ".join(part if isinstance(part, str) else flatten(part) for part in parts)


def describe_event(event: Mapping[str, Any], *, is_paused: bool = False) -> str:
    """What became of an event, in one sentence."""
    outcome = event["outcome"]
    match event["status"]:
        case "applied" if event.get("webhook_id"):
            return f"Delivered: {outcome}."
        case "failed" if event.get("webhook_id"):
            return f"Not delivered, after {count(event['attempts'], 'attempt')}. It waits for a person."
        case "applied":
            return f"Applied: {outcome}" if outcome else "Applied."
        case "ignored":
            return f"There was nothing to do: {outcome}" if outcome else "There was nothing to do."
        case "discarded":
            return f"A person gave it up: {outcome}"
        case "failed" if not event["attempts"]:
            return "It could not be read when it came, so nothing of it was applied. It waits for a person."
        case "failed":
            return f"Failed after {count(event['attempts'], 'attempt')}{_what_stands(event)}. It waits for a person."
    return _describe_pending(event, is_paused=is_paused)


def _what_stands(event: Mapping[str, Any]) -> str:
    """What the last attempt changed all the same, as far as that is certain."""
    if event["outcome"]:  # Of an order, the lines that can be read are served.
        return f"; the rest of it was applied: {event['outcome']}"
    # An attempt at outgoing work may have arrived before its worker died.
    return "; the last one changed nothing" if event["queue"] == EVENTS else ""


def _describe_pending(event: Mapping[str, Any], *, is_paused: bool) -> str:
    if event["claimed_until"] and event["claimed_until"] > datetime.now(UTC):
        return f"{event['claimed_by']} is working on it now (attempt {event['attempts']})."
    if is_paused:
        return "Its queue is paused: it waits until somebody resumes it."
    if event["rung_at"]:
        return "Handed to the broker; no worker has taken it yet."
    if not event["attempts"]:
        rest = " While its receiver fails, one delivery at a time is tried." if event.get("webhook_id") else ""
        return f"Waiting for its first attempt.{rest}"
    left = count(event["attempts_left"], "attempt")
    return f"Attempt {event['attempts']} did not work; the next is due {ago(event['next_attempt_at'])}, {left} left."


def _tells(value: Any) -> bool:
    return value is not None and value not in ("", [], {})


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return brief(value)
    if isinstance(value, list):
        return ", ".join(_value(part) for part in value)
    return str(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "brief": brief,
    "pretty": pretty,
    "rfc3339": rfc3339,
    "span": span,
    "utc": utc,
}
