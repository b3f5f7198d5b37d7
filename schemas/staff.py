"""Staff and the rules of when they work, as staff send and see them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf

from schemas.fields import BodyCount, BodyFlag, Day, Email, Instant, Metadata, Text
from schemas.pages import PagedAnswerSchema, PageSchema
from schemas.resources import TimeZone

RULE_TYPES = ("recurring", "exception", "blocked")
_MOST_SERVICES = 500
_MOST_RULES = 200
_CLOCK = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])(?::00)?)|24:00(?::00)?")


class WallClock(fields.Field[int]):
    """A time of day, HH:MM, as minutes after midnight inside. 24:00 is the end of the day."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValidationError("Not a time of the form HH:MM.")
        return 24 * 60 if found[1] is None else int(found[1]) * 60 + int(found[2])

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value // 60:02}:{value % 60:02}"


class RuleDay(Day):
    """A local date; of a time its date, for pages that send one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        text = value.partition("T")[0] if isinstance(value, str) else value
        return super()._deserialize(text, attr, data, **kwargs)


class RuleFieldsSchema(Schema):
    """A rule of when somebody works; which fields go together, core/openings.py says."""

    rule_type = fields.String(validate=OneOf(RULE_TYPES))
    day_of_week = BodyCount(most=6, allow_none=True, metadata={"description": "0 is Monday. Of recurring rules."})
    specific_date = RuleDay(allow_none=True, metadata={"description": "Of exceptions and blocked time."})
    start_time = WallClock(
        attribute="opens", allow_none=True, metadata={"type": "string", "description": "HH:MM on the local wall clock."}
    )
    end_time = WallClock(
        attribute="closes", allow_none=True, metadata={"type": "string", "description": "HH:MM; 24:00 is midnight."}
    )
    is_available = BodyFlag(metadata={"description": "false takes the time away."})
    metadata = Metadata()


class CreateRuleSchema(RuleFieldsSchema):
    """Body of POST …/staff/{id}/availability."""

    dry_run = BodyFlag()


class UpdateRuleSchema(CreateRuleSchema):
    """Body of POST …/availability/{rule_id}: the fields to change, at least one."""

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not set(data) - {"dry_run"}:
            raise ValidationError("Give at least one field to change.")


class CreateStaffSchema(Schema):
    """Body of POST /admin/bookings/staff; its fields are create_member's keyword arguments."""

    name = Text(required=True)
    email = Email(allow_none=True)
    phone = Text(longest=50, allow_none=True)
    bio = Text(longest=5000, shortest=0, allow_none=True)
    avatar_url = fields.Url(schemes={"http", "https"}, validate=Length(max=2000), allow_none=True)
    time_zone = TimeZone(metadata={"description": "Default: BOOKING_TIME_ZONE."})
    service_ids = fields.List(
        Text(), validate=Length(max=_MOST_SERVICES), metadata={"description": "What they do; empty: everything."}
    )
    is_active = BodyFlag()
    metadata = Metadata()
    availability_rules = fields.List(
        fields.Nested(RuleFieldsSchema), attribute="rules", validate=Length(max=_MOST_RULES)
    )


class UpdateStaffSchema(CreateStaffSchema):
    """Body of POST …/staff/{id}: the fields to change, at least one."""

    class Meta:
        exclude = ("availability_rules",)

    dry_run = BodyFlag()

    def __init__(self) -> None:
        super().__init__(partial=True)

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not set(data) - {"dry_run"}:
            raise ValidationError("Give at least one field to change.")


class StaffQuerySchema(PageSchema):
    """Whom to list."""

    is_active = fields.Boolean(load_default=None)
    service_id = Text(load_default=None)


class DeleteStaffQuerySchema(Schema):
    """Whether to cancel what is booked with them, or only to say what would be."""

    force = fields.Boolean(load_default=False)
    dry_run = fields.Boolean(load_default=False)


class RuleSchema(Schema):
    id = fields.String()
    staff_id = fields.String()
    rule_type = fields.String(metadata={"enum": list(RULE_TYPES)})
    day_of_week = fields.Integer(allow_none=True)
    specific_date = fields.Date(allow_none=True)
    start_time = WallClock(attribute="opens", metadata={"type": "string"})
    end_time = WallClock(attribute="closes", metadata={"type": "string"})
    is_available = fields.Boolean()
    metadata = fields.Dict()
    created_at = Instant()


class ConflictSchema(Schema):
    id = fields.String()
    booking_number = fields.String()
    staff_id = fields.String()
    service_id = fields.String()
    service_name = fields.String()
    start_at = Instant()
    end_at = Instant()
    status = fields.String()
    customer_name = fields.String(allow_none=True)
    customer_email = fields.String(allow_none=True)


class ConflictsSchema(Schema):
    """Bookings that stand, and that nobody could make any more."""

    conflicts = fields.List(fields.Nested(ConflictSchema))


class StaffSchema(Schema):
    id = fields.String()
    name = fields.String()
    email = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    bio = fields.String(allow_none=True)
    avatar_url = fields.String(allow_none=True)
    time_zone = fields.String()
    service_ids = fields.List(fields.String())
    is_active = fields.Boolean()
    metadata = fields.Dict()
    availability_rules = fields.List(fields.Nested(RuleSchema))
    created_at = Instant()
    updated_at = Instant()


class StaffAnswerSchema(ConflictsSchema):
    """One member of staff with their rules, and (of a change) the bookings it leaves outside of them."""

    staff = fields.Nested(StaffSchema)


class StaffListSchema(PagedAnswerSchema):
    """A page of staff, each with their rules."""

    staff = fields.List(fields.Nested(StaffSchema))


class RuleAnswerSchema(ConflictsSchema):
    """A rule, and the bookings that a change leaves outside of the hours."""

    availability_rule = fields.Nested(RuleSchema)


class RulesSchema(Schema):
    """All rules of a member of staff."""

    availability_rules = fields.List(fields.Nested(RuleSchema))
    count = fields.Integer()


class DeletedRuleSchema(ConflictsSchema):
    """A rule that is gone, and the bookings that this leaves outside of the hours."""

    id = fields.String()
    object = fields.Constant("availability_rule")
    deleted = fields.Boolean()


class DeletedStaffSchema(ConflictsSchema):
    """Somebody who is gone, with what was, or would be, cancelled for it."""

    id = fields.String()
    object = fields.Constant("staff")
    deleted = fields.Boolean()
