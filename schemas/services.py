"""Services as staff send and everybody sees them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from schemas.fields import BodyCount, BodyFlag, Instant, Metadata, Money, Text
from schemas.pages import PagedAnswerSchema, PageSchema

DEPOSIT_TYPES = ("none", "fixed", "percent")
PAYMENT_MODES = ("pay_in_store", "deposit", "full")
_LONGEST_SERVICE_MINUTES = 12 * 60
_LONGEST_BUFFER_MINUTES = 4 * 60
_LONGEST_NOTICE_MINUTES = 365 * 24 * 60
_MOST_DAYS_AHEAD = 3 * 366


class Currency(fields.String):
    """An ISO 4217 code, in lower case as the platform has it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Regexp(r"[a-z]{3}\Z", error="Not a currency such as aud."), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.lower()


class Percent(Money):
    """A part in hundredths, 0 to 100."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Range(min=0, max=100), **kwargs)


class CreateServiceSchema(Schema):
    """Body of POST /admin/bookings/services; its fields are create_service's keyword arguments."""

    name = Text(required=True)
    description = Text(longest=5000, shortest=0, allow_none=True)
    duration_minutes = BodyCount(least=1, most=_LONGEST_SERVICE_MINUTES)
    buffer_minutes = BodyCount(
        most=_LONGEST_BUFFER_MINUTES,
        metadata={"description": "Kept free after it. Whole quarter hours are taken: minutes are rounded up."},
    )
    buffer_before_minutes = BodyCount(most=_LONGEST_BUFFER_MINUTES)
    price = Money(required=True)
    currency_code = Currency(metadata={"description": "Default: DEFAULT_CURRENCY."})
    deposit_type = fields.String(validate=OneOf(DEPOSIT_TYPES))
    deposit_value = Money(allow_none=True, metadata={"description": "An amount, or of percent a part in hundredths."})
    payment_modes_allowed = fields.List(fields.String(validate=OneOf(PAYMENT_MODES)), validate=Length(min=1, max=3))
    notice_minutes = BodyCount(
        most=_LONGEST_NOTICE_MINUTES, metadata={"description": "How long before it starts it can last be booked."}
    )
    advance_days = BodyCount(
        most=_MOST_DAYS_AHEAD, allow_none=True, metadata={"description": "How far ahead it can be booked; null: any."}
    )
    free_cancellation_minutes = BodyCount(
        most=_LONGEST_NOTICE_MINUTES,
        metadata={"description": "Cancelled by the customer later than this before it starts, part is paid back."},
    )
    late_refund_percent = Percent(metadata={"description": "That part."})
    is_active = BodyFlag()
    metadata = Metadata(metadata={"description": "`variant_id` names the platform's variant that is sold for it."})

    @validates("payment_modes_allowed")
    def check_unique(self, modes: list[str], **_kwargs: Any) -> None:
        """Each way to pay once."""
        if len(set(modes)) != len(modes):
            raise ValidationError("A mode is given twice.")


class UpdateServiceSchema(CreateServiceSchema):
    """Body of POST …/services/{id}: the fields to change, at least one."""

    def __init__(self) -> None:
        super().__init__(partial=True)

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not data:
            raise ValidationError("Give at least one field to change.")


class ServicesQuerySchema(PageSchema):
    """Which services to list."""

    is_active = fields.Boolean(load_default=None)
    q = Text(load_default=None, metadata={"description": "Looked for in name and description, in any case."})


class ServiceSchema(Schema):
    id = fields.String()
    name = fields.String()
    description = fields.String(allow_none=True)
    duration_minutes = fields.Integer()
    buffer_minutes = fields.Integer()
    buffer_before_minutes = fields.Integer()
    price = Money()
    currency_code = fields.String()
    deposit_type = fields.String(metadata={"enum": list(DEPOSIT_TYPES)})
    deposit_value = Money(allow_none=True)
    deposit_amount = Money(attribute="deposit", allow_none=True)
    payment_modes_allowed = fields.List(fields.String())
    notice_minutes = fields.Integer()
    advance_days = fields.Integer(allow_none=True)
    free_cancellation_minutes = fields.Integer()
    late_refund_percent = Money()
    is_active = fields.Boolean()
    metadata = fields.Dict()
    created_at = Instant()
    updated_at = Instant()


class ServiceAnswerSchema(Schema):
    """One service."""

    service = fields.Nested(ServiceSchema)


class ServicesSchema(PagedAnswerSchema):
    """A page of services."""

    services = fields.List(fields.Nested(ServiceSchema))


class DeletedServiceSchema(Schema):
    """A service that is not sold any more."""

    id = fields.String()
    object = fields.Constant("service")
    deleted = fields.Constant(True)
