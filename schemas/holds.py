"""Holds as the storefront sends and sees them."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates

from schemas.fields import BodyCount, DayList, Email, Instant, Metadata, Text
from schemas.quick import QuickSchema

MAX_DATES = 366


class PlaceHoldSchema(QuickSchema):
    """Body of POST /store/resource-booking/holds; its fields are place_hold's keyword arguments."""

    resource_id = Text(required=True)
    dates = DayList(least=1, most=MAX_DATES, required=True)
    quantity = BodyCount(least=1, required=True)
    customer_email = Email(required=True)
    idempotency_token = Text(required=True)
    metadata = Metadata(load_default=dict)

    @validates("dates")
    def check_unique(self, dates: list[date], **_kwargs: Any) -> None:
        """A date asked for twice is a mistake, not two seats."""
        if len(set(dates)) != len(dates):
            raise ValidationError("A date is given twice.")

    def is_usual(self, loaded: dict[str, Any]) -> bool:
        """No date twice."""
        return len(set(loaded["dates"])) == len(loaded["dates"])


class ConfirmHoldSchema(QuickSchema):
    """Body of POST …/holds/{id}/confirm."""

    order_id = Text(required=True)
    line_item_id = Text(load_default=None, allow_none=True)


class ClaimedEmail(fields.String):
    """An address in a query, to be compared with the hold's: whatever is not that address is wrong, never malformed.

    Pages build the query without encoding it, so that a + arrives as a space.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.strip().replace(" ", "+").lower()

    def read_usual(self, value: Any) -> str | None:
        """See schemas/quick.py."""
        return value.strip().replace(" ", "+").lower() if type(value) is str else None


class CustomerQuerySchema(QuickSchema):
    """Whose hold the caller says it is."""

    customer_email = ClaimedEmail(load_default=None)


class BeaconSchema(Schema):
    """Body of POST …/holds/{id}/release, where there is one: a browser sends it while the page closes."""

    class Meta:
        unknown = EXCLUDE

    customer_email = ClaimedEmail(load_default=None, allow_none=True)


class HoldSchema(Schema):
    id = fields.String()
    resource_id = fields.String()
    dates = fields.List(fields.Date())
    quantity = fields.Integer()
    customer_email = fields.String()
    status = fields.String(metadata={"enum": ["ACTIVE", "CONFIRMED", "RELEASED", "EXPIRED"]})
    idempotency_token = fields.String()
    expires_at = Instant()
    created_at = Instant()
    metadata = fields.Dict()


class PlacedHoldSchema(Schema):
    """A hold, and the seconds it has left."""

    hold = fields.Nested(HoldSchema)
    time_remaining_seconds = fields.Integer()
    idempotent_replay = fields.Boolean()
    is_expired = fields.Boolean()


class ReleasedHoldSchema(Schema):
    """What releasing gave back."""

    hold = fields.Nested(HoldSchema)
    capacity_returned = fields.Integer()
    dates_released = fields.List(fields.Date())


class AllocationSchema(Schema):
    id = fields.String()
    resource_id = fields.String()
    order_id = fields.String()
    line_item_id = fields.String(allow_none=True)
    dates = fields.List(fields.Date())
    quantity = fields.Integer()
    status = fields.String(metadata={"enum": ["CONFIRMED", "CANCELLED"]})
    posted_late = fields.Boolean()
    created_at = Instant()


class ConfirmedHoldSchema(Schema):
    """The allocation a hold became."""

    allocation = fields.Nested(AllocationSchema)
    hold = fields.Nested(HoldSchema)
