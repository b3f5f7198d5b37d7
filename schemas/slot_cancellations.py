"""Departures that do not run, as staff cancel and watch them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from schemas.fields import BodyFlag, Instant, Money, Text


class CancelSlotSchema(Schema):
    """Body of POST /api/calendar/admin/slots/{id}/cancel."""

    reason = Text(longest=1000, load_default="cancelled by staff")
    alternative_slot_id = Text(
        load_default=None, allow_none=True, metadata={"description": "Where parties are moved while its seats last."}
    )
    dry_run = BodyFlag(load_default=False)


class SlotCancellationSchema(Schema):
    """A departure that does not run, and how far its bookings have been dealt with."""

    slot_id = fields.String()
    status = fields.String(validate=OneOf(["running", "done"]))
    reason = fields.String()
    alternative_slot_id = fields.String(allow_none=True)
    bookings = fields.Integer(metadata={"description": "How many stood on it when it was closed."})
    cancelled = fields.Integer()
    moved = fields.Integer()
    holds_released = fields.Integer(metadata={"description": "Of people who had not booked yet."})
    refunds = fields.Integer(metadata={"description": "That the platform was asked for."})
    waitlist_closed = fields.Integer()
    started_at = Instant()
    finished_at = Instant(allow_none=True)


class PartySchema(Schema):
    """Somebody with seats on the departure."""

    action = fields.String(validate=OneOf(["move", "cancel", "release"]))
    seats = fields.Integer()
    booking_id = fields.String(allow_none=True)
    booking_reference = fields.String(attribute="reference", allow_none=True)
    customer_email = fields.String(allow_none=True)
    order_id = fields.String(allow_none=True)
    refund_amount = Money(allow_none=True)
    currency_code = fields.String(allow_none=True)


class PreviewSchema(Schema):
    """What cancelling a departure would do this second."""

    dry_run = fields.Constant(True)
    slot_id = fields.String()
    alternative_slot_id = fields.String(allow_none=True)
    cancelled = fields.Integer()
    moved = fields.Integer()
    holds_released = fields.Integer()
    waitlist_closed = fields.Integer()
    parties = fields.List(fields.Nested(PartySchema))


class CancelledSlotAnswerSchema(SlotCancellationSchema):
    """How far it is; after `dry_run` what it would do."""

    dry_run = fields.Boolean()
    parties: Any = fields.List(fields.Nested(PartySchema))
