"""Reservations as a storefront sends and sees them; bookingNumber and its kin are spelt as its first pages did."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates, validates_schema
from marshmallow.validate import URL, Length

from schemas.appointments import Start
from schemas.availability import MAX_DAYS, check_range
from schemas.fields import BodyCount, Count, Day, Email, Instant, Money, Text

MAX_ITEMS = 20  # In one call.
MAX_DATES = 366


class BookingNumber(Text):
    """A booking number, as it was given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=60, **kwargs)


class ReservedPartySchema(Schema):
    """Who comes along on a tour."""

    adults = BodyCount(data_key="adult", load_default=0)
    children = BodyCount(data_key="child", load_default=0)
    infants = BodyCount(data_key="infant", load_default=0)


# What else an item of each kind may say, by the field that makes it one.
_KINDS = {
    "dates": {"resource_id", "quantity"},
    "slot_id": {"resource_id", "party"},
    "service_id": {"start_at", "staff_id"},
}
_REQUIRED = {"dates": {"resource_id"}, "slot_id": {"party"}, "service_id": {"start_at"}}


class ItemRequestSchema(Schema):
    """Dates of a resource, a party's seats on a departure (slot_id), or somebody's time (service_id)."""

    resource_id = Text()
    dates = fields.List(Day(), validate=Length(min=1, max=MAX_DATES))
    quantity = BodyCount(least=1)
    slot_id = Text()
    party = fields.Nested(ReservedPartySchema)
    service_id = Text()
    start_at = Start()
    staff_id = Text(metadata={"description": "Absent: anybody."})

    @validates("dates")
    def check_unique(self, dates: list[date], **_kwargs: Any) -> None:
        """A date asked for twice is a mistake, not two seats."""
        if len(set(dates)) != len(dates):
            raise ValidationError("A date is given twice.")

    @validates_schema
    def check_kind(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """An item is of one kind, and says all that one needs."""
        kinds = [name for name in _KINDS if name in data]
        if len(kinds) != 1:
            raise ValidationError("Give one of dates, slot_id and service_id.", kinds[1] if kinds else "dates")
        [kind] = kinds
        for name in sorted(_REQUIRED[kind] - set(data)):
            raise ValidationError("Missing data for required field.", name)
        for name in sorted(set(data) - _KINDS[kind] - {kind}):
            raise ValidationError(f"Not with {kind}.", name)

    @post_load
    def fill(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """Of dates, one place unless more are asked for."""
        return {"quantity": 1, **data} if "dates" in data else data


class ReserveSchema(Schema):
    """Body of POST /api/reserve-availability."""

    booking_number = BookingNumber(data_key="bookingNumber", load_default=None, allow_none=True)
    items = fields.List(fields.Nested(ItemRequestSchema), required=True, validate=Length(min=1, max=MAX_ITEMS))
    customer_email = Email(load_default=None, allow_none=True)


class CustomerSchema(Schema):
    """Who pays."""

    email = Email(load_default=None, allow_none=True)
    name = Text(load_default=None, allow_none=True)
    phone = Text(longest=50, load_default=None, allow_none=True)


class _Address(Text):
    """Where the customer goes after the payment."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=2000, load_default=None, allow_none=True, **kwargs)
        self.validators.append(URL(schemes={"http", "https"}, require_tld=False))


class CheckoutRequestSchema(Schema):
    """Body of POST /api/create-checkout-session."""

    booking_number = BookingNumber(data_key="bookingNumber", required=True)
    customer = fields.Nested(CustomerSchema, load_default=None, allow_none=True)
    customer_email = Email(load_default=None, allow_none=True)
    customer_name = Text(load_default=None, allow_none=True)
    customer_phone = Text(longest=50, load_default=None, allow_none=True)
    success_url = _Address()
    cancel_url = _Address()


class CheckoutSchema(Schema):
    """Where the customer pays, and until when the reservation stands."""

    booking_number = fields.String(data_key="bookingNumber")
    checkout_url = fields.String()
    session_id = fields.String(metadata={"description": "Of Stripe's Checkout Session, where Stripe takes the money."})
    cart_id = fields.String(metadata={"description": "Of the platform's cart, where the platform takes the money."})
    expires_at = Instant(data_key="expiresAt")


class ReservedItemSchema(Schema):
    id = fields.String()
    resource_id = fields.String()
    title = fields.String()
    dates = fields.List(fields.Date())
    slot_id = fields.String()
    party = fields.Nested(ReservedPartySchema)
    slot_date = fields.Date()
    start_time = fields.String()
    service_id = fields.String()
    staff_id = fields.String()
    start_at = Instant()
    end_at = Instant()
    time_zone = fields.String()
    quantity = fields.Integer(metadata={"description": "Places or seats; 1 of somebody's time."})
    price = Money(allow_none=True, metadata={"description": "For all of it; null where the platform knows it."})
    currency_code = fields.String()
    status = fields.String(metadata={"enum": ["held", "confirmed", "short", "released", "expired", "cancelled"]})
    expires_at = Instant(data_key="expiresAt")


class ReservationSchema(Schema):
    """A reservation as it stands this second."""

    booking_number = fields.String(data_key="bookingNumber")
    status = fields.String(metadata={"enum": ["open", "paid", "released", "expired", "cancelled"]})
    expires_at = Instant(data_key="expiresAt")
    time_remaining_seconds = fields.Integer(data_key="timeRemainingSeconds")
    items = fields.List(fields.Nested(ReservedItemSchema))
    added = fields.List(fields.String(), metadata={"description": "Ids of the items this call added."})


class CleanupSchema(Schema):
    """Body of POST /api/cleanup-expired: what a page sends while it closes."""

    class Meta:
        unknown = EXCLUDE

    booking_number = BookingNumber(data_key="bookingNumber", required=True)


class ReleasedSchema(Schema):
    """How many items were given back: none of a number that is unknown, closed, or being paid for."""

    released = fields.Integer()


class SweptSchema(Schema):
    """How many lapsed holds were tidied up, and how much capacity stands free again for it."""

    cleaned = fields.Integer()
    restored = fields.Integer()


_party = ReservedPartySchema()


class _PartyText(Text):
    """A party in a query: as JSON, or as so many adults."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            party = orjson.loads(text)
        except orjson.JSONDecodeError:
            party = None
        if type(party) is int:
            party = {"adult": party}
        if not isinstance(party, dict):
            raise ValidationError('Not a party, such as {"adult": 2, "child": 1}.')
        return _party.load(party)


_HOW_MANY = ("quantity", "num_people", "party")
_NOT_WITH = {"resource_id": ("service_id", "staff_id"), "service_id": ("start_date", "end_date", *_HOW_MANY)}


class CheckQuerySchema(Schema):
    """A resource and a date or a range of dates, inclusive; or a service and a date."""

    resource_id = Text(load_default=None)
    service_id = Text(load_default=None)
    staff_id = Text(load_default=None, metadata={"description": "With service_id; absent: anybody."})
    date = Day(load_default=None)
    start_date = Day(load_default=None)
    end_date = Day(load_default=None)
    quantity = Count(least=1, load_default=None, metadata={"description": "Places or seats; 1 unless given."})
    num_people = Count(least=1, load_default=None, metadata={"description": "The same, in the words of tours."})
    party = _PartyText(
        load_default=None,
        metadata={
            "description": 'Who comes along on a tour: {"adult": 2, "child": 1, "infant": 0}, or so many adults.'
        },
    )

    @validates_schema
    def check_kind(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A resource or a service, and of each what goes with it."""
        if data["resource_id"] is None and data["service_id"] is None:
            raise ValidationError("Give this, or service_id.", "resource_id")
        kind = "service_id" if data["resource_id"] is None else "resource_id"
        for name in _NOT_WITH[kind]:
            if data[name] is not None:
                raise ValidationError(f"Not with {kind}.", name)
        for name in [name for name in _HOW_MANY if data[name] is not None][1:]:
            raise ValidationError(f"Give one of {', '.join(_HOW_MANY)}.", name)

    @validates_schema
    def check_range(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """One of the two, and at most a year, forwards."""
        if data["date"] is None:
            for name in ("start_date", "end_date"):
                if data[name] is None:
                    if data["service_id"]:
                        raise ValidationError("Missing data for required field.", "date")
                    raise ValidationError("Give this, or date.", name)
            check_range(data["start_date"], data["end_date"], MAX_DAYS)
        elif data["start_date"] or data["end_date"]:
            raise ValidationError("Give date, or start_date and end_date.", "date")

    @post_load
    def spread_date(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """One date is a range too, and people are a quantity."""
        day = data["date"]
        if day is not None:
            data |= {"start_date": day, "end_date": day}
        return data | {"quantity": data["quantity"] or data.pop("num_people") or 1}
