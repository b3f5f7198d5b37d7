"""/store/bookings: what a storefront does with appointments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint

from bridge import db, errors, links
from bridge.core import appointments, moves, placements
from bridge.core.appointments import Appointment
from bridge.core.placements import Wish
from bridge.web import auth, prepaying
from bridge.web.endpoints import endpoint, settings
from bridge.web.limits import limit, limit_writes
from schemas.appointments import (
    AppointmentAnswerSchema,
    AppointmentSchema,
    AppointmentsSchema,
    CancelAppointmentSchema,
    ConfirmAppointmentSchema,
    ConfirmedAppointmentSchema,
    MoveAppointmentSchema,
    OwnAppointmentsQuerySchema,
    PlaceAppointmentSchema,
    PlacedAppointmentSchema,
    TokenQuerySchema,
)
from schemas.fields import Instant, Money, show_instant

LINK = "appointment"  # The kind of a guest's link to one.

blueprint = Blueprint("store_bookings", __name__, url_prefix="/store/bookings")
blueprint.before_request(limit_writes)

_one = AppointmentAnswerSchema()
_page = AppointmentsSchema()

PLACING_ERRORS = (
    errors.ServiceNotFound,
    errors.StaffNotFound,
    errors.ServiceNotOffered,
    errors.OffGrid,
    errors.InThePast,
    errors.TooLate,
    errors.TooFarAhead,
    errors.OutsideBusinessHours,
    errors.SlotUnavailable,
)


@blueprint.post("")
@endpoint(body=PlaceAppointmentSchema, answers={201: PlacedAppointmentSchema}, errors=PLACING_ERRORS, creates=True)
def place_booking(body: dict[str, Any]) -> Any:
    """Hold somebody's time for an appointment."""
    caller = auth.identify()
    customer_id = caller.customer_id if caller else None
    if not (customer_id or body["customer_email"] or body["customer_phone"]):
        raise errors.InvalidData(
            "customer_email: Give an e-mail address or a customer_phone.",
            fields={"customer_email": ["Give an e-mail address or a customer_phone."]},
        )
    if body["customer_email"]:
        limit("email", body["customer_email"])
    with db.statement() as conn:
        placed = placements.place_appointment(
            conn, Wish(**body, customer_id=customer_id), actor=auth.actor(), **hold_terms()
        )
    return show_placed(placed), 201


