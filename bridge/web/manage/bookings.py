"""A guest's page of a tour's booking: what it is, what it could be instead, what cancelling it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Response, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from bridge import db, errors, letters, links
from bridge.core import bookings, outcomes, rebookings, slots
from bridge.core.booking_calendars import calendar_of
from bridge.core.booking_log import By
from bridge.core.bookings import Booking
from bridge.core.rebookings import Changes
from bridge.core.slots import Slot
from bridge.core.terms import terms_of
from bridge.db import Connection
from bridge.web.endpoints import settings
from bridge.web.manage import guest, load_form, page, wants_json
from schemas.bookings import BookingSchema, GuestCancelSchema, GuestChangeSchema
from schemas.fields import Day


@dataclass(frozen=True, slots=True)
class Rebooked:
    """A booking after a change, and how much more it costs: less than 0, less."""

    booking: Booking
    price_difference: Decimal


LIVE = {"pending", "confirmed"}
WANTED = ("slot_id", "adults", "children", "infants")

_one = BookingSchema()
_day = Day()
_change = GuestChangeSchema()
_cancel = GuestCancelSchema()


def show(booking_id: str, token: str) -> ResponseReturnValue:
    """The booking; with `?date=` its departures of that day, with `?slot_id=…` what that change would come to."""
    by = guest()
    with db.transaction() as conn:
        booking = bookings.get_booking(conn, booking_id)
        if wants_json():
            return jsonify(_one.dump(booking))
        day = _asked_day(booking)
        wanted = {name: request.args[name] for name in WANTED if request.args.get(name)}
        return page(
            "booking",
            booking=booking,
            token=token,
            day=day,
            day_asked="date" in request.args,
            slots=_open_slots(conn, booking, day),
            wanted=wanted,
            preview=_change_it(conn, booking_id, load_form(_change, wanted), by, dry_run=True) if wanted else None,
            may_change=booking.status in LIVE,
            when=letters.show_time,
            money=letters.show_money,
            party=letters.show_party,
            **_cancelling(conn, booking, by),
        )


def change(booking_id: str, token: str) -> ResponseReturnValue:
    """Move it to another departure, change the party, or both."""
    body = load_form(_change)
    with db.transaction() as conn:
        changed = _change_it(conn, booking_id, body, guest(), dry_run=False)
    return _answer(changed.booking, token)


def cancel(booking_id: str, token: str) -> ResponseReturnValue:
    """Cancel it. What was paid is paid back as the tour's policy says, and as the page has shown."""
    body = load_form(_cancel)
    with db.transaction() as conn:
        cancelled = outcomes.cancel_booking(conn, booking_id, by=guest(), reason=body["reason"])
    return _answer(cancelled.booking, token)


def calendar(booking_id: str, token: str) -> ResponseReturnValue:
    """Its calendar file, as its last letter had it."""
    with db.transaction() as conn:
        booking = bookings.get_booking(conn, booking_id)
        last = bookings.find_last_change(conn, booking_id)
    text = calendar_of(
        booking,
        sequence=last.n if last else 0,
        changed_at=last.created_at if last else booking.created_at,
        url=links.manage_url(settings(), "booking", booking.id),
    )
    headers = {"Content-Disposition": f'attachment; filename="{booking.reference}.ics"'}
    return Response(text, headers=headers, content_type="text/calendar; charset=utf-8")


ACTIONS: dict[str, Callable[[str, str], ResponseReturnValue]] = {
    "change": change,
    "cancel": cancel,
    "calendar": calendar,
}
READS = {"calendar"}


def _change_it(conn: Connection, booking_id: str, body: dict[str, Any], by: By, *, dry_run: bool) -> Rebooked:
    """The booking as it is after the change, and how much more it costs; with `dry_run` only as it would be."""
    before = bookings.get_booking(conn, booking_id)
    with conn.transaction(force_rollback=dry_run):
        after = rebookings.change_booking(
            conn, booking_id, changes=Changes(**body, details={}), by=by, terms=terms_of(settings())
        )
    return Rebooked(after, after.total_amount - before.total_amount)


def _answer(booking: Booking, token: str) -> ResponseReturnValue:
    if wants_json():
        return jsonify(_one.dump(booking))
    return redirect(url_for("manage.show", token=token), 303)


def _cancelling(conn: Connection, booking: Booking, by: By) -> dict[str, Any]:
    """What cancelling would come to this second, or why it is too late."""
    if booking.status not in LIVE:
        return {"cancelling": None, "too_late": None}
    try:
        with conn.transaction(force_rollback=True):
            return {"cancelling": outcomes.cancel_booking(conn, booking.id, by=by), "too_late": None}
    except errors.TooLate as error:
        return {"cancelling": None, "too_late": error.message}
    except errors.InvalidTransition:
        return {"cancelling": None, "too_late": None}


def _asked_day(booking: Booking) -> date:
    try:
        day: date = _day.deserialize(request.args["date"])
    except (KeyError, ValidationError):
        return booking.slot_date
    return day


def _open_slots(conn: Connection, booking: Booking, day: date) -> list[Slot]:
    """The departures of a day that have room for anybody, and the booking's own."""
    if booking.status not in LIVE:
        return []
    try:
        _tour, departures = slots.list_slots(
            conn, tour_id=booking.resource_id, start_date=day, end_date=day, window=terms_of(settings()).window
        )
    except errors.ResourceNotFound:
        return []
    return [slot for slot in departures if slot.fits(1) or slot.id == booking.slot_id]
