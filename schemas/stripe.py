"""What Stripe sends, as far as it matters here: a Checkout Session, a charge.

Only what the bridge reads is named; Stripe adds fields as it likes.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, pre_load
from marshmallow.validate import Length

from schemas.medusa import MAX_ID_LENGTH, check_storable


def _id(**options: Any) -> fields.String:
    return fields.String(validate=[Length(min=1, max=MAX_ID_LENGTH), check_storable], **options)


class _Lenient(Schema):
    class Meta:
        unknown = EXCLUDE

    @pre_load
    def fold_objects(self, data: Any, **_kwargs: Any) -> Any:
        """Whatever was asked for expanded stands there whole; its id is what it would have been."""
        if not isinstance(data, dict):
            return data
        value = data.get("payment_intent")
        return data | {"payment_intent": value.get("id")} if isinstance(value, dict) else data


class CustomerDetailsSchema(Schema):
    """Who paid, as they told Stripe."""

    class Meta:
        unknown = EXCLUDE

    email = fields.String(load_default=None, allow_none=True)


class SessionSchema(_Lenient):
    """A Checkout Session."""

    id = _id(required=True)
    payment_intent = _id(load_default=None, allow_none=True)
    payment_status = fields.String(load_default=None, allow_none=True)
    client_reference_id = fields.String(load_default=None, allow_none=True)
    customer_details = fields.Nested(CustomerDetailsSchema, load_default=None, allow_none=True)
    customer_email = fields.String(load_default=None, allow_none=True)
    metadata = fields.Raw(load_default=None, allow_none=True)


class ChargeSchema(_Lenient):
    """A charge, after something of it was paid back."""

    id = _id(required=True)
    payment_intent = _id(load_default=None, allow_none=True)
    amount = fields.Integer(load_default=None, allow_none=True)
    amount_refunded = fields.Integer(load_default=None, allow_none=True)
    refunded = fields.Boolean(load_default=None, allow_none=True)


class EventDataSchema(Schema):
    """What an event is about."""

    class Meta:
        unknown = EXCLUDE

    object = fields.Raw(required=True)


class EventSchema(Schema):
    """An event of Stripe's."""

    class Meta:
        unknown = EXCLUDE

    type = fields.String(required=True)
    data = fields.Nested(EventDataSchema, required=True)
