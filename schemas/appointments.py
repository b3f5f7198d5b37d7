"""Appointments as customers and staff send and see them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range

from schemas.fields import BodyFlag, Day, Email, Instant, Logged, Metadata, Money, Text
from schemas.pages import PagedAnswerSchema, PageSchema
from schemas.quick import QuickSchema
from schemas.services import PAYMENT_MODES

_FIRST_START, _LAST_START = datetime(2000, 1, 2, tzinfo=UTC), datetime(2199, 12, 30, tzinfo=UTC)
# What nearly everybody sends: part of what is valid, so that whatever else comes takes the long way.
_PLAIN_START = re.compile(
    r"20[1-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.000)?"
    r"(Z|[+-](0[0-9]|1[0-3]):(00|30|45))"
)
STATUSES = ("held", "confirmed", "cancelled", "completed", "no_show")


class Start(Instant):
    """When an appointment starts: an instant that a calendar can hold. Without an offset it is UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Range(min=_FIRST_START, max=_LAST_START), **kwargs)

    def read_usual(self, value: Any) -> datetime | None:
        """See schemas/quick.py."""
        plain = type(value) is str and _PLAIN_START.fullmatch(value)
        return datetime.fromisoformat(value) if plain else None


class CustomerFieldsSchema(Schema):
    """Who an appointment is for, and what is noted of it."""

    customer_name = Text(allow_none=True)
    customer_email = Email(allow_none=True)
    customer_phone = Text(longest=50, allow_none=True)
    notes = Text(longest=5000, shortest=0, allow_none=True)
    metadata = Metadata()


class PlaceAppointmentSchema(QuickSchema):
    """Body of POST /store/bookings; its fields are those of a Wish."""

    service_id = Text(required=True)
    staff_id = Text(load_default=None, allow_none=True, metadata={"description": "Absent: whoever is free."})
    start_at = Start(required=True)
    customer_name = Text(load_default=None, allow_none=True)
    customer_email = Email(load_default=None, allow_none=True)
    customer_phone = Text(longest=50, load_default=None, allow_none=True)
    notes = Text(longest=5000, shortest=0, load_default=None, allow_none=True)
    metadata = Metadata(load_default=dict)


class CreateAppointmentSchema(CustomerFieldsSchema):
    """Body of POST /admin/bookings: confirmed at once, unless it is only to be held."""

    service_id = Text(required=True)
    staff_id = Text(allow_none=True, metadata={"description": "Absent: whoever is free."})
    start_at = Start(required=True)
    customer_id = Text(allow_none=True)
    internal_notes = Text(longest=5000, shortest=0, allow_none=True)
    payment_mode = fields.String(load_default="pay_in_store", validate=OneOf(PAYMENT_MODES))
    hold = BodyFlag(load_default=False)


class UpdateAppointmentSchema(CustomerFieldsSchema):
    """Body of POST /admin/bookings/{id}: the fields to change, at least one."""

    start_at = Start()
    staff_id = Text()
    customer_id = Text(allow_none=True)
    internal_notes = Text(longest=5000, shortest=0, allow_none=True)
    status = fields.String(validate=OneOf(STATUSES), metadata={"description": "As far as its status may become that."})
    reason = Text(longest=1000, metadata={"description": "Why it is cancelled."})

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not set(data) - {"reason"}:
            raise ValidationError("Give at least one field to change.")


class MoveAppointmentSchema(Schema):
    """Body of POST /store/bookings/{id}/reschedule."""

    start_at = Start(required=True)
    staff_id = Text()


class ConfirmAppointmentSchema(Schema):
    """Body of POST /store/bookings/{id}/confirm."""

    payment_mode = fields.String(load_default="pay_in_store", validate=OneOf(PAYMENT_MODES))


class CancelAppointmentSchema(Schema):
    """Body of POST /store/bookings/{id}/cancel."""

    reason = Text(longest=1000, shortest=0, load_default=None, allow_none=True)


class TokenQuerySchema(Schema):
    """The token of a guest's link, where nobody is signed in."""

    token = Text(longest=500, load_default=None)


class StartsQuerySchema(QuickSchema):
    """A service on a date, with somebody or anybody."""

    date = Day(required=True, metadata={"description": "The local date where the member of staff is."})
    service_id = Text(required=True)
    staff_id = Text(load_default=None)


