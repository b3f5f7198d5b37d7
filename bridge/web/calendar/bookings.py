"""/api/calendar/bookings: made by anybody, then seen and changed by whoever's they are, and by staff."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from bridge import db, errors, links
from bridge.core import bookings, outcomes, parties, rebookings
from bridge.core.booking_log import By
from bridge.core.bookings import Booking
from bridge.core.parties import Customer
from bridge.core.rebookings import Changes
from bridge.core.terms import terms_of
from bridge.db import Connection
from bridge.rules.pricing import Party
from bridge.web import auth
from bridge.web.endpoints import endpoint, read_json, settings
from bridge.web.limits import limit, limit_writes
from schemas.bookings import (
    BookingSchema,
    BookingsSchema,
    BookingSummarySchema,
    CancelBookingSchema,
    CancelledBookingSchema,
    ChangeBookingSchema,
    ChangedBookingSchema,
    CreateBookingSchema,
    MadeBookingSchema,
    OwnBookingsQuerySchema,
    TokenQuerySchema,
)

blueprint = Blueprint("calendar_bookings", __name__, url_prefix="/api/calendar/bookings")
blueprint.before_request(limit_writes)

KIND = "booking"  # Of guests' links.
_LONGEST_AGENT = 500  # Of what a browser says it is.

_one = BookingSchema()
_summary = BookingSummarySchema()
_made = MadeBookingSchema()
_page = BookingsSchema()
_cancel = CancelBookingSchema()

_REFUSALS = (
    errors.InsufficientCapacity,
    errors.BlackedOut,
    errors.SlotCancelled,
    errors.SlotNotFound,
    errors.TooLate,
    errors.TooFarAhead,
    errors.PartySize,
)


@blueprint.post("")
@endpoint(
    body=CreateBookingSchema,
    answers={201: MadeBookingSchema},
    errors=(errors.ResourceNotFound, *_REFUSALS),
    creates=True,
)
def create_booking(body: dict[str, Any]) -> Any:
    """Book a departure: pending, with its seats held until it is paid or its time runs out."""
    limit("email", body["customer_email"])
    caller = auth.identify()
    party = Party(adults=body.pop("num_adults"), children=body.pop("num_children"), infants=body.pop("num_infants"))
    tour_id, slot_id = body.pop("tour_id"), body.pop("booking_slot_id")
    with db.transaction() as conn:
        booking = parties.book(
            conn,
            tour_id=tour_id,
            slot_id=slot_id,
            party=party,
            customer=Customer(**body, customer_id=caller.customer_id if caller else None),
            terms=terms_of(settings()),
            actor=auth.actor(),
        )
    return show_made(booking), 201


@blueprint.get("/user/me")
@endpoint(
    query=OwnBookingsQuerySchema,
    answers={200: BookingsSchema},
    errors=(errors.Unauthorized,),
    documents={"security": [{"bearer": []}]},
)
def list_own_bookings(query: dict[str, Any]) -> Any:
    """List the bookings of the customer who is signed in, newest first."""
    caller = auth.identify()
    if caller is None or caller.customer_id is None:
        raise errors.Unauthorized
    status = query.pop("status_filter")
    with db.transaction() as conn:
        page, count = bookings.list_bookings(conn, **query, customer_id=caller.customer_id, status=status)
    return _page.dump({"bookings": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/reference/<reference>")
@endpoint(answers={200: BookingSummarySchema}, errors=(errors.BookingNotFound, errors.TooManyRequests))
def get_by_reference(reference: str) -> Any:
    """A booking by its reference, without anything personal."""
    # As a write: trying references out one by one is no way of reading.
    limit("address", request.remote_addr or "")
    with db.transaction() as conn:
        booking = bookings.get_booking(conn, reference=reference)
    return _summary.dump(booking)


@blueprint.get("/<booking_id>")
@auth.for_somebody
@endpoint(
    query=TokenQuerySchema,
    answers={200: BookingSchema},
    errors=(errors.BookingNotFound, errors.Unauthorized, errors.Forbidden, errors.LinkInvalid),
    documents=auth.OR_LINK,
)
def get_booking(booking_id: str, query: dict[str, Any]) -> Any:
    """A booking, for whoever's it is."""
    with db.transaction() as conn:
        _identify(conn, booking_id, query["token"])
        booking = bookings.get_booking(conn, booking_id)
    return _one.dump(booking)


