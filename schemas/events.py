"""Events as ops sees them: what came, what was tried, what people did about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import Schema, fields
from marshmallow.validate import OneOf, Range

from schemas.fields import Count, Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema

STATUSES = ("pending", "applied", "ignored", "failed", "discarded")
_IN_MEMORY_OF_MAN = Range(min=datetime(2000, 1, 1, tzinfo=UTC), max=datetime(2199, 12, 31, tzinfo=UTC))


class Json(fields.Raw):
    """Any JSON, kept as it came; null where it is nested too deeply to be written again."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        try:
            orjson.dumps([[[value]]])  # As deep as it will stand in the answer.
        except TypeError:
            return None
        return value


class ReceiptSchema(Schema):
    """What the sender of a webhook is told."""

    event_id = fields.String()
    duplicate = fields.Boolean(metadata={"description": "It had been received before; nothing is done twice."})


class EventFilterSchema(Schema):
    """Which events are meant; what is absent does not matter."""

    status = fields.String(validate=OneOf(STATUSES), load_default=None)
    type = Text(load_default=None)
    order_id = Text(load_default=None)
    source = Text(load_default=None)
    webhook_id = Text(load_default=None, metadata={"description": "Deliveries of this webhook."})
    since = Instant(validate=_IN_MEMORY_OF_MAN, load_default=None, metadata={"description": "Received then or later."})
    until = Instant(validate=_IN_MEMORY_OF_MAN, load_default=None, metadata={"description": "Received before this."})
    q = Text(load_default=None, metadata={"description": "An id, or words of its type, error or outcome."})


class EventsQuerySchema(EventFilterSchema, PageSchema):
    """Query of GET /ops/api/events."""


class EventSchema(Schema):
    """An event without its body."""

    id = fields.String()
    source = fields.String()
    dedupe_key = fields.String()
    type = fields.String()
    queue = fields.String()
    order_id = fields.String(allow_none=True)
    status = fields.String()
    outcome = fields.String(allow_none=True)
    error_code = fields.String(allow_none=True)
    error = fields.String(allow_none=True)
    attempt_count = Count(attribute="attempts")
    attempts_left = Count()
    next_attempt_at = Instant()
    rings = Count()
    rung_at = Instant(allow_none=True)
    claimed_by = fields.String(allow_none=True)
    claimed_until = Instant(allow_none=True)
    duplicates = Count()
    request_id = fields.String(allow_none=True)
    webhook_id = fields.String(allow_none=True, metadata={"description": "Of a delivery: whom it is for."})
    received_at = Instant()
    finished_at = Instant(allow_none=True)
    edited = fields.Boolean()


class AttemptSchema(Schema):
    """One try at an event. Without `finished_at` it is under way, or its worker died."""

    n = Count()
    worker = fields.String()
    started_at = Instant()
    finished_at = Instant(allow_none=True)
    outcome = fields.String(allow_none=True)
    http_status = fields.Integer(allow_none=True, metadata={"description": "What the receiver of a webhook said,"})
    answer = fields.String(allow_none=True, metadata={"description": "and the beginning of it."})
    error_code = fields.String(allow_none=True)
    error = fields.String(allow_none=True)
    traceback = fields.String(allow_none=True)


class ActionSchema(Schema):
    """What a person did."""

    at = Instant()
    actor = fields.String()
    action = fields.String()
    target = fields.String()
    reason = fields.String(allow_none=True)
    details = Json()


class WholeEventSchema(EventSchema):
    """An event with all there is to know of it."""

    payload = Json(metadata={"description": "What is applied; null when it is no JSON."})
    original = Json(metadata={"description": "What came, where people changed it since."})
    raw = fields.String(metadata={"description": "The very text that came."})
    headers = Json()
    attempts = fields.List(fields.Nested(AttemptSchema), attribute="attempt_log")
    actions = fields.List(fields.Nested(ActionSchema))


class EventsSchema(PagedAnswerSchema):
    """A page of events, the newest first. The count stops at 10,000."""

    events = fields.List(fields.Nested(EventSchema))


class EventAnswerSchema(Schema):
    """One event."""

    event = fields.Nested(WholeEventSchema)


class DiscardEventSchema(Schema):
    """Body of POST /ops/api/events/{id}/discard."""

    reason = Text(longest=1000, required=True)


class EditPayloadSchema(Schema):
    """Body of POST /ops/api/events/{id}/payload."""

    payload = fields.Dict(keys=fields.String(), required=True)
    reason = Text(longest=1000, required=True)


class DryRunQuerySchema(Schema):
    """`dry_run` may stand in the query too."""

    dry_run = fields.Boolean(load_default=False)


class RetryEventsSchema(DryRunQuerySchema):
    """Body of POST /ops/api/events/retry."""

    filter = fields.Nested(
        EventFilterSchema, required=True, metadata={"description": "Without a status, failed ones are meant."}
    )


class RetriedEventsSchema(Schema):
    """How many events matched, and how many were made due; call again for more than 10,000."""

    matched = Count()
    retried = Count()
    dry_run = fields.Boolean()
