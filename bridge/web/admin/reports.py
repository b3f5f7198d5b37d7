"""/admin/resource-booking/reports: what is booked, and what became of holds."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import reports
from bridge.errors import ResourceNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from schemas.reports import AllocationsQuerySchema, AllocationsSchema, HoldExpirationsQuerySchema, HoldExpirationsSchema

blueprint = Blueprint("admin_reports", __name__, url_prefix="/admin/resource-booking/reports")
blueprint.before_request(auth.demand("admin"))

_page = AllocationsSchema()
_expirations = HoldExpirationsSchema()


@blueprint.get("/allocations")
@endpoint(query=AllocationsQuerySchema, answers={200: AllocationsSchema})
def list_allocations(query: dict[str, Any]) -> Any:
    """List allocations, newest first; only live ones unless `status` says otherwise."""
    status = None if query["status"] == "ALL" else query["status"]
    with db.transaction() as conn:
        page = reports.list_allocations(conn, **query | {"status": status})
    return _page.dump(
        {
            "allocations": page.allocations,
            "count": page.count,
            "total_quantity": page.total_quantity,
            "limit": query["limit"],
            "offset": query["offset"],
        }
    )


@blueprint.get("/hold-expirations")
@endpoint(query=HoldExpirationsQuerySchema, answers={200: HoldExpirationsSchema}, errors=(ResourceNotFound,))
def hold_expirations(query: dict[str, Any]) -> Any:
    """What became of the holds of a day."""
    with db.transaction() as conn:
        found = reports.hold_expirations(conn, **query, time_zone=settings().booking_time_zone)
    return _expirations.dump(found)
