"""What is asked and answered about the departures of a tour."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validates_schema

from schemas.availability import check_range
from schemas.fields import BodyCount, Count, Day, LocalTime, Money, Text
from schemas.pages import PagedAnswerSchema

MAX_DAYS = 366
REASONS = "no_departures, blackout, sold_out, slot_cancelled, too_late, too_far_ahead, party_size; null when available."


class CheckAvailabilitySchema(Schema):
    """Body of POST /api/calendar/availability."""

    tour_id = Text(required=True)
    requested_date = Day(required=True)
    num_people = BodyCount(least=1, required=True)
    requested_time = LocalTime(load_default=None, allow_none=True)


class MonthQuerySchema(Schema):
    """A month."""

    year = Count(least=2020, most=2199, required=True)
    month = Count(least=1, most=12, required=True)


class SlotsQuerySchema(Schema):
    """A range of dates, inclusive, and how much of it."""

    start_date = Day(required=True)
    end_date = Day(required=True)
    limit = Count(least=1, most=100, load_default=None, metadata={"description": "Absent: all of them."})
    offset = Count(load_default=0)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most a year, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)


class AvailableSlotSchema(Schema):
    slot_id = fields.String()
    slot_date = fields.Date()
    start_time = LocalTime()
    end_time = LocalTime()
    available_spots = fields.Integer()
    max_capacity = fields.Integer()
    price_per_person = Money()
    current_bookings = fields.Integer(metadata={"description": "Seats held or booked."})


class DepartureSchema(AvailableSlotSchema):
    """A departure of a tour."""

    tour_id = fields.String()
    min_capacity = fields.Integer()
    is_available = fields.Boolean()
    is_cancelled = fields.Boolean()
    cancellation_reason = fields.String(allow_none=True)
    reason = fields.String(allow_none=True, metadata={"description": "Why it cannot be booked; null when it can."})


class CalendarTourSchema(Schema):
    id = fields.String()
    name = fields.String()
    duration_hours = fields.Float(allow_none=True, metadata={"description": "null without any schedule."})


class TourAvailabilitySchema(Schema):
    """Whether a party can come along on a date, and else when."""

    available = fields.Boolean()
    slots = fields.List(
        fields.Nested(AvailableSlotSchema), metadata={"description": "Departures with room for all of them."}
    )
    tour = fields.Nested(CalendarTourSchema)
    reason = fields.String(allow_none=True, metadata={"description": REASONS})
    waitlist_available = fields.Boolean()
    alternatives = fields.List(
        fields.Nested(AvailableSlotSchema), metadata={"description": "The nearest departures with room, at most five."}
    )


class DaySummarySchema(Schema):
    available_spots = fields.Integer()
    num_time_slots = fields.Integer()
    has_availability = fields.Boolean()


class MonthSchema(Schema):
    """Every date of a month."""

    tour_id = fields.String()
    year = fields.Integer()
    month = fields.Integer()
    availability = fields.Dict(keys=fields.Date(), values=fields.Nested(DaySummarySchema))


class DeparturesSchema(PagedAnswerSchema):
    """The departures of a range."""

    tour_id = fields.String()
    slots = fields.List(fields.Nested(DepartureSchema))
