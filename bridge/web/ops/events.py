"""/ops/events: what came in and what is owed, and what people do when it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import failures
from bridge.errors import InvalidData
from bridge.web.endpoints import parse_json, read_query
from bridge.web.ops import texts
from bridge.web.ops.console import MAX_FORM_BYTES, go_back, new_blueprint, operator, page, read_field
from bridge.web.ops.pages import PER_PAGE, pager
from schemas.events import STATUSES, EventFilterSchema, EventsQuerySchema

blueprint = new_blueprint("events", "/ops/events")

_query = EventsQuerySchema()
_filter = EventFilterSchema()


@blueprint.get("")
def list_events() -> ResponseReturnValue:
    """Events, newest first, by whatever one looks for."""
    given = _given(read_query())
    query = _query.load({"limit": PER_PAGE, **given})
    with db.transaction() as conn:
        rows, count = failures.list_events(conn, **query)
    return page(
        "events",
        events=[row | {"sentence": texts.describe_event(row)} for row in rows],
        statuses=STATUSES,
        wanted=query,
        is_narrow=any(query[name] for name in ("type", "order_id", "source", "webhook_id", "since", "until")),
        retry_all=_retry_all(given) if rows else None,
        pager=pager("ops_events.list_events", given, query, count, counted_to=failures.COUNT_LIMIT),
    )


@blueprint.get("/retry")
def ask_retry() -> ResponseReturnValue:
    """Count what a bulk retry would touch, and ask."""
    given = _only_filter(_given(read_query()))
    with db.transaction() as conn:
        counts = failures.retry_events(conn, _load_filter(given), actor=operator().actor, dry_run=True)
    matched = counts["matched"]
    limited = " That is as many as go at once; repeat it for the rest." if matched == failures.BULK_LIMIT else ""
    due = f"Each becomes due at once, with all its attempts.{limited}" if matched else "There are none to retry."
    return page(
        "confirm",
        title=f"Retry {texts.count(matched, given.get('status', 'failed') + ' event')}?",
        sentence=f"{_describe_filter(given)} {due}",
        action=url_for("ops_events.retry_all"),
        fields=given,
        button=f"Retry {matched:,}" if matched else None,
        back=url_for("ops_events.list_events", **given),  # type: ignore[arg-type]  # the names are the filter's
    )


@blueprint.post("/retry")
def retry_all() -> ResponseReturnValue:
    """Retry whatever the filter finds."""
    given = _only_filter(_given(request.form.to_dict()))
    with db.transaction() as conn:
        counts = failures.retry_events(conn, _load_filter(given), actor=operator().actor)
    flash(f"{texts.count(counts['retried'], 'event')} will be tried again now.", "ok")
    return go_back(url_for("ops_events.list_events"))


@blueprint.get("/<event_id>")
def show_event(event_id: str) -> ResponseReturnValue:
    """An event, its body, every attempt at it, and what people did."""
    return _event_page(event_id)


@blueprint.post("/<event_id>/retry")
def retry(event_id: str) -> ResponseReturnValue:
    """Make an event due now."""
    with db.transaction() as conn:
        failures.retry_event(conn, event_id, actor=operator().actor)
    flash("It will be tried again now.", "ok")
    return go_back(url_for("ops_events.show_event", event_id=event_id))


@blueprint.post("/<event_id>/discard")
def discard(event_id: str) -> ResponseReturnValue:
    """Give a failed event up."""
    with db.transaction() as conn:
        failures.discard_event(conn, event_id, reason=read_field("reason"), actor=operator().actor)
    flash("It is discarded.", "ok")
    return go_back(url_for("ops_events.show_event", event_id=event_id))


@blueprint.post("/<event_id>/payload")
def edit_payload(event_id: str) -> ResponseReturnValue:
    """Retry a failed event with another body. What cannot be taken is shown again, so that no typing is lost."""
    text = request.form.get("payload", "")
    try:
        payload, reason = _read_payload(), read_field("reason")
    except InvalidData as error:
        return _event_page(event_id, draft=text, refusal=error.message), 400
    with db.transaction() as conn:
        failures.edit_payload(conn, event_id, payload=payload, reason=reason, actor=operator().actor)
    flash("The new payload will be tried now.", "ok")
    return go_back(url_for("ops_events.show_event", event_id=event_id))


def _event_page(event_id: str, *, draft: str | None = None, refusal: str | None = None) -> str:
    with db.transaction() as conn:
        event = failures.get_event(conn, event_id)
        is_paused = failures.is_paused(conn, event["queue"])
    payload = texts.pretty(event["payload"]) if event["payload"] is not None else None
    return page(
        "event",
        event=event,
        sentence=texts.describe_event(event, is_paused=is_paused),
        can_retry=event["status"] in (failures.REPLAYABLE if event["webhook_id"] else failures.RETRYABLE),
        is_failed=event["status"] == "failed",
        attempts=[
            attempt | {"seconds": _seconds(attempt), "verdict": _verdict(attempt)}
            for attempt in reversed(event["attempt_log"])
        ],
        payload=payload or event["raw"],
        original=(texts.pretty(event["original"]) or event["raw"]) if event["edited"] else None,
        draft=draft if draft is not None else payload or event["raw"],
        refusal=refusal,
    )


def _read_payload() -> dict[str, Any]:
    payload = parse_json(read_field("payload", longest=MAX_FORM_BYTES).encode())
    if not isinstance(payload, dict):
        raise InvalidData("The payload must be a JSON object.")
    return payload


def _seconds(attempt: Mapping[str, Any]) -> float | None:
    finished = attempt["finished_at"]
    return (finished - attempt["started_at"]).total_seconds() if finished else None


def _verdict(attempt: Mapping[str, Any]) -> str:
    words = {None: "not finished", "retry": "did not work"}
    return words.get(attempt["outcome"]) or str(attempt["outcome"])


def _given(fields: Mapping[str, str]) -> dict[str, str]:
    """What a form's fields say: an empty one says nothing."""
    return {name: value.strip() for name, value in fields.items() if value.strip() and name in _query.fields}


def _only_filter(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name in _filter.fields}


def _load_filter(given: Mapping[str, str]) -> failures.EventFilter:
    loaded: failures.EventFilter = _filter.load(given)
    return loaded


def _retry_all(given: Mapping[str, str]) -> str | None:
    """Where to retry all that is listed; nowhere when the list shows what cannot be retried."""
    if given.get("status", "failed") not in failures.RETRYABLE:
        return None
    return url_for("ops_events.ask_retry", **_only_filter(given))  # type: ignore[arg-type]  # the names are the filter's


def _describe_filter(given: Mapping[str, str]) -> str:
    rest = {"text" if name == "q" else name: value for name, value in given.items() if name != "status"}
    return f"Only these: {texts.brief(rest)}." if rest else "All of them, whatever their type or order."
