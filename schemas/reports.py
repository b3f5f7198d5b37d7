"""What is asked and answered about bookings and holds."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from schemas.fields import Day, Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema


class AllocationsQuerySchema(PageSchema):
    """Which allocations to list: those that touch the range."""

    order_id = Text(load_default=None)
    resource_id = Text(load_default=None)
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)
    status = fields.String(load_default="CONFIRMED", validate=OneOf(["CONFIRMED", "CANCELLED", "ALL"]))

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Forwards."""
        if data["start_date"] and data["end_date"] and data["end_date"] < data["start_date"]:
            raise ValidationError("Must not be before start_date.", "end_date")


class HoldExpirationsQuerySchema(Schema):
    """Of which local day, and of which resource."""

    date = Day(load_default=None, metadata={"description": "Default: today, in the resource's time zone."})
    resource_id = Text(load_default=None)


class NamedResourceSchema(Schema):
    id = fields.String()
    name = fields.String()


class ReportedAllocationSchema(Schema):
    id = fields.String()
    resource = fields.Nested(NamedResourceSchema)
    resource_id = fields.String()
    order_id = fields.String()
    line_item_id = fields.String(allow_none=True)
    customer_email = fields.String(allow_none=True)
    dates = fields.List(fields.Date())
    quantity = fields.Integer()
    status = fields.String(metadata={"enum": ["CONFIRMED", "CANCELLED"]})
    created_at = Instant()
    posted_late = fields.Boolean()


class AllocationsSchema(PagedAnswerSchema):
    """A page of allocations."""

    allocations = fields.List(fields.Nested(ReportedAllocationSchema))
    total_quantity = fields.Integer(metadata={"description": "Of all that match, not only of this page."})


class OutcomesSchema(Schema):
    total_holds_created = fields.Integer()
    expired_before_confirmation = fields.Integer()
    confirmed = fields.Integer()
    manually_released = fields.Integer()
    expiration_rate = fields.Float()
    average_seconds_to_confirm = fields.Float(allow_none=True)


class ResourceOutcomesSchema(OutcomesSchema):
    resource_id = fields.String()
    name = fields.String()


class HoldExpirationsSchema(Schema):
    """What became of the holds of one local day."""

    date = fields.Date()
    summary = fields.Nested(OutcomesSchema)
    resource_breakdown = fields.List(fields.Nested(ResourceOutcomesSchema))
