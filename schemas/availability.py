"""What is asked and answered about free dates."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from schemas.fields import Count, Day, Text
from schemas.quick import QuickSchema

MAX_DAYS = 365


class AvailabilityQuerySchema(QuickSchema):
    """A resource and a range of dates, inclusive."""

    resource_id = Text(required=True)
    start_date = Day(required=True)
    end_date = Day(required=True)
    quantity = Count(least=1, load_default=1)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most a year, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)

    def is_usual(self, loaded: dict[str, Any]) -> bool:
        """A range that check_range lets through."""
        start: date = loaded["start_date"]
        end: date = loaded["end_date"]
        return 0 <= (end - start).days < MAX_DAYS


class AvailableResourceSchema(Schema):
    id = fields.String()
    name = fields.String()
    type = fields.String()


class AvailableDateSchema(Schema):
    date = fields.Date()
    max_capacity = fields.Integer()
    available_capacity = fields.Integer()
    is_available = fields.Boolean()
    reason = fields.String(metadata={"description": "sold_out, blackout, not_open or past; absent when available."})


class AvailabilitySchema(Schema):
    """Every date of the range."""

    resource = fields.Nested(AvailableResourceSchema)
    available_dates = fields.List(fields.Nested(AvailableDateSchema))
    all_dates_available = fields.Boolean()


def check_range(start: date, end: date, most_days: int) -> None:
    """Raise ValidationError unless the range runs forwards and is at most `most_days` long."""
    if end < start:
        raise ValidationError("Must not be before start_date.", "end_date")
    if (end - start).days >= most_days:
        raise ValidationError(f"At most {most_days} days after start_date.", "end_date")
