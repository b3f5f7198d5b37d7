"""Schedules of tours, and the departures made from them, as staff send and see them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_dump, post_load, validates_schema
from marshmallow.validate import Length, OneOf

from schemas.availability import check_range
from schemas.fields import BodyCount, BodyFlag, Day, Instant, LocalTime, Money, Text
from schemas.pages import PagedAnswerSchema, PageSchema

RECURRENCES = ("none", "daily", "weekly", "biweekly", "monthly", "custom")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_DAYS = 366  # What is generated at once.
_LONGEST_MINUTES = 30 * 24 * 60


class CustomRuleSchema(Schema):
    """An RFC 5545 rule of dates, and dates it leaves out."""

    rrule = Text(longest=500, required=True, metadata={"examples": ["FREQ=MONTHLY;BYDAY=1SA"]})
    exdates = fields.List(Day(), load_default=list, validate=Length(max=366))

    @post_load
    def as_text(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """Dates as they are kept."""
        return {**data, "exdates": [day.isoformat() for day in data["exdates"]]}


class WeekdaysSchema(Schema):
    """On which days of the week, where the recurrence asks for some."""

    monday = BodyFlag(load_default=False)
    tuesday = BodyFlag(load_default=False)
    wednesday = BodyFlag(load_default=False)
    thursday = BodyFlag(load_default=False)
    friday = BodyFlag(load_default=False)
    saturday = BodyFlag(load_default=False)
    sunday = BodyFlag(load_default=False)


class CreateScheduleSchema(WeekdaysSchema):
    """Body of POST /api/calendar/admin/schedules; its fields are create_schedule's keyword arguments."""

    tour_id = Text(required=True)
    name = Text(required=True)
    start_time = LocalTime(required=True, metadata={"description": "On the wall clock of the tour, in any season."})
    duration_minutes = BodyCount(least=1, most=_LONGEST_MINUTES, required=True)
    recurrence = fields.String(required=True, validate=OneOf(RECURRENCES))
    custom_rule = fields.Nested(CustomRuleSchema, load_default=None, allow_none=True)
    max_capacity = BodyCount(least=1, required=True)
    min_capacity = BodyCount(load_default=1)
    valid_from = Day(required=True)
    valid_until = Day(load_default=None, allow_none=True)
    price_override = Money(load_default=None, allow_none=True)
    is_active = BodyFlag(load_default=True)

    @post_load
    def gather_weekdays(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """The chosen days as numbers from Monday, 0."""
        chosen = [number for number, day in enumerate(WEEKDAYS) if data.pop(day)]
        return {**data, "weekdays": chosen}


class UpdateScheduleSchema(Schema):
    """Body of PUT …/schedules/{id}: the fields to change, at least one."""

    name = Text()
    start_time = LocalTime()
    duration_minutes = BodyCount(least=1, most=_LONGEST_MINUTES)
    recurrence = fields.String(validate=OneOf(RECURRENCES))
    custom_rule = fields.Nested(CustomRuleSchema, allow_none=True)
    max_capacity = BodyCount(least=1)
    min_capacity = BodyCount()
    valid_from = Day()
    valid_until = Day(allow_none=True)
    price_override = Money(allow_none=True)
    is_active = BodyFlag()
    monday = BodyFlag()
    tuesday = BodyFlag()
    wednesday = BodyFlag()
    thursday = BodyFlag()
    friday = BodyFlag()
    saturday = BodyFlag()
    sunday = BodyFlag()
    dry_run = BodyFlag(load_default=False)

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not set(data) - {"dry_run"}:
            raise ValidationError("Give at least one field to change.")

    @post_load
    def gather(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """`changes`, the `days` that are switched on or off, and `dry_run`."""
        days = {number: data.pop(day) for number, day in enumerate(WEEKDAYS) if day in data}
        return {"dry_run": data.pop("dry_run"), "days": days, "changes": data}


class SchedulesQuerySchema(PageSchema):
    """Which schedules to list."""

    tour_id = Text(load_default=None)
    is_active = fields.Boolean(load_default=None)


class GenerateQuerySchema(Schema):
    """From when to when departures are to be made, both included."""

    start_date = Day(required=True)
    end_date = Day(required=True)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most a year, forwards."""
        check_range(data["start_date"], data["end_date"], MAX_DAYS)


class ScheduleSchema(Schema):
    """One schedule."""

    id = fields.String()
    tour_id = fields.String(attribute="resource_id")
    name = fields.String()
    start_time = LocalTime()
    duration_minutes = fields.Integer()
    recurrence = fields.String(metadata={"enum": list(RECURRENCES)})
    monday = fields.Boolean()
    tuesday = fields.Boolean()
    wednesday = fields.Boolean()
    thursday = fields.Boolean()
    friday = fields.Boolean()
    saturday = fields.Boolean()
    sunday = fields.Boolean()
    custom_rule = fields.Dict(allow_none=True)
    max_capacity = fields.Integer()
    min_capacity = fields.Integer()
    valid_from = fields.Date()
    valid_until = fields.Date(allow_none=True)
    price_override = Money(allow_none=True)
    price_per_person = Money(metadata={"description": "price_override, or else the tour's."})
    time_zone = fields.String()
    is_active = fields.Boolean()
    created_at = Instant()
    updated_at = Instant()

    @post_dump(pass_original=True)
    def spread_weekdays(self, data: dict[str, Any], original: Any, **_kwargs: Any) -> dict[str, Any]:
        """Each day of the week, chosen or not."""
        return data | {day: number in original.weekdays for number, day in enumerate(WEEKDAYS)}


class KeptDepartureSchema(Schema):
    slot_id = fields.String()
    slot_date = fields.Date()
    start_time = LocalTime()
    seats = fields.Integer(metadata={"description": "Held or booked."})


class OverbookedDepartureSchema(KeptDepartureSchema):
    overbooked = fields.Integer()


class ScheduleEffectSchema(Schema):
    """What a change does to departures that have still to run."""

    created = fields.Integer()
    updated = fields.Integer()
    withdrawn = fields.Integer(metadata={"description": "Nobody had booked these."})
    kept = fields.List(
        fields.Nested(KeptDepartureSchema),
        metadata={"description": "Not sold any more; they run for whoever has booked."},
    )
    overbooked = fields.List(fields.Nested(OverbookedDepartureSchema))


class ChangedScheduleSchema(ScheduleSchema):
    """A schedule, and what its change did to departures, or would do."""

    effect = fields.Nested(ScheduleEffectSchema)
    dry_run = fields.Boolean()


class DeletedScheduleSchema(Schema):
    """A schedule that is gone, and what that did to its departures, or would do."""

    id = fields.String()
    object = fields.Constant("schedule")
    deleted = fields.Boolean()
    effect = fields.Nested(ScheduleEffectSchema)
    dry_run = fields.Boolean()


class SchedulesSchema(PagedAnswerSchema):
    """A page of schedules."""

    schedules = fields.List(fields.Nested(ScheduleSchema))


class GeneratedSlotSchema(Schema):
    slot_id = fields.String()
    slot_date = fields.Date()
    start_time = LocalTime()
    end_time = LocalTime()


class GeneratedSchema(Schema):
    """What generating a range led to."""

    schedule_id = fields.String()
    start_date = fields.Date()
    end_date = fields.Date()
    created = fields.Integer()
    skipped = fields.Integer(metadata={"description": "There already, cancelled by staff, or in the past."})
    blacked_out = fields.Integer()
    slots = fields.List(fields.Nested(GeneratedSlotSchema), metadata={"description": "Those that were created."})
