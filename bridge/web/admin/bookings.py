"""/admin/bookings: appointments, as staff see and change them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db, errors
from bridge.core import appointments, moves, placements, prepayments
from bridge.core.appointments import Appointment
from bridge.core.placements import Wish
from bridge.db import Connection
from bridge.web import auth
from bridge.web.endpoints import endpoint
from bridge.web.store.bookings import PLACING_ERRORS, hold_terms, show_placed
from schemas.appointments import (
    AppointmentsQuerySchema,
    CancelAppointmentSchema,
    ChangesSchema,
    CreateAppointmentSchema,
    DeletedAppointmentSchema,
    StaffedAnswerSchema,
    StaffedAppointmentsSchema,
    UpdateAppointmentSchema,
)

blueprint = Blueprint("admin_bookings", __name__, url_prefix="/admin/bookings")
blueprint.before_request(auth.demand("admin"))

_one = StaffedAnswerSchema()
_page = StaffedAppointmentsSchema()
_changes = ChangesSchema()
_deleted = DeletedAppointmentSchema()


@blueprint.post("")
@endpoint(
    body=CreateAppointmentSchema,
    answers={201: StaffedAnswerSchema},
    errors=(*PLACING_ERRORS, errors.PaymentModeNotAllowed),
    creates=True,
)
def create_booking(body: dict[str, Any]) -> Any:
    """Book for a customer: confirmed at once, unless it is only to be held."""
    is_held, payment_mode = body.pop("hold"), body.pop("payment_mode")
    with db.transaction() as conn:
        booking = placements.place_appointment(conn, Wish(**body), actor=auth.actor(), **hold_terms())
        if not is_held:
            prepayments.check_mode(conn, booking, payment_mode)
            booking = appointments.confirm_appointment(conn, booking.id, actor=auth.actor(), payment_mode=payment_mode)
        booking = appointments.get_appointment(conn, booking.id)
    return {**show_placed(booking), **_one.dump({"booking": booking})}, 201


@blueprint.get("")
@endpoint(query=AppointmentsQuerySchema, answers={200: StaffedAppointmentsSchema})
def list_bookings(query: dict[str, Any]) -> Any:
    """List bookings, by their start."""
    with db.transaction() as conn:
        page, count = appointments.list_appointments(conn, **query)
    return _page.dump({"bookings": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<booking_id>")
@endpoint(answers={200: StaffedAnswerSchema}, errors=(errors.BookingNotFound,))
def get_booking(booking_id: str) -> Any:
    """One booking."""
    with db.transaction() as conn:
        return _one.dump({"booking": appointments.get_appointment(conn, booking_id)})


@blueprint.get("/<booking_id>/changes")
@endpoint(answers={200: ChangesSchema}, errors=(errors.BookingNotFound,))
def list_changes(booking_id: str) -> Any:
    """What became of a booking: when, what, who, why."""
    with db.transaction() as conn:
        return _changes.dump({"changes": appointments.list_changes(conn, booking_id)})


@blueprint.post("/<booking_id>")
@endpoint(
    body=UpdateAppointmentSchema,
    answers={200: StaffedAnswerSchema},
    errors=(errors.BookingNotFound, errors.InvalidTransition, errors.HoldExpired, *PLACING_ERRORS[1:]),
)
def update_booking(booking_id: str, body: dict[str, Any]) -> Any:
    """Move a booking, change whom it is for, what is noted of it, or its status; all of it or nothing."""
    with db.transaction() as conn:
        appointments.get_appointment(conn, booking_id)
        if body.keys() & {"start_at", "staff_id"}:
            when = {name: body[name] for name in ("start_at", "staff_id") if name in body}
            moves.move_appointment(conn, booking_id, **when, actor=auth.actor())
        if details := {name: body[name] for name in appointments.DETAILS if name in body}:
            appointments.update_details(conn, booking_id, changes=details)
        if "status" in body:
            _change_status(conn, booking_id, body["status"], body.get("reason"))
        return _one.dump({"booking": appointments.get_appointment(conn, booking_id)})


@blueprint.delete("/<booking_id>")
@endpoint(answers={200: DeletedAppointmentSchema}, errors=(errors.BookingNotFound, errors.InvalidTransition))
def delete_booking(booking_id: str) -> Any:
    """Take a booking off the calendar: it is cancelled, paid back whole, and stays on record."""
    with db.transaction() as conn:
        booking = _cancel(conn, booking_id, None)
    return _deleted.dump({"id": booking_id, "booking": booking})


@blueprint.post("/<booking_id>/cancel")
@endpoint(
    body=CancelAppointmentSchema,
    answers={200: StaffedAnswerSchema},
    errors=(errors.BookingNotFound, errors.InvalidTransition),
)
def cancel_booking(booking_id: str, body: dict[str, Any]) -> Any:
    """Cancel a booking. What was paid is paid back whole."""
    with db.transaction() as conn:
        return _one.dump({"booking": _cancel(conn, booking_id, body["reason"])})


@blueprint.post("/<booking_id>/complete")
@endpoint(answers={200: StaffedAnswerSchema}, errors=(errors.BookingNotFound, errors.InvalidTransition))
def complete_booking(booking_id: str) -> Any:
    """Say that the service was done."""
    return _close(booking_id, "completed")


@blueprint.post("/<booking_id>/no-show")
@endpoint(answers={200: StaffedAnswerSchema}, errors=(errors.BookingNotFound, errors.InvalidTransition))
def miss_booking(booking_id: str) -> Any:
    """Say that nobody came."""
    return _close(booking_id, "no_show")


def _close(booking_id: str, status: str) -> Any:
    with db.transaction() as conn:
        closed = appointments.close_appointment(conn, booking_id, status=status, actor=auth.actor())
    return _one.dump({"booking": closed})


def _cancel(conn: Connection, booking_id: str, reason: str | None) -> Appointment:
    return appointments.cancel_appointment(conn, booking_id, actor=auth.actor(), reason=reason or "cancelled by staff")


def _change_status(conn: Connection, booking_id: str, status: str, reason: str | None) -> None:
    match status:
        case "confirmed":
            appointments.confirm_appointment(conn, booking_id, actor=auth.actor())
        case "cancelled":
            _cancel(conn, booking_id, reason)
        case "completed" | "no_show":
            appointments.close_appointment(conn, booking_id, status=status, actor=auth.actor())
        case _:
            if appointments.get_appointment(conn, booking_id).status != status:
                raise errors.InvalidTransition("A booking cannot be held again; make another one.")
