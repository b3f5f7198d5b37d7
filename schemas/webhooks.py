"""Webhooks and their deliveries as staff send and see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range

from schemas.announcements import is_type
from schemas.events import Json
from schemas.fields import BodyFlag, Count, Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema

# What an event's status is called of a delivery.
STATUSES = {"pending": "pending", "delivered": "applied", "failed": "failed", "discarded": "discarded"}
_NAMES = {event_status: name for name, event_status in STATUSES.items()}
_MOST_TYPES = 50
_IN_MEMORY_OF_MAN = Range(min=datetime(2000, 1, 1, tzinfo=UTC), max=datetime(2199, 12, 31, tzinfo=UTC))


def _check_type(name: str) -> None:
    if not is_type(name):
        raise ValidationError(f"Nothing is told under {name!r}: see `webhooks` in /openapi.json for what is.")


def _distinct(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValidationError("Must not name anything twice.")


def _types(**kwargs: Any) -> fields.List[str]:
    description = "What to tell of: exact types, all of a kind (`booking.*`), or everything (`*`)."
    inner = fields.String(validate=[Length(min=1, max=100), _check_type])
    return fields.List(
        inner, validate=[Length(min=1, max=_MOST_TYPES), _distinct], metadata={"description": description}, **kwargs
    )


class CreateWebhookSchema(Schema):
    """Body of POST /admin/webhooks; its fields are create_webhook's keyword arguments."""

    url = Text(longest=2000, required=True, metadata={"description": "Public, by HTTPS."})
    types = _types(required=True)
    description = Text(longest=1000, shortest=0, load_default=None, allow_none=True)


class UpdateWebhookSchema(Schema):
    """Body of PUT /admin/webhooks/{id}; what is absent stays."""

    url = Text(longest=2000)
    types = _types()
    description = Text(longest=1000, shortest=0, allow_none=True)
    is_enabled = BodyFlag(metadata={"description": "What failed while it was disabled can be replayed."})


class WebhookSchema(Schema):
    id = fields.String()
    url = fields.String()
    types = fields.List(fields.String())
    description = fields.String(allow_none=True)
    is_enabled = fields.Boolean()
    disabled_at = Instant(allow_none=True)
    disabled_reason = fields.String(allow_none=True)
    failures = Count(metadata={"description": "In a row."})
    failing_since = Instant(allow_none=True)
    retry_at = Instant(allow_none=True, metadata={"description": "Nothing is sent before, because it fails."})
    succeeded_at = Instant(allow_none=True)
    failed_at = Instant(allow_none=True)
    last_error = fields.String(allow_none=True)
    old_secret_until = Instant(allow_none=True, metadata={"description": "Until when the secret before signs too."})
    created_at = Instant()
    updated_at = Instant()


class ListedWebhookSchema(WebhookSchema):
    waiting = Count(metadata={"description": "Deliveries; the count stops at 10,000."})
    failed = Count(metadata={"description": "Deliveries; the count stops at 10,000."})


class NewWebhookSchema(WebhookSchema):
    secret = fields.String(metadata={"description": "Shown this once."})


class WebhookAnswerSchema(Schema):
    """A webhook."""

    webhook = fields.Nested(WebhookSchema)


class NewSecretSchema(Schema):
    """A webhook with its secret, which is shown this once."""

    webhook = fields.Nested(NewWebhookSchema)


class WebhooksSchema(PagedAnswerSchema):
    """A page of webhooks, the oldest first."""

    webhooks = fields.List(fields.Nested(ListedWebhookSchema))


class DeletedWebhookSchema(Schema):
    """A webhook that is gone."""

    id = fields.String()
    object = fields.Constant("webhook")
    deleted = fields.Constant(True)


class _DeliveryFilterSchema(Schema):
    """Which deliveries of a webhook are meant; what is absent does not matter."""

    type = Text(load_default=None)
    since = Instant(validate=_IN_MEMORY_OF_MAN, load_default=None)
    until = Instant(validate=_IN_MEMORY_OF_MAN, load_default=None)


class DeliveriesQuerySchema(_DeliveryFilterSchema, PageSchema):
    """Which deliveries to list."""

    status = fields.String(validate=OneOf(list(STATUSES)), load_default=None)


class ReplayDeliveriesSchema(_DeliveryFilterSchema):
    """Body of POST …/deliveries/replay."""

    status = fields.String(validate=OneOf(["failed", "delivered", "discarded"]), load_default="failed")
    dry_run = BodyFlag(load_default=False)


class DeliverySchema(Schema):
    """A delivery; its id is the `webhook-id` of every attempt."""

    id = fields.String()
    webhook_id = fields.String()
    type = fields.String()
    status = fields.Function(
        lambda row: _NAMES.get(row["status"], row["status"]), metadata={"type": "string", "enum": list(STATUSES)}
    )
    outcome = fields.String(allow_none=True)
    error_code = fields.String(allow_none=True)
    error = fields.String(allow_none=True)
    attempt_count = Count(attribute="attempts")
    attempts_left = Count()
    next_attempt_at = Instant()
    created_at = Instant(attribute="received_at")
    finished_at = Instant(allow_none=True)


class DeliveryAttemptSchema(Schema):
    """One try. Without `finished_at` it is under way, or its process died."""

    n = Count()
    started_at = Instant()
    finished_at = Instant(allow_none=True)
    http_status = fields.Integer(allow_none=True)
    answer = fields.String(allow_none=True, metadata={"description": "The beginning of what the receiver answered."})
    error_code = fields.String(allow_none=True)
    error = fields.String(allow_none=True)


class WholeDeliverySchema(DeliverySchema):
    payload = Json()
    attempts = fields.List(fields.Nested(DeliveryAttemptSchema), attribute="attempt_log")


class DeliveriesSchema(PagedAnswerSchema):
    """A page of deliveries, the newest first. The count stops at 10,000."""

    deliveries = fields.List(fields.Nested(DeliverySchema))


class DeliveryAnswerSchema(Schema):
    """A delivery, what it says and every attempt at it."""

    delivery = fields.Nested(WholeDeliverySchema)


class ReplayedSchema(Schema):
    """How many deliveries matched, and how many are sent again; call again for more than 10,000."""

    matched = Count()
    replayed = Count(attribute="retried")
    dry_run = fields.Boolean()
