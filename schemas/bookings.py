"""Bookings of tours as customers and staff send and see them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import OneOf

from schemas.fields import BodyCount, BodyFlag, Count, Day, Email, Instant, LocalTime, Logged, Money, Text
from schemas.pages import PagedAnswerSchema, PageSchema

STATUSES = ("pending", "confirmed", "cancelled", "completed", "no_show", "refunded")
_LONGEST_NOTE = 2000
_DETAILS = ("customer_name", "customer_phone", "special_requirements", "dietary_restrictions", "accessibility_needs")


def _note(**options: Any) -> Text:
    return Text(longest=_LONGEST_NOTE, shortest=0, allow_none=True, **options)


class CreateBookingSchema(Schema):
    """Body of POST /api/calendar/bookings."""

    tour_id = Text(required=True)
    booking_slot_id = Text(required=True)
    num_adults = BodyCount(required=True)
    num_children = BodyCount(load_default=0)
    num_infants = BodyCount(load_default=0)
    customer_name = Text(required=True)
    customer_email = Email(required=True)
    customer_phone = Text(longest=50, shortest=0, load_default=None, allow_none=True)
    special_requirements = _note(load_default=None)
    dietary_restrictions = _note(load_default=None)
    accessibility_needs = _note(load_default=None)


class ChangeBookingSchema(Schema):
    """Body of PUT …/bookings/{id}: what is to change, at least one thing. `status` is for staff."""

    new_slot_id = Text()
    new_num_adults = BodyCount()
    new_num_children = BodyCount()
    new_num_infants = BodyCount()
    modification_notes = _note(load_default=None)
    customer_name = Text()
    customer_phone = Text(longest=50, shortest=0, allow_none=True)
    special_requirements = _note()
    dietary_restrictions = _note()
    accessibility_needs = _note()
    status = fields.String(validate=OneOf(STATUSES))
    dry_run = BodyFlag(load_default=False)

    @validates_schema
    def check_not_empty(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A change of nothing is a mistake."""
        if not set(data) - {"dry_run", "modification_notes"}:
            raise ValidationError("Give at least one thing to change.")

    @post_load
    def gather(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """`status`, `dry_run`, and as `changes` the fields of core's Changes."""
        return {
            "status": data.get("status"),
            "dry_run": data["dry_run"],
            "changes": {
                "slot_id": data.get("new_slot_id"),
                "adults": data.get("new_num_adults"),
                "children": data.get("new_num_children"),
                "infants": data.get("new_num_infants"),
                "details": {name: data[name] for name in _DETAILS if name in data},
                "reason": data["modification_notes"],
            },
        }


class CancelBookingSchema(Schema):
    """Body of DELETE …/bookings/{id}, where there is one. `refund_amount` is for staff."""

    cancellation_reason = _note(load_default=None)
    refund_amount = Money(load_default=None, allow_none=True)
    dry_run = BodyFlag(load_default=False)


class TokenQuerySchema(Schema):
    """The token of a guest's manage link, for who has no account; and whether only to try."""

    token = Text(longest=500, load_default=None)
    dry_run = fields.Boolean(load_default=False)


class OwnBookingsQuerySchema(PageSchema):
    """Which of one's own bookings to list."""

    status_filter = fields.String(load_default=None, validate=OneOf(STATUSES))


class BookingsQuerySchema(PageSchema):
    """Which bookings to list, by the dates of their departures."""

    tour_id = Text(load_default=None)
    slot_id = Text(load_default=None)
    status_filter = fields.String(load_default=None, validate=OneOf(STATUSES))
    status = fields.String(load_default=None, validate=OneOf(STATUSES), metadata={"description": "As status_filter."})
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)
    order_id = Text(load_default=None)
    q = Text(load_default=None, metadata={"description": "Looked for in reference, name, e-mail and telephone."})


class BookingSummarySchema(Schema):
    """A booking without anything personal: what its reference shows to anybody."""

    booking_reference = fields.String(attribute="reference")
    tour_id = fields.String(attribute="resource_id")
    tour_name = fields.String()
    booking_slot_id = fields.String(attribute="slot_id")
    status = fields.String(metadata={"enum": list(STATUSES)})
    tour_date = fields.Date(attribute="slot_date")
    tour_time = LocalTime(attribute="start_time")
    end_time = LocalTime()
    time_zone = fields.String()
    starts_at = Instant()
    num_adults = fields.Integer()
    num_children = fields.Integer()
    num_infants = fields.Integer()
    total_people = fields.Integer()
    hold_expires_at = Instant(allow_none=True, metadata={"description": "Until when a pending one has its seats."})
    created_at = Instant()


class BookingSchema(BookingSummarySchema):
    """A booking as it stands this second."""

    id = fields.String()
    hold_id = fields.String()
    currency_code = fields.String()
    price_per_adult = Money()
    price_per_child = Money()
    price_per_infant = Money()
    subtotal = Money()
    discount_amount = Money()
    tax_amount = Money()
    total_amount = Money()
    customer_name = fields.String()
    customer_email = fields.String(allow_none=True)
    customer_phone = fields.String(allow_none=True)
    special_requirements = fields.String(allow_none=True)
    dietary_restrictions = fields.String(allow_none=True)
    accessibility_needs = fields.String(allow_none=True)
    customer_id = fields.String(allow_none=True)
    order_id = fields.String(allow_none=True)
    line_item_id = fields.String(allow_none=True)
    source = fields.String()
    modified_at = Instant(allow_none=True)
    confirmed_at = Instant(allow_none=True)
    cancelled_at = Instant(allow_none=True)
    cancellation_reason = fields.String(allow_none=True)
    refund_amount = Money(allow_none=True)


class LineMetadataSchema(Schema):
    booking_hold_id = fields.String(attribute="hold_id")
    booking_reference = fields.String(attribute="reference")


class MadeBookingSchema(BookingSchema):
    """A booking that was made, its guest's link, and what to write into the cart's line so that paying confirms it."""

    manage_url = fields.String()
    line_item_metadata = fields.Nested(LineMetadataSchema)


class ChangedBookingSchema(BookingSchema):
    """A booking after a change, or as it would be, and how much more it costs."""

    price_difference = Money(metadata={"description": "Less than 0: the customer gets money back."})
    dry_run = fields.Boolean()


class CancelledBookingSchema(BookingSchema):
    """A booking that is cancelled, or would be, and what cancelling costs."""

    cancellation_fee = Money()
    dry_run = fields.Boolean()


class BookingsSchema(PagedAnswerSchema):
    """A page of bookings."""

    bookings = fields.List(fields.Nested(BookingSchema))


class ModificationSchema(Schema):
    id = fields.String()
    booking_id = fields.String()
    modified_by = fields.String()
    modification_type = fields.String(
        metadata={"enum": ["status_change", "date_change", "party_change", "details_change", "cancellation"]}
    )
    old_value = Logged()
    new_value = Logged()
    reason = fields.String(allow_none=True)
    ip_address = fields.String(allow_none=True)
    user_agent = fields.String(allow_none=True)
    created_at = Instant()


class ModificationsSchema(PagedAnswerSchema):
    """A page of what became of a booking, oldest first."""

    modifications = fields.List(fields.Nested(ModificationSchema))


class GuestChangeSchema(Schema):
    """What a guest's form changes of a booking: another departure, another party."""

    slot_id = Text()
    adults = Count(least=1)
    children = Count()
    infants = Count()


class GuestCancelSchema(Schema):
    """What a guest's form says on cancelling."""

    reason = _note(load_default=None)
