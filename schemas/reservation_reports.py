"""Reservations as staff see them, and what becomes of them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from schemas.availability import check_range
from schemas.fields import Day, Email, Instant, Money, Text
from schemas.pages import PagedAnswerSchema, PageSchema
from schemas.reservations import BookingNumber

STATUSES = ("open", "paid", "released", "expired", "cancelled")
GROUPS = ("none", "day", "resource")
MAX_DAYS = 366


class ReservationsQuerySchema(PageSchema):
    """Which reservations: of these days, on which they were begun."""

    status = fields.String(load_default=None, validate=OneOf(STATUSES))
    booking_number = BookingNumber(load_default=None)
    q = Text(load_default=None, metadata={"description": "Part of the number, the order's id, or whom it is for."})
    customer_email = Email(load_default=None)
    order_id = Text(load_default=None)
    resource_id = Text(load_default=None, metadata={"description": "Of which an item is, or was."})
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)

    @validates_schema
    def check_order(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Forwards."""
        if data["start_date"] and data["end_date"] and data["end_date"] < data["start_date"]:
            raise ValidationError("Must not be before start_date.", "end_date")


class ListedItemSchema(Schema):
    id = fields.String(metadata={"description": "Of its hold."})
    resource_id = fields.String()
    title = fields.String()
    details = fields.Dict(
        metadata={"description": "What it is of: dates, slot_id and party, or service_id and start_at."}
    )
    quantity = fields.Integer()
    price = Money(attribute="amount", allow_none=True, metadata={"description": "Null where the platform knows it."})
    currency_code = fields.String()
    status = fields.String(metadata={"enum": ["held", "confirmed", "short", "released", "expired", "cancelled"]})
    expires_at = Instant()


class ListedReservationSchema(Schema):
    booking_number = fields.String()
    status = fields.String(metadata={"enum": list(STATUSES)})
    customer_email = fields.String(allow_none=True)
    customer_name = fields.String(allow_none=True)
    customer_phone = fields.String(allow_none=True)
    created_at = Instant()
    expires_at = Instant()
    hard_expires_at = Instant()
    time_remaining_seconds = fields.Integer()
    grace_given_at = Instant(allow_none=True)
    released_at = Instant(allow_none=True)
    source = fields.String(allow_none=True)
    order_id = fields.String(allow_none=True)
    ordered_at = Instant(allow_none=True)
    checkout_platform = fields.String(allow_none=True, metadata={"enum": ["medusa", "stripe", None]})
    checkout_reference = fields.String(allow_none=True, metadata={"description": "Of its cart or session."})
    checkout_at = Instant(allow_none=True)
    items = fields.List(fields.Nested(ListedItemSchema))


class ListedReservationsSchema(PagedAnswerSchema):
    """A page of reservations, newest first."""

    reservations = fields.List(fields.Nested(ListedReservationSchema))


class BegunPaymentSchema(Schema):
    platform = fields.String()
    reference = fields.String(allow_none=True)
    url = fields.String(allow_none=True)
    created_at = Instant()
    closed_at = Instant(allow_none=True)


class DetailedReservationSchema(ListedReservationSchema):
    checkouts = fields.List(fields.Nested(BegunPaymentSchema))


class ReservationAnswerSchema(Schema):
    """One reservation, with every payment that was begun for it."""

    reservation = fields.Nested(DetailedReservationSchema)


class AnalyticsQuerySchema(Schema):
    """A range of days, inclusive; by default the last 30."""

    start_date = Day(load_default=None)
    end_date = Day(load_default=None)
    resource_id = Text(load_default=None)
    group_by = fields.String(load_default="none", validate=OneOf(GROUPS))

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """At most a year, forwards."""
        if data["start_date"] and data["end_date"]:
            check_range(data["start_date"], data["end_date"], MAX_DAYS)


class FiguresSchema(Schema):
    begun = fields.Integer()
    paid = fields.Integer()
    partly_paid = fields.Integer()
    paid_late = fields.Integer()
    cancelled_after_payment = fields.Integer()
    lapsed = fields.Integer()
    abandoned = fields.Integer()
    withdrawn = fields.Integer()
    open = fields.Integer()
    decided = fields.Integer(metadata={"description": "Paid, lapsed or abandoned."})
    success_rate = fields.Float(allow_none=True, metadata={"description": "paid ÷ decided"})
    expiry_rate = fields.Float(allow_none=True, metadata={"description": "lapsed ÷ decided"})
    abandonment_rate = fields.Float(allow_none=True, metadata={"description": "abandoned ÷ decided"})
    items = fields.Integer(metadata={"description": "Ever added."})
    items_paid = fields.Integer()
    conflicts = fields.Integer(metadata={"description": "Items asked for and not had."})
    refusals = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "The conflicts, by reason."}
    )
    conflict_rate = fields.Float(allow_none=True, metadata={"description": "conflicts ÷ (conflicts + items)"})
    average_seconds_to_payment = fields.Float(allow_none=True)
    median_seconds_to_payment = fields.Float(allow_none=True)
    p95_seconds_to_payment = fields.Float(allow_none=True)


class FiguresGroupSchema(FiguresSchema):
    date = fields.Date(metadata={"description": "Grouped by day."})
    resource_id = fields.String(metadata={"description": "Grouped by resource."})
    name = fields.String(allow_none=True)


class RangeSchema(Schema):
    start_date = fields.Date()
    end_date = fields.Date()


class AnalyticsSchema(Schema):
    """What became of the reservations begun in a range."""

    date_range = fields.Nested(RangeSchema)
    time_zone = fields.String()
    resource_id = fields.String(allow_none=True)
    group_by = fields.String(metadata={"enum": list(GROUPS)})
    summary = fields.Nested(FiguresSchema)
    breakdown = fields.List(fields.Nested(FiguresGroupSchema))