@blueprint.get("")
@endpoint(query=OwnAppointmentsQuerySchema, answers={200: AppointmentsSchema}, errors=(errors.Unauthorized,))
def list_bookings(query: dict[str, Any]) -> Any:
    """One's own bookings, by their start. For customers who are signed in."""
    caller = auth.identify()
    if caller is None or caller.customer_id is None:
        raise errors.Unauthorized
    with db.statement() as conn:
        page, count = appointments.list_appointments(conn, customer_id=caller.customer_id, **query)
    return _page.dump({"bookings": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<booking_id>")
@endpoint(
    query=TokenQuerySchema,
    answers={200: AppointmentAnswerSchema},
    errors=(errors.BookingNotFound, errors.NotYourBooking, errors.LinkInvalid),
)
def get_booking(booking_id: str, query: dict[str, Any]) -> Any:
    """A booking as it stands this second, for its owner."""
    with db.statement() as conn:
        booking = appointments.get_appointment(conn, booking_id)
    check_owner(booking, query["token"])
    return _one.dump({"booking": booking})


@blueprint.post("/<booking_id>/confirm")
@endpoint(
    body=ConfirmAppointmentSchema,
    query=TokenQuerySchema,
    answers={200: ConfirmedAppointmentSchema},
    errors=(
        errors.BookingNotFound,
        errors.NotYourBooking,
        errors.HoldExpired,
        errors.InvalidTransition,
        errors.PaymentModeNotAllowed,
        errors.PlatformUnavailable,
    ),
)
def confirm_booking(booking_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Confirm a booking that is paid in the shop, or begin to pay for it: then the paid order confirms it."""
    with db.statement() as conn:
        booking = appointments.get_appointment(conn, booking_id)
    # A guest who has just booked has nothing but the id, which nobody guesses; a customer's is for the customer.
    if booking.customer_id is not None:
        check_owner(booking, query["token"])
    return prepaying.confirm(booking, body["payment_mode"], actor=_actor())


@blueprint.post("/<booking_id>/cancel")
@endpoint(
    body=CancelAppointmentSchema,
    query=TokenQuerySchema,
    answers={200: AppointmentAnswerSchema},
    errors=(errors.BookingNotFound, errors.NotYourBooking, errors.LinkInvalid, errors.InvalidTransition),
)
def cancel_booking(booking_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Cancel one's own booking. What was paid is paid back as the service's terms say."""
    with db.transaction() as conn:
        check_owner(appointments.get_appointment(conn, booking_id), query["token"])
        cancelled = appointments.cancel_appointment(
            conn, booking_id, actor=_actor(), reason=body["reason"] or "cancelled by the customer", by_customer=True
        )
    return _one.dump({"booking": cancelled})


@blueprint.post("/<booking_id>/reschedule")
@endpoint(
    body=MoveAppointmentSchema,
    query=TokenQuerySchema,
    answers={200: AppointmentAnswerSchema},
    errors=(
        errors.BookingNotFound,
        errors.NotYourBooking,
        errors.LinkInvalid,
        errors.InvalidTransition,
        *PLACING_ERRORS[1:],
    ),
)
def move_booking(booking_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Move one's own booking to another time, or to somebody else, without letting go of the old before."""
    with db.transaction() as conn:
        check_owner(appointments.get_appointment(conn, booking_id), query["token"])
        moved = moves.move_appointment(conn, booking_id, **body, actor=_actor(), by_customer=True)
    return _one.dump({"booking": moved})


def check_owner(booking: Appointment, token: str | None) -> None:
    """Let only its customer, the guest who has its link, and staff go on. Raises NotYourBooking or LinkInvalid."""
    caller = auth.identify()
    is_theirs = caller is not None and caller.customer_id is not None and caller.customer_id == booking.customer_id
    if is_theirs or (caller is not None and "admin" in caller.scopes):
        return
    if token is None or links.read(settings(), token) != (LINK, booking.id):
        raise errors.NotYourBooking


def show_placed(booking: Appointment) -> dict[str, Any]:
    """The answer that a booking was made, with its link in both the places where clients look."""
    url = links.manage_url(settings(), LINK, booking.id)
    return {"booking": {**show(booking), "manage_url": url}, "manage_url": url}


def show(booking: Appointment) -> dict[str, Any]:
    """The booking as AppointmentSchema shows it (a test compares them), by hand: the schema takes ten times as long."""
    shown = {name: getattr(booking, name) for name in _PLAIN}
    shown |= {name: instant and show_instant(instant) for name in _INSTANTS for instant in (getattr(booking, name),)}
    return shown | {
        name: None if amount is None else float(amount) for name in _AMOUNTS for amount in (getattr(booking, name),)
    }


_INSTANTS = [name for name, field in AppointmentSchema().dump_fields.items() if isinstance(field, Instant)]
_AMOUNTS = [name for name, field in AppointmentSchema().dump_fields.items() if isinstance(field, Money)]
_PLAIN = [name for name in AppointmentSchema().dump_fields if name not in {*_INSTANTS, *_AMOUNTS}]


def hold_terms() -> dict[str, Any]:
    """How long an appointment is held, and at most."""
    config = settings()
    term = timedelta(minutes=float(config.appointment_hold_minutes))
    return {"term": term, "hard_term": max(term, timedelta(minutes=float(config.hold_max_minutes)))}


def _actor() -> str:
    caller = auth.identify()
    return caller.name if caller else "guest"
