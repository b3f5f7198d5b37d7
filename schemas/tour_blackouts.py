"""Blackouts as the calendar of tours has them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validates_schema
from marshmallow.validate import OneOf

from schemas.availability import check_range
from schemas.blackouts import AffectedSchema
from schemas.capacity import MAX_DAYS
from schemas.fields import BodyFlag, Day, Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema

BLACKOUT_TYPES = ("holiday", "maintenance", "weather", "custom")


class CreateTourBlackoutSchema(Schema):
    """Body of POST /api/calendar/admin/blackouts."""

    tour_id = Text(load_default=None, allow_none=True, metadata={"description": "null: everything."})
    start_date = Day(required=True)
    end_date = Day(required=True)
    blackout_type = fields.String(load_default="custom", validate=OneOf(BLACKOUT_TYPES))
    name = Text(load_default=None, allow_none=True)
    description = Text(longest=1000, shortest=0, load_default=None, allow_none=True)
    is_active = BodyFlag(load_default=True, metadata={"description": "One that is not closes nothing."})
    cancel_existing_holds = BodyFlag(load_default=False)
    dry_run = BodyFlag(load_default=False)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most three years, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)

    @post_load
    def as_blackout(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """The keyword arguments of create_blackout; the name, or else the description, is its reason elsewhere."""
        tour_id = data.pop("tour_id")
        return {**data, "resource_id": tour_id, "reason": data["name"] or data["description"]}


class TourBlackoutsQuerySchema(PageSchema):
    """Which blackouts to list: those that touch the range."""

    tour_id = Text(load_default=None)
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)
    blackout_type = fields.String(load_default=None, validate=OneOf(BLACKOUT_TYPES))
    is_active = fields.Boolean(load_default=None)

    @post_load
    def as_filters(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """The keyword arguments of list_blackouts."""
        tour_id = data.pop("tour_id")
        return {**data, "resource_id": tour_id}


def _name(blackout: Any) -> str | None:
    # One that was made elsewhere has a reason, and no name.
    named = blackout if isinstance(blackout, dict) else {key: getattr(blackout, key) for key in ("name", "reason")}
    name: str | None = named["name"] or named["reason"]
    return name


class TourBlackoutSchema(Schema):
    id = fields.String(allow_none=True, metadata={"description": "null after a dry run."})
    tour_id = fields.String(attribute="resource_id", allow_none=True)
    start_date = fields.Date()
    end_date = fields.Date()
    blackout_type = fields.String(metadata={"enum": list(BLACKOUT_TYPES)})
    name = fields.Function(_name, metadata={"type": ["string", "null"]})
    description = fields.String(allow_none=True)
    is_active = fields.Boolean()
    created_at = Instant(allow_none=True)


class CreatedTourBlackoutSchema(TourBlackoutSchema):
    """A blackout, and whom it meets."""

    holds_affected = fields.Integer()
    holds_cancelled = fields.Integer()
    allocations_affected = fields.Integer()
    affected = fields.Nested(AffectedSchema)


class TourBlackoutsSchema(PagedAnswerSchema):
    """A page of blackouts."""

    blackouts = fields.List(fields.Nested(TourBlackoutSchema))