@blueprint.put("/<booking_id>")
@auth.for_somebody
@endpoint(
    body=ChangeBookingSchema,
    query=TokenQuerySchema,
    answers={200: ChangedBookingSchema},
    errors=(
        errors.BookingNotFound,
        errors.InvalidTransition,
        errors.HoldExpired,
        *_REFUSALS,
        errors.Unauthorized,
        errors.Forbidden,
        errors.LinkInvalid,
    ),
    documents=auth.OR_LINK,
)
def change_booking(booking_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Move a booking, change its party or what is noted of it; `dry_run` says what that costs. Staff set its status."""
    dry_run = body["dry_run"] or query["dry_run"]
    changes = Changes(**body["changes"])
    with db.transaction() as conn, conn.transaction(force_rollback=dry_run):
        by = _identify(conn, booking_id, query["token"])
        if body["status"] is not None and not by.is_staff:
            raise errors.Forbidden("Only staff may set the status of a booking.")
        before = bookings.get_booking(conn, booking_id)
        after = before
        if changes != Changes(details={}, reason=changes.reason):
            after = rebookings.change_booking(conn, booking_id, changes=changes, by=by, terms=terms_of(settings()))
        if body["status"] is not None:
            after = outcomes.set_status(conn, booking_id, body["status"], by=by, reason=changes.reason)
    difference = float(after.total_amount - before.total_amount)
    return _one.dump(after) | {"price_difference": difference, "dry_run": dry_run}


@blueprint.delete("/<booking_id>")
@auth.for_somebody
@endpoint(
    query=TokenQuerySchema,
    answers={200: CancelledBookingSchema},
    errors=(
        errors.BookingNotFound,
        errors.InvalidTransition,
        errors.TooLate,
        errors.Unauthorized,
        errors.Forbidden,
        errors.LinkInvalid,
    ),
    documents=auth.OR_LINK
    | {"requestBody": {"required": False, "content": {"application/json": {"schema": CancelBookingSchema}}}},
)
def cancel_booking(booking_id: str, query: dict[str, Any]) -> Any:
    """Cancel a booking: its seats go back at once, and what was paid as the tour's policy says."""
    body = _cancel.load(read_json())
    dry_run = body["dry_run"] or query["dry_run"]
    with db.transaction() as conn, conn.transaction(force_rollback=dry_run):
        by = _identify(conn, booking_id, query["token"])
        if body["refund_amount"] is not None and not by.is_staff:
            raise errors.Forbidden("Only staff may say how much is paid back.")
        cancelled = outcomes.cancel_booking(
            conn,
            booking_id,
            by=by,
            reason=body["cancellation_reason"],
            refund_amount=body["refund_amount"],
        )
    return _one.dump(cancelled.booking) | {"cancellation_fee": float(cancelled.fee), "dry_run": dry_run}


def show_made(booking: Booking) -> dict[str, Any]:
    """A booking that was made, with its guest's link, and what an order's line says of it so that it is paid by it."""
    answer: dict[str, Any] = _made.dump(booking) | {"manage_url": links.manage_url(settings(), KIND, booking.id)}
    answer["line_item_metadata"] = {"booking_hold_id": booking.hold_id, "booking_reference": booking.reference}
    return answer


def _identify(conn: Connection, booking_id: str, token: str | None) -> By:
    """Who the caller is, if the booking is theirs to touch. Raises Unauthorized, Forbidden, BookingNotFound."""
    caller = auth.identify()
    if caller is not None and "admin" in caller.scopes:
        return _by(caller.name, is_staff=True)
    if token is not None:
        if links.read(settings(), token) != (KIND, booking_id):
            raise errors.Forbidden("This link is for another booking.")
        return _by("guest")
    if caller is None:
        raise errors.Unauthorized
    booking: Booking = bookings.get_booking(conn, booking_id)
    if caller.customer_id is None or caller.customer_id != booking.customer_id:
        raise errors.Forbidden("This is somebody else's booking.")
    return _by(caller.name)


def _by(name: str, *, is_staff: bool = False) -> By:
    agent = request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
    return By(name=name, is_staff=is_staff, ip_address=request.remote_addr, user_agent=agent or None)
