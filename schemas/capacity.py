"""What is asked and answered about capacity."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates, validates_schema
from marshmallow.validate import Length, OneOf

from schemas.availability import AvailableResourceSchema, check_range
from schemas.fields import MAX_QUANTITY, BodyCount, BodyFlag, Day, Text

MAX_DAYS = 1096  # Three years.
_MAX_DATES = 366


class InitializeCapacitySchema(Schema):
    """Body of POST …/capacity/initialize; its fields are initialize_capacity's keyword arguments."""

    resource_id = Text(required=True)
    start_date = Day(required=True)
    end_date = Day(required=True)
    daily_capacity = BodyCount(required=True)
    skip_existing = BodyFlag(load_default=False)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most three years, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)


class AdjustCapacitySchema(Schema):
    """Body of POST …/capacity/adjust; its fields are adjust_capacity's keyword arguments."""

    resource_id = Text(required=True)
    dates = fields.List(Day(), required=True, validate=Length(min=1, max=_MAX_DATES))
    adjustment = BodyCount(least=-MAX_QUANTITY, required=True)
    reason = Text(longest=1000, shortest=0, load_default=None, allow_none=True)

    @validates("dates")
    def check_unique(self, dates: list[date], **_kwargs: Any) -> None:
        """A date given twice could mean twice the change, or a mistake."""
        if len(set(dates)) != len(dates):
            raise ValidationError("A date is given twice.")


class CapacityReportQuerySchema(Schema):
    """Of what, from when to when, by which period."""

    resource_id = Text(required=True)
    start_date = Day(required=True)
    end_date = Day(required=True)
    group_by = fields.String(load_default="day", validate=OneOf(["day", "week", "month"]))
    format = fields.String(load_default="json", validate=OneOf(["json", "csv"]))

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most three years, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)


class DateRangeSchema(Schema):
    start_date = fields.Date()
    end_date = fields.Date()


class OverbookedDaySchema(Schema):
    date = fields.Date()
    overbooked = fields.Integer()


class InitializedCapacitySchema(Schema):
    """What initializing did."""

    capacity_records_created = fields.Integer(attribute="created")
    skipped_existing = fields.Integer(attribute="skipped")
    updated = fields.Integer(metadata={"description": "Days that were open already and were set to this capacity."})
    overbooked = fields.List(
        fields.Nested(OverbookedDaySchema), metadata={"description": "Days that have more sold than they have now."}
    )
    date_range = fields.Nested(DateRangeSchema)
    daily_capacity = fields.Integer()


class DayCapacitySchema(OverbookedDaySchema):
    max_capacity = fields.Integer()
    available_capacity = fields.Integer()


class AdjustedCapacitySchema(Schema):
    """The days that were changed, as they are now."""

    adjusted_dates = fields.List(fields.Date())
    adjustment = fields.Integer()
    new_capacities = fields.List(fields.Nested(DayCapacitySchema))


class UsageSummarySchema(Schema):
    total_capacity = fields.Integer(attribute="max_capacity")
    total_allocated = fields.Integer(attribute="allocated")
    total_on_hold = fields.Integer(attribute="on_hold")
    total_available = fields.Integer(attribute="available")
    utilization_rate = fields.Float(attribute="utilization")


class UsageSchema(Schema):
    date = fields.Date(metadata={"description": "The first date of the day, week or month."})
    max_capacity = fields.Integer()
    allocated = fields.Integer()
    on_hold = fields.Integer()
    available = fields.Integer()
    utilization = fields.Float()


class CapacityReportSchema(Schema):
    """How a resource is used."""

    resource = fields.Nested(AvailableResourceSchema)
    date_range = fields.Nested(DateRangeSchema)
    group_by = fields.String()
    summary = fields.Nested(UsageSummarySchema)
    daily_breakdown = fields.List(fields.Nested(UsageSchema), attribute="breakdown")