class OwnAppointmentsQuerySchema(PageSchema):
    """Which of one's own bookings to list."""

    status = fields.String(load_default=None, validate=OneOf(STATUSES))
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)


class AppointmentsQuerySchema(OwnAppointmentsQuerySchema):
    """Which bookings to list."""

    staff_id = Text(load_default=None)
    service_id = Text(load_default=None)
    customer_id = Text(load_default=None)
    order_id = Text(load_default=None)
    booking_number = Text(load_default=None)
    q = Text(load_default=None, metadata={"description": "Looked for in names, addresses, numbers and notes."})


class AppointmentSchema(Schema):
    id = fields.String()
    display_id = fields.Integer()
    booking_number = fields.String()
    staff_id = fields.String()
    service_id = fields.String()
    customer_id = fields.String(allow_none=True)
    start_at = Instant()
    end_at = Instant(metadata={"description": "Without the buffer."})
    time_zone = fields.String(metadata={"description": "Of the member of staff."})
    status = fields.String(metadata={"enum": list(STATUSES)})
    hold_expires_at = Instant(allow_none=True)
    service_name = fields.String()
    price_amount = Money()
    currency_code = fields.String()
    deposit_amount = Money(allow_none=True)
    payment_mode = fields.String(allow_none=True)
    amount_paid = Money(allow_none=True)
    refund_amount = Money(allow_none=True)
    order_id = fields.String(allow_none=True)
    customer_email = fields.String(allow_none=True)
    customer_phone = fields.String(allow_none=True)
    customer_name = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)
    confirmed_at = Instant(allow_none=True)
    cancelled_at = Instant(allow_none=True)
    cancellation_reason = fields.String(allow_none=True)
    completed_at = Instant(allow_none=True)
    created_at = Instant()
    metadata = fields.Dict()


class StaffedAppointmentSchema(AppointmentSchema):
    """A booking as staff see it."""

    staff_name = fields.String()
    internal_notes = fields.String(allow_none=True)
    hold_id = fields.String()
    cart_id = fields.String(allow_none=True)
    updated_at = Instant()


class AppointmentAnswerSchema(Schema):
    """One booking."""

    booking = fields.Nested(AppointmentSchema)


class PlacedAppointmentSchema(AppointmentAnswerSchema):
    """The booking that was made, and the link by which its guest manages it."""

    manage_url = fields.String()


class CartSchema(Schema):
    id = fields.String()
    checkout_url = fields.String()
    amount = Money()


class ConfirmedAppointmentSchema(AppointmentAnswerSchema):
    """The booking, and the cart to pay for it by where it is to be paid first."""

    cart = fields.Nested(CartSchema)


class AppointmentsSchema(PagedAnswerSchema):
    """A page of bookings, by their start."""

    bookings = fields.List(fields.Nested(AppointmentSchema))


class StaffedAnswerSchema(Schema):
    """One booking as staff see it."""

    booking = fields.Nested(StaffedAppointmentSchema)
    manage_url = fields.String()


class StaffedAppointmentsSchema(PagedAnswerSchema):
    """A page of bookings as staff see them, by their start."""

    bookings = fields.List(fields.Nested(StaffedAppointmentSchema))


class ChangeSchema(Schema):
    at = Instant()
    what = fields.String()
    actor = fields.String()
    reason = fields.String(allow_none=True)
    old_value = Logged(allow_none=True)
    new_value = Logged()


class ChangesSchema(Schema):
    """What became of a booking."""

    changes = fields.List(fields.Nested(ChangeSchema))


class DeletedAppointmentSchema(StaffedAnswerSchema):
    """A booking that was taken off the calendar. It stays on record, as cancelled."""

    id = fields.String()
    object = fields.Constant("booking")
    deleted = fields.Constant(True)


class SlotSchema(Schema):
    start_at = Instant()
    end_at = Instant()
    staff_id = fields.String()
    time_zone = fields.String()
    available = fields.Boolean()


class SlotsSchema(Schema):
    """Every time at which somebody could start, and whether it is free."""

    slots = fields.List(fields.Nested(SlotSchema))
