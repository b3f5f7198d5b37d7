"""/admin/reservations: what is under each booking number, and what becomes of them all."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db, errors
from bridge.core import reservation_analytics, reservation_reports
from bridge.core.reservation_analytics import Group
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from schemas.reservation_reports import (
    AnalyticsQuerySchema,
    AnalyticsSchema,
    FiguresSchema,
    ListedReservationsSchema,
    ReservationAnswerSchema,
    ReservationsQuerySchema,
)

blueprint = Blueprint("admin_reservations", __name__, url_prefix="/admin/reservations")
blueprint.before_request(auth.demand("admin"))

_page = ListedReservationsSchema()
_one = ReservationAnswerSchema()
_analytics = AnalyticsSchema()
_figures = FiguresSchema()


@blueprint.get("")
@endpoint(query=ReservationsQuerySchema, answers={200: ListedReservationsSchema})
def list_reservations(query: dict[str, Any]) -> Any:
    """Reservations, newest first, each as it stands this second."""
    with db.transaction() as conn:
        page, count = reservation_reports.list_reservations(conn, **query, time_zone=settings().booking_time_zone)
    return _page.dump({"reservations": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<booking_number>")
@endpoint(answers={200: ReservationAnswerSchema}, errors=(errors.ReservationNotFound,))
def get_reservation(booking_number: str) -> Any:
    """One reservation, with every payment that was begun for it."""
    with db.transaction() as conn:
        return _one.dump({"reservation": reservation_reports.get_reservation(conn, booking_number)})


@blueprint.get("/analytics")
@endpoint(query=AnalyticsQuerySchema, answers={200: AnalyticsSchema}, errors=(errors.ResourceNotFound,))
def analyse_reservations(query: dict[str, Any]) -> Any:
    """What became of the reservations begun in a range of days: paid, lapsed, given up, and what could not be had."""
    with db.transaction() as conn:
        found = reservation_analytics.analyse(conn, **query, time_zone=settings().booking_time_zone)
    shown = _analytics.dump(
        {"date_range": found, "time_zone": found.time_zone, "summary": found.summary, **_asked(query)}
    )
    return shown | {"breakdown": [_show_group(group) for group in found.breakdown]}


def _asked(query: dict[str, Any]) -> dict[str, Any]:
    return {name: query[name] for name in ("resource_id", "group_by")}


def _show_group(group: Group) -> dict[str, Any]:
    figures: dict[str, Any] = _figures.dump(group.figures)
    if group.date is not None:
        return {"date": group.date.isoformat(), **figures}
    return {"resource_id": group.resource_id, "name": group.name, **figures}
