"""/api/reserve-availability and /api/reservations: items put under one booking number, shown, and taken out again."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response
from prometheus_client import Counter

from bridge import db, errors
from bridge.config import Config
from bridge.core import reservation_items, reservation_refusals, reservations, terms
from bridge.core.reservation_items import Terms
from bridge.core.reservations import Reservation
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from bridge.web.errors import answer_error
from bridge.web.limits import limit, limit_writes
from schemas.fields import show_instant
from schemas.reservations import ReservationSchema, ReserveSchema

ASKED = Counter("bridge_reservation_adds_total", "Additions to reservations, by what came of them.", ["outcome"])
ASKED.labels("held")  # There from the start: what appears with its first count is seen one too late.

blueprint = Blueprint("api_reservations", __name__, url_prefix="/api")
blueprint.before_request(limit_writes)

_TRIES = 4  # Where anybody's time would do, and somebody else had theirs first.


@blueprint.post("/reserve-availability")
@endpoint(
    body=ReserveSchema,
    answers={201: ReservationSchema},
    errors=(
        errors.ReservationNotFound,
        errors.ReservationClosed,
        errors.ResourceNotFound,
        errors.PastDates,
        errors.SlotNotFound,
        errors.ServiceNotFound,
        errors.InsufficientCapacity,
        errors.BlackedOut,
        errors.SlotCancelled,
        errors.SlotUnavailable,
        errors.OutsideBusinessHours,
        errors.TooManyItems,
        errors.TooManyRequests,
    ),
    creates=True,
)
def reserve_availability(body: dict[str, Any]) -> Any:
    """Hold items under one booking number, all or none. What is added starts the time of all of them again."""
    if body["customer_email"]:
        limit("email", body["customer_email"])
    for _ in range(_TRIES - 1):
        with suppress(_SomebodyWasFaster):
            return _add(body)
    return _add(body, is_last=True)


@blueprint.get("/reservations/<booking_number>")
@endpoint(answers={200: ReservationSchema}, errors=(errors.ReservationNotFound,))
def get_reservation(booking_number: str) -> Any:
    """A reservation as it stands this second."""
    with db.transaction() as conn:
        return show(reservations.get_reservation(conn, booking_number))


@blueprint.delete("/reservations/<booking_number>/items/<item_id>")
@endpoint(
    answers={200: ReservationSchema},
    errors=(
        errors.ReservationNotFound,
        errors.ReservationClosed,
        errors.ItemNotFound,
        errors.TooManyRequests,
    ),
)
def drop_item(booking_number: str, item_id: str) -> Any:
    """Take one item out of a reservation. The time of the others stays as it is."""
    with db.transaction() as conn:
        return show(reservations.drop_item(conn, booking_number, item_id, actor=auth.actor()))


@blueprint.errorhandler(errors.Conflict)
def count_refused(error: errors.Conflict) -> Response:
    """Count what could not be had. Here, where the transaction that was refused is over."""
    ASKED.labels(error.code).inc()
    # The answer is the refusal, whether it can be counted or not.
    with suppress(errors.Unavailable), db.statement() as conn:
        reservation_refusals.count(conn, error.details.get("items", []), time_zone=settings().booking_time_zone)
    return answer_error(error)


class _SomebodyWasFaster(Exception):
    """Whoever was chosen where anybody would do has been taken meanwhile; there may be others."""


def _add(body: dict[str, Any], *, is_last: bool = False) -> Any:
    config = settings()
    # In a savepoint: under an Idempotency-Key the transaction is that of the kept answer.
    with db.transaction() as conn, conn.transaction():
        items = reservation_items.read_items(conn, body["items"], terms=_terms(config))
        try:
            reservation, added = reservations.add_items(
                conn,
                items,
                booking_number=body["booking_number"],
                customer_email=body["customer_email"],
                hard_term=timedelta(minutes=float(config.hold_max_minutes)),
                actor=auth.actor(),
            )
        except errors.InsufficientCapacity as error:
            if is_last or not all(items[refused["index"]].is_any for refused in error.details["items"]):
                raise
            raise _SomebodyWasFaster from error
    ASKED.labels("held").inc()
    return show(reservation) | {"added": added}, 201


def show(reservation: Reservation) -> dict[str, Any]:
    """The reservation for whoever knows its number: nothing of the customer."""
    return {
        "bookingNumber": reservation.booking_number,
        "status": reservation.status,
        "expiresAt": show_instant(reservation.expires_at),
        # Rounded up, so that a fresh one of 15 minutes shows 900, and 0 means that it is over.
        "timeRemainingSeconds": math.ceil(reservation.seconds_left) if reservation.status == "open" else 0,
        "items": [_show_item(item) for item in reservation.items],
    }


def _show_item(item: reservations.ReservedItem) -> dict[str, Any]:
    return item.details | {
        "id": item.id,
        "resource_id": item.resource_id,
        "title": item.title,
        "quantity": item.quantity,
        "price": None if item.amount is None else float(item.amount),
        "currency_code": item.currency_code,
        "status": item.status,
        "expiresAt": show_instant(item.expires_at),
    }


def _terms(config: Config) -> Terms:
    return Terms(
        term=timedelta(minutes=float(config.reservation_minutes)),
        currency_code=config.default_currency,
        tours=terms.terms_of(config),
        variant_id=config.medusa_variant_id or None,
    )
