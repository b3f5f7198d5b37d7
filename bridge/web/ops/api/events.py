"""/ops/api/events: what came in and what is owed, and what people do when it fails."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import failures
from bridge.db import Connection
from bridge.errors import EventNotFailed, EventNotFound, EventNotRetryable
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.events import (
    DiscardEventSchema,
    DryRunQuerySchema,
    EditPayloadSchema,
    EventAnswerSchema,
    EventsQuerySchema,
    EventsSchema,
    RetriedEventsSchema,
    RetryEventsSchema,
)

blueprint = Blueprint("ops_api_events", __name__, url_prefix="/ops/api/events")
blueprint.before_request(auth.demand("ops"))

_one = EventAnswerSchema()
_page = EventsSchema()
_retried = RetriedEventsSchema()


@blueprint.get("")
@endpoint(query=EventsQuerySchema, answers={200: EventsSchema})
def list_events(query: dict[str, Any]) -> Any:
    """List events, newest first."""
    with db.transaction() as conn:
        page, count = failures.list_events(conn, **query)
    return _page.dump({"events": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<event_id>")
@endpoint(answers={200: EventAnswerSchema}, errors=(EventNotFound,))
def get_event(event_id: str) -> Any:
    """An event, its body, every attempt at it, and what people did."""
    with db.transaction() as conn:
        return _answer(conn, event_id)


@blueprint.post("/<event_id>/retry")
@endpoint(answers={200: EventAnswerSchema}, errors=(EventNotFound, EventNotRetryable))
def retry_event(event_id: str) -> Any:
    """Make an event due now, with all its attempts."""
    with db.transaction() as conn:
        failures.retry_event(conn, event_id, actor=auth.actor())
        return _answer(conn, event_id)


@blueprint.post("/<event_id>/discard")
@endpoint(body=DiscardEventSchema, answers={200: EventAnswerSchema}, errors=(EventNotFound, EventNotFailed))
def discard_event(event_id: str, body: dict[str, Any]) -> Any:
    """Give a failed event up."""
    with db.transaction() as conn:
        failures.discard_event(conn, event_id, reason=body["reason"], actor=auth.actor())
        return _answer(conn, event_id)


@blueprint.post("/<event_id>/payload")
@endpoint(body=EditPayloadSchema, answers={200: EventAnswerSchema}, errors=(EventNotFound, EventNotFailed))
def edit_payload(event_id: str, body: dict[str, Any]) -> Any:
    """Retry a failed event with another body. What came is kept beside it."""
    with db.transaction() as conn:
        failures.edit_payload(conn, event_id, payload=body["payload"], reason=body["reason"], actor=auth.actor())
        return _answer(conn, event_id)


@blueprint.post("/retry")
@endpoint(
    body=RetryEventsSchema,
    query=DryRunQuerySchema,
    answers={200: RetriedEventsSchema},
    errors=(EventNotRetryable,),
)
def retry_events(body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Retry whatever the filter finds, or count it."""
    dry_run = body["dry_run"] or query["dry_run"]
    with db.transaction() as conn:
        counts = failures.retry_events(conn, body["filter"], actor=auth.actor(), dry_run=dry_run)
    return _retried.dump({**counts, "dry_run": dry_run})


def _answer(conn: Connection, event_id: str) -> Any:
    return _one.dump({"event": failures.get_event(conn, event_id)})
