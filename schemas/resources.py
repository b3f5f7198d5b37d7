"""Resources as staff send and see them."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range

from schemas.fields import BodyCount, BodyFlag, Instant, Metadata, Text
from schemas.pages import PagedAnswerSchema, PageSchema

TYPES = ("VEHICLE", "TOUR", "GUIDE", "STAFF")
SHORTFALL_POLICIES = ("flag", "refund", "overbook", "alternatives")
_LONGEST_HOLD_MINUTES = 7 * 24 * 60
_SHORTEST_HOLD_MINUTES = 0.01  # Less than a second holds nothing.


class Minutes(fields.Float):
    """A number of minutes, fractions allowed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Range(min=_SHORTEST_HOLD_MINUTES, max=_LONGEST_HOLD_MINUTES), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        number: float = super()._deserialize(value, attr, data, **kwargs)
        return number


class TimeZone(fields.String):
    """An IANA time zone, such as Australia/Brisbane."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name: str = super()._deserialize(value, attr, data, **kwargs)
        if name not in _time_zones():
            raise ValidationError("Not an IANA time zone.")
        return name


class CreateResourceSchema(Schema):
    """Body of POST /admin/resource-booking/resources; its fields are create_resource's keyword arguments."""

    type = fields.String(required=True, validate=OneOf(TYPES))
    name = Text(required=True)
    description = Text(longest=5000, shortest=0, allow_none=True)
    metadata = Metadata()
    is_active = BodyFlag()
    time_zone = TimeZone(metadata={"description": "Default: BOOKING_TIME_ZONE."})
    hold_minutes = Minutes(allow_none=True, metadata={"description": "How long a hold lasts; null: HOLD_MINUTES."})
    shortfall_policy = fields.String(validate=OneOf(SHORTFALL_POLICIES))
    overbook_limit = BodyCount()


class UpdateResourceSchema(CreateResourceSchema):
    """Body of PUT …/resources/{id}: the fields to change, at least one."""

    def __init__(self) -> None:
        super().__init__(partial=True)

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not data:
            raise ValidationError("Give at least one field to change.")


class ResourcesQuerySchema(PageSchema):
    """Which resources to list."""

    type = fields.String(load_default=None, validate=OneOf(TYPES))
    is_active = fields.Boolean(load_default=None)
    q = Text(load_default=None, metadata={"description": "Looked for in name and description, in any case."})
    include_deleted = fields.Boolean(load_default=False)


class DeleteResourceQuerySchema(Schema):
    """Whether to cancel what is held and booked."""

    force = fields.Boolean(load_default=False)


class ResourceSchema(Schema):
    id = fields.String()
    type = fields.String(metadata={"enum": list(TYPES)})
    grain = fields.String(metadata={"enum": ["day", "departure", "quarter_hour"]})
    name = fields.String()
    description = fields.String(allow_none=True)
    metadata = fields.Dict()
    is_active = fields.Boolean()
    time_zone = fields.String()
    hold_minutes = fields.Float(allow_none=True)
    shortfall_policy = fields.String(metadata={"enum": list(SHORTFALL_POLICIES)})
    overbook_limit = fields.Integer()
    created_at = Instant()
    updated_at = Instant()
    deleted_at = Instant(allow_none=True)


class ResourceAnswerSchema(Schema):
    """One resource."""

    resource = fields.Nested(ResourceSchema)


class StatsSchema(Schema):
    total_allocations = fields.Integer()
    upcoming_bookings = fields.Integer()
    capacity_utilization = fields.Float(metadata={"description": "0 to 1, of today and later."})


class ResourceWithStatsSchema(ResourceAnswerSchema):
    """One resource, and how it sells."""

    stats = fields.Nested(StatsSchema)


class ResourcesSchema(PagedAnswerSchema):
    """A page of resources."""

    resources = fields.List(fields.Nested(ResourceSchema))


class DeletedResourceSchema(Schema):
    """A resource that is gone, and what went with it."""

    id = fields.String()
    object = fields.Constant("resource")
    deleted = fields.Constant(True)
    holds_released = fields.Integer()
    allocations_cancelled = fields.Integer()


@cache
def _time_zones() -> frozenset[str]:
    # Reads a thousand files: once is enough.
    return frozenset(available_timezones())
