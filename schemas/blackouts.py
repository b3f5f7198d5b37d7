"""Blackouts as staff send and see them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validates_schema

from schemas.availability import check_range
from schemas.capacity import MAX_DAYS
from schemas.fields import BodyFlag, Day, Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema


class CreateBlackoutSchema(Schema):
    """Body of POST /admin/resource-booking/blackouts; its fields are create_blackout's keyword arguments."""

    resource_id = Text(load_default=None, allow_none=True, metadata={"description": "null: every resource."})
    start_date = Day(required=True)
    end_date = Day(required=True)
    reason = Text(longest=1000, shortest=0, load_default=None, allow_none=True)
    cancel_existing_holds = BodyFlag(load_default=False)
    dry_run = BodyFlag(load_default=False)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most three years, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)


class DryRunQuerySchema(Schema):
    """Whether only to say what would happen."""

    dry_run = fields.Boolean(load_default=False)


class BlackoutsQuerySchema(PageSchema):
    """Which blackouts to list: those that touch the range."""

    resource_id = Text(load_default=None)
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)


class BlackoutSchema(Schema):
    id = fields.String(allow_none=True, metadata={"description": "null after a dry run."})
    resource_id = fields.String(allow_none=True)
    start_date = fields.Date()
    end_date = fields.Date()
    reason = fields.String(allow_none=True)
    created_at = Instant(allow_none=True)


class AffectedAllocationSchema(Schema):
    id = fields.String()
    order_id = fields.String()
    customer_email = fields.String(allow_none=True)
    dates = fields.List(fields.Date())
    quantity = fields.Integer()


class AffectedSchema(Schema):
    """At most a hundred of each."""

    holds = fields.List(fields.String())
    allocations = fields.List(fields.Nested(AffectedAllocationSchema))


class CreatedBlackoutSchema(Schema):
    """A blackout, and whom it meets."""

    blackout = fields.Nested(BlackoutSchema)
    holds_affected = fields.Integer()
    holds_cancelled = fields.Integer()
    allocations_affected = fields.Integer()
    affected = fields.Nested(AffectedSchema)


class BlackoutsSchema(PagedAnswerSchema):
    """A page of blackouts."""

    blackouts = fields.List(fields.Nested(BlackoutSchema))


class DeletedBlackoutSchema(Schema):
    """A blackout that is gone."""

    id = fields.String()
    object = fields.Constant("blackout")
    deleted = fields.Constant(True)
