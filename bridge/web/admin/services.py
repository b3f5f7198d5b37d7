"""/admin/bookings/services: what staff sell by the quarter hour."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import services
from bridge.errors import ServiceNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from schemas.services import (
    CreateServiceSchema,
    DeletedServiceSchema,
    ServiceAnswerSchema,
    ServicesQuerySchema,
    ServicesSchema,
    UpdateServiceSchema,
)

blueprint = Blueprint("admin_services", __name__, url_prefix="/admin/bookings/services")
blueprint.before_request(auth.demand("admin"))

_one = ServiceAnswerSchema()
_page = ServicesSchema()
_deleted = DeletedServiceSchema()


@blueprint.post("")
@endpoint(body=CreateServiceSchema, answers={201: ServiceAnswerSchema}, creates=True)
def create_service(body: dict[str, Any]) -> Any:
    """Make a service."""
    with db.transaction() as conn:
        service = services.create_service(conn, **{"currency_code": settings().default_currency.lower(), **body})
    return _one.dump({"service": service}), 201


@blueprint.get("")
@endpoint(query=ServicesQuerySchema, answers={200: ServicesSchema})
def list_services(query: dict[str, Any]) -> Any:
    """List services, newest first."""
    with db.transaction() as conn:
        page, count = services.list_services(conn, **query)
    return _page.dump({"services": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<service_id>")
@endpoint(answers={200: ServiceAnswerSchema}, errors=(ServiceNotFound,))
def get_service(service_id: str) -> Any:
    """One service."""
    with db.transaction() as conn:
        return _one.dump({"service": services.get_service(conn, service_id)})


@blueprint.post("/<service_id>")
@endpoint(body=UpdateServiceSchema, answers={200: ServiceAnswerSchema}, errors=(ServiceNotFound,))
def update_service(service_id: str, body: dict[str, Any]) -> Any:
    """Change some fields of a service. What is booked keeps what was agreed."""
    with db.transaction() as conn:
        return _one.dump({"service": services.update_service(conn, service_id, changes=body)})


@blueprint.delete("/<service_id>")
@endpoint(answers={200: DeletedServiceSchema}, errors=(ServiceNotFound,))
def delete_service(service_id: str) -> Any:
    """Take a service out of sale for good. What is booked stays booked."""
    with db.transaction() as conn:
        services.delete_service(conn, service_id)
    return _deleted.dump({"id": service_id})
