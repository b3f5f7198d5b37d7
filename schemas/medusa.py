"""What Medusa v2 sends: the envelope of an event, an order, a cart.

Only what the bridge reads is named. What may be missing is optional, for events are also written by hand and by other
forwarders; what would be dangerous to guess (an id, a quantity, a time) has to have the right type.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length

MAX_ID_LENGTH = 200
MAX_DECIMALS = 30  # Medusa's big numbers have 20 digits.
MAX_NUMBER = 1_000_000_000  # Fits PostgreSQL's int4; nobody orders more.


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can keep `text`: JSON may carry NUL and half surrogate pairs, `text` columns may not."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_storable(text: str) -> None:
    """Raise ValidationError for a text that PostgreSQL cannot keep."""
    if not is_storable(text):
        raise ValidationError("Not a text that can be stored.")


def _id(**options: Any) -> fields.String:
    return fields.String(validate=[Length(min=1, max=MAX_ID_LENGTH), check_storable], **options)


class Number(fields.Field[Decimal]):
    """A number of moderate size: 2, 2.0 or "2", for Medusa's big numbers arrive as any of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValidationError("Not a number.")
        try:
            number = Decimal(str(value) if isinstance(value, float) else value)
        except InvalidOperation as error:
            raise ValidationError("Not a number.") from error
        # Before anything is computed with it: 1e999999999 is short to write and long to expand (abs() raises Overflow).
        if not number.is_finite() or number.copy_abs() > MAX_NUMBER or _exponent(number) < -MAX_DECIMALS:
            raise ValidationError("Not a number.")
        return number


class WholeNumber(Number):
    """A Number without a fraction."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        number = super()._deserialize(value, attr, data, **kwargs)
        if number != number.to_integral_value():
            raise ValidationError("Not a whole number.")
        return int(number)


class Instant(fields.AwareDateTime):
    """An RFC 3339 time, as UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        instant: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return instant.astimezone(UTC)
        except OverflowError as error:  # The first or last hours of the calendar, moved out of it by their offset.
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class _Lenient(Schema):
    class Meta:
        unknown = EXCLUDE


class EnvelopeSchema(_Lenient):
    """An event. `data` is read once the type is known to be one that needs it."""

    type = fields.String(required=True, validate=Length(min=1, max=MAX_ID_LENGTH))
    data = fields.Raw(allow_none=True)


class ReferenceSchema(_Lenient):
    """The ids an event names. `id` is that of whatever the event is about, not always of the order."""

    id = _id(allow_none=True)
    order_id = _id(allow_none=True)


class DataSchema(ReferenceSchema):
    """An event's `data`: what Medusa emitted (ids), and what the forwarder fetched with them."""

    event_data = fields.Nested(ReferenceSchema, allow_none=True)
    order = fields.Dict(allow_none=True)
    cart = fields.Dict(allow_none=True)


class LineDetailSchema(_Lenient):
    """What became of a line: Medusa leaves its `quantity` alone when things are returned."""

    return_received_quantity = WholeNumber(allow_none=True)
    written_off_quantity = WholeNumber(allow_none=True)
    metadata = fields.Raw(allow_none=True)


class LineSchema(_Lenient):
    """A line of an order. Metadata is a browser's and may be anything: it must never make an order unreadable."""

    id = _id(required=True)
    quantity = WholeNumber(required=True)
    title = fields.String(allow_none=True)
    product_title = fields.String(allow_none=True)
    unit_price = Number(allow_none=True)
    deleted_at = Instant(allow_none=True)
    metadata = fields.Raw(allow_none=True)
    line_item_metadata = fields.Raw(allow_none=True)
    detail = fields.Nested(LineDetailSchema, allow_none=True)


class OrderSchema(_Lenient):
    """An order, as Medusa's admin API and the events show it."""

    id = _id(required=True)
    status = fields.String(allow_none=True)
    is_draft_order = fields.Boolean(allow_none=True)
    version = WholeNumber(allow_none=True)
    updated_at = Instant(allow_none=True)
    canceled_at = Instant(allow_none=True)
    email = fields.String(allow_none=True)
    metadata = fields.Raw(allow_none=True)
    # As they come: nothing in them may make an order unreadable.
    shipping_address = fields.Raw(allow_none=True)
    billing_address = fields.Raw(allow_none=True)
    payment_collections = fields.Raw(allow_none=True)
    items = fields.List(fields.Nested(LineSchema), allow_none=True)


class CartLineSchema(_Lenient):
    """A line of a cart: a cart only keeps holds alive, so how many it asks for does not matter."""

    deleted_at = Instant(allow_none=True)
    metadata = fields.Raw(allow_none=True)


class CartSchema(_Lenient):
    """A cart, as Medusa's store API and the events show it."""

    id = _id(required=True)
    completed_at = Instant(allow_none=True)
    updated_at = Instant(allow_none=True)
    metadata = fields.Raw(allow_none=True)
    items = fields.List(fields.Nested(CartLineSchema), allow_none=True)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
