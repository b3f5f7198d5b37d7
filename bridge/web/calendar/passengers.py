"""/api/calendar/admin/bookings: who comes along, and what became of each booking."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import booking_log, bookings
from bridge.errors import BookingNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.bookings import BookingsQuerySchema, BookingsSchema, ModificationsSchema
from schemas.pages import PageSchema

blueprint = Blueprint("calendar_passengers", __name__, url_prefix="/api/calendar/admin/bookings")
blueprint.before_request(auth.demand("admin"))

_page = BookingsSchema()
_log = ModificationsSchema()


@blueprint.get("")
@endpoint(query=BookingsQuerySchema, answers={200: BookingsSchema})
def list_bookings(query: dict[str, Any]) -> Any:
    """List bookings, newest first."""
    status = query.pop("status_filter") or query["status"]
    with db.transaction() as conn:
        page, count = bookings.list_bookings(conn, **query | {"status": status})
    return _page.dump({"bookings": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<booking_id>/modifications")
@endpoint(query=PageSchema, answers={200: ModificationsSchema}, errors=(BookingNotFound,))
def list_modifications(booking_id: str, query: dict[str, Any]) -> Any:
    """What became of a booking: who changed what, from what to what, why, and from where."""
    with db.transaction() as conn:
        bookings.get_booking(conn, booking_id)
        page, count = booking_log.list_changes(conn, booking_id, **query)
    return _log.dump({"modifications": page, "count": count, **query})
