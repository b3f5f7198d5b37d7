"""What webhooks tell: an envelope, and in it the data of each type. What dumps them also describes them."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, fields, post_load

from schemas.fields import Instant

VERSION = 1  # Of every payload. Fields may be added to it; what changes or goes away makes another.


class AnnouncementSchema(Schema):
    """The body of every webhook."""

    type = fields.String(required=True)
    version = fields.Integer(required=True, metadata={"description": "Of the payload: fields may be added to it."})
    timestamp = Instant(required=True, metadata={"description": "When it happened."})
    data = fields.Dict(required=True)


class _DataSchema(Schema):
    """Something that changed, as it was right after the change."""

    class Meta:
        unknown = EXCLUDE


class ClaimedSlotSchema(_DataSchema):
    """How much of which slot: a day, a departure (`slot_id`) or a quarter hour (`start_at`)."""

    resource_id = fields.String(required=True)
    date = fields.Date(required=True)
    slot_id = fields.String(allow_none=True)
    start_at = Instant(allow_none=True)
    quantity = fields.Integer(required=True)


class _ClaimingSchema(_DataSchema):
    """Something that has slots, or had."""

    dates = fields.List(fields.Date(), dump_only=True)
    slots = fields.List(fields.Nested(ClaimedSlotSchema), required=True)

    @post_load
    def add_dates(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """The dates of the slots, each once."""
        return data | {"dates": sorted({slot["date"] for slot in data["slots"]})}


class HoldChangedSchema(_ClaimingSchema):
    """A hold that was created, confirmed, released, or has expired."""

    id = fields.String(required=True)
    resource_id = fields.String(required=True)
    kind = fields.String(metadata={"description": "What it was made for: cart, appointment, offer, …"})
    status = fields.String(required=True)
    quantity = fields.Integer(required=True)
    booking_number = fields.String(allow_none=True)
    customer_email = fields.String(allow_none=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True)
    closed_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True)


class AllocationChangedSchema(_ClaimingSchema):
    """An allocation that was made or cancelled, or stands with another quantity; of a cancelled one, what it had."""

    id = fields.String(required=True)
    hold_id = fields.String(required=True)
    resource_id = fields.String(required=True)
    source = fields.String(metadata={"description": "The platform that has the order."})
    order_id = fields.String(required=True)
    line_item_id = fields.String(allow_none=True)
    customer_email = fields.String(allow_none=True)
    status = fields.String(required=True)
    quantity = fields.Integer(required=True)
    previous_quantity = fields.Integer(allow_none=True, metadata={"description": "Where only the quantity changed."})
    posted_late = fields.Boolean(metadata={"description": "Its hold had lapsed when the order came."})
    created_at = Instant(required=True)
    cancelled_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True)


class CapacityDepletedSchema(_DataSchema):
    """A slot of a resource of which nothing is left."""

    resource_id = fields.String(required=True)
    date = fields.Date(required=True)
    slot_id = fields.String(allow_none=True)
    start_at = Instant(allow_none=True)
    max_capacity = fields.Integer(required=True)
    held = fields.Integer(required=True)
    allocated = fields.Integer(required=True)


class ShortfallOpenedSchema(_DataSchema):
    """A paid line of an order whose place is gone."""

    id = fields.String(required=True)
    order_id = fields.String(required=True)
    line_item_id = fields.String()
    resource_id = fields.String(required=True)
    missing = fields.List(fields.Dict(), required=True)
    policy = fields.String()
    due_at = Instant()
    created_at = Instant()


class BookingChangedSchema(_DataSchema):
    """A booking of a tour or an appointment, with the fields its own resource has."""

    class Meta:
        unknown = INCLUDE

    id = fields.String(required=True)
    status = fields.String()
    resource_id = fields.String(allow_none=True)
    customer_email = fields.String(allow_none=True)


class WaitlistChangedSchema(_DataSchema):
    """An entry of a waitlist, with the fields its own resource has."""

    class Meta:
        unknown = INCLUDE

    id = fields.String(required=True)
    status = fields.String()
    customer_email = fields.String(allow_none=True)


class WebhookDisabledSchema(_DataSchema):
    """A webhook to which nothing is sent any more, told to the others."""

    webhook_id = fields.String(required=True)
    url = fields.String(required=True)
    description = fields.String(allow_none=True)
    reason = fields.String(required=True)
    disabled_at = Instant()
    failing_since = Instant(allow_none=True)
    last_error = fields.String(allow_none=True)


class WebhookTestSchema(_DataSchema):
    """Nothing happened: somebody tries whether webhooks arrive."""

    webhook_id = fields.String(required=True)


# Each type, what it means, and what its data are.
TYPES: dict[str, tuple[str, type[_DataSchema]]] = {
    "resource_booking.hold.created": ("Somebody holds capacity.", HoldChangedSchema),
    "resource_booking.hold.confirmed": ("A hold was paid for: it is an allocation now.", HoldChangedSchema),
    "resource_booking.hold.expired": ("A hold was not paid for in time.", HoldChangedSchema),
    "resource_booking.hold.released": ("A hold was given back.", HoldChangedSchema),
    "resource_booking.allocation.created": ("Capacity belongs to an order.", AllocationChangedSchema),
    "resource_booking.allocation.changed": ("An order has more or less of it.", AllocationChangedSchema),
    "resource_booking.allocation.cancelled": ("An order has nothing of it any more.", AllocationChangedSchema),
    "resource_booking.capacity.depleted": ("Nothing is left of a slot.", CapacityDepletedSchema),
    "shortfall.opened": ("A paid line of an order has no place.", ShortfallOpenedSchema),
    "webhook.disabled": ("A webhook is not sent to any more.", WebhookDisabledSchema),
    "webhook.test": ("A test, sent by hand to one webhook.", WebhookTestSchema),
    **{
        f"booking.{what}": (f"A booking {says}.", BookingChangedSchema)
        for what, says in {
            "created": "was made",
            "confirmed": "is certain",
            "changed": "was moved, or its party changed",
            "cancelled": "was cancelled",
            "completed": "took place",
            "no_show": "took place without them",
            "refunded": "was paid back",
        }.items()
    },
    **{
        f"waitlist.{what}": (f"Somebody {says}.", WaitlistChangedSchema)
        for what, says in {
            "joined": "waits for a place",
            "offered": "was offered a place",
            "accepted": "took the place offered",
            "expired": "did not take the place offered in time",
            "left": "does not wait any more",
        }.items()
    },
}


def dump_announcement(*, type: str, timestamp: Any, data: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - the field's word
    """The body of a webhook, as JSON can hold it. Raises marshmallow's ValidationError."""
    envelope = {"type": type, "version": VERSION, "timestamp": timestamp, "data": _dump_data(type, data)}
    dumped: dict[str, Any] = _envelope.dump(envelope)
    return dumped


def is_type(name: str) -> bool:
    """Whether anything is told under this name, or, with `.*` at its end, under one that begins so."""
    if name.endswith(".*"):
        return any(known.startswith(name[:-1]) for known in TYPES)
    return name == "*" or name in TYPES


def _dump_data(type: str, data: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - as above
    schema = _data_schemas.get(type) or _families.get(type.partition(".")[0])
    if schema is None:
        return data
    loaded: dict[str, Any] = schema.load(data)
    # A schema dumps only the fields it knows; others it has let through on purpose.
    dumped: dict[str, Any] = schema.dump(loaded)
    return {name: value for name, value in loaded.items() if name not in schema.fields} | dumped


_envelope = AnnouncementSchema()
_data_schemas = {name: schema() for name, (_says, schema) in TYPES.items()}
# Of bookings and entries of the waitlist more may become than is listed.
_families: dict[str, Schema] = {"booking": BookingChangedSchema(), "waitlist": WaitlistChangedSchema()}
