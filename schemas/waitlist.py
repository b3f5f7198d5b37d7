"""The waitlist as customers and staff send and see it."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import OneOf

from schemas.fields import BodyCount, Count, Day, Email, Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema

STATUSES = ("active", "notified", "converted", "expired", "cancelled")
MOST_PEOPLE = 1000  # MAX_BOOKING_SIZE says how many may really book; this only keeps absurd numbers out.
MOST_PRIORITY = 1_000_000


class JoinWaitlistSchema(Schema):
    """Body of POST /api/calendar/waitlist."""

    tour_id = Text(required=True)
    requested_date = Day(required=True)
    num_people = BodyCount(required=True, least=1, most=MOST_PEOPLE)
    customer_name = Text(required=True)
    customer_email = Email(required=True)
    customer_phone = Text(longest=50, shortest=0, load_default=None, allow_none=True)
    notes = Text(longest=2000, shortest=0, load_default=None, allow_none=True)
    slot_id = Text(
        load_default=None, allow_none=True, metadata={"description": "One departure; else any of the date will do."}
    )
    booking_slot_id = Text(load_default=None, allow_none=True, metadata={"description": "The same as slot_id."})

    @validates_schema
    def check_slot(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Both names for the departure may be given, if they name the same."""
        named = {data["slot_id"], data["booking_slot_id"]} - {None}
        if len(named) > 1:
            raise ValidationError("Not the same as slot_id.", "booking_slot_id")

    @post_load
    def merge_slot(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """One name for the departure from here on."""
        other = data.pop("booking_slot_id")
        return {**data, "slot_id": data["slot_id"] or other}


class AcceptOfferSchema(Schema):
    """Body of POST /api/calendar/waitlist/{id}/accept. Without numbers all are adults."""

    num_adults = BodyCount(load_default=None, least=1, most=MOST_PEOPLE)
    num_children = BodyCount(load_default=0, most=MOST_PEOPLE)
    num_infants = BodyCount(load_default=0, most=MOST_PEOPLE)

    @validates_schema
    def check_party(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A party is given whole."""
        if data["num_adults"] is None and (data["num_children"] or data["num_infants"]):
            raise ValidationError("Missing data for required field.", "num_adults")


class GuestAcceptSchema(Schema):
    """Who comes along, as a guest's form says it."""

    adults = Count(least=1, most=MOST_PEOPLE)
    children = Count(most=MOST_PEOPLE)
    infants = Count(most=MOST_PEOPLE)


class OfferSchema(Schema):
    """Seats that are held for somebody who waits."""

    slot_id = fields.String()
    starts_at = Instant()
    expires_at = Instant()


class EntrySchema(Schema):
    """An entry of the waitlist."""

    id = fields.String()
    tour_id = fields.String()
    tour_name = fields.String()
    booking_slot_id = fields.String(allow_none=True, metadata={"description": "null: any departure of the date."})
    requested_date = fields.Date()
    num_people = fields.Integer()
    customer_name = fields.String()
    customer_email = fields.String()
    customer_phone = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)
    status = fields.String(validate=OneOf(STATUSES))
    priority = fields.Integer()
    position = fields.Integer(allow_none=True, metadata={"description": "From 1, while it waits."})
    offer = fields.Method("show_offer", allow_none=True, metadata={"description": "What is held for them now."})
    notified_at = Instant(allow_none=True)
    notification_expires_at = Instant(allow_none=True)
    converted_at = Instant(allow_none=True)
    booking_id = fields.String(allow_none=True)
    created_at = Instant()

    def show_offer(self, entry: Any) -> dict[str, Any] | None:
        """What is held while it is."""
        if entry.status != "notified":
            return None
        offered = {
            "slot_id": entry.offered_slot_id,
            "starts_at": entry.offered_starts_at,
            "expires_at": entry.notification_expires_at,
        }
        shown: dict[str, Any] = _offer.dump(offered)
        return shown


class JoinedSchema(EntrySchema):
    """An entry of the waitlist that was made, and the link by which a guest manages it."""

    manage_url = fields.String()


class EntriesQuerySchema(PageSchema):
    """Which entries to list."""

    tour_id = Text(load_default=None)
    requested_date = Day(load_default=None)
    status = fields.String(load_default=None, validate=OneOf(STATUSES))


class OwnEntriesQuerySchema(PageSchema):
    """Which of one's own entries to list."""

    status = fields.String(load_default=None, validate=OneOf(STATUSES))


class EntriesSchema(PagedAnswerSchema):
    """A page of entries."""

    waitlist_entries = fields.List(fields.Nested(EntrySchema))


class ChangeEntrySchema(Schema):
    """Body of PUT /api/calendar/admin/waitlist/{id}."""

    priority = BodyCount(required=True, least=-MOST_PRIORITY, most=MOST_PRIORITY)


class TokenQuerySchema(Schema):
    """The token of a guest's link, where nobody is signed in."""

    token = Text(longest=500, load_default=None)


_offer = OfferSchema()
