"""Resources as staff send and see them."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range

from schemas.fields import BodyCount, BodyFlag, Instant, Metadata, Money, Text
from schemas.pages import PagedAnswerSchema, PageSchema

TYPES = ("VEHICLE", "TOUR", "GUIDE", "STAFF")
SHORTFALL_POLICIES = ("flag", "refund", "overbook", "alternatives")
_LONGEST_HOLD_MINUTES = 7 * 24 * 60
_LONGEST_NOTICE_HOURS = 366 * 24
_SHORTEST_HOLD_MINUTES = 0.01  # Less than a second holds nothing.


class Number(fields.Float):
    """A JSON number, fractions allowed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        number: float = super()._deserialize(value, attr, data, **kwargs)
        return number


class Minutes(Number):
    """A number of minutes, fractions allowed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Range(min=_SHORTEST_HOLD_MINUTES, max=_LONGEST_HOLD_MINUTES), **kwargs)


class TimeZone(fields.String):
    """An IANA time zone, such as Australia/Brisbane."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name: str = super()._deserialize(value, attr, data, **kwargs)
        if name not in _time_zones():
            raise ValidationError("Not an IANA time zone.")
        return name


class FeeSchema(Schema):
    """Cancelled less than `hours_before` it begins, so many percent are kept."""

    hours_before = Number(required=True, validate=Range(min=0, max=_LONGEST_NOTICE_HOURS))
    percent = Number(required=True, validate=Range(min=0, max=100))


class CancellationPolicySchema(Schema):
    """Until when customers may cancel, and what that costs. Without fees it is free."""

    deadline_hours = Number(load_default=0, validate=Range(min=0, max=_LONGEST_NOTICE_HOURS))
    fees = fields.List(fields.Nested(FeeSchema), load_default=list, validate=Length(max=20))


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
    price_per_person = Money(allow_none=True, metadata={"description": "Of a tour; a schedule may have its own."})
    infants_take_seats = BodyFlag(metadata={"description": "Of a tour; by default they sit on laps."})
    cancellation_policy = fields.Nested(
        CancellationPolicySchema, allow_none=True, metadata={"description": "null: free."}
    )


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
    price_per_person = Money(allow_none=True)
    infants_take_seats = fields.Boolean()
    cancellation_policy = fields.Dict(allow_none=True)
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
