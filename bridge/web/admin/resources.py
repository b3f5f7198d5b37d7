"""/admin/resource-booking/resources: what is sold."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import resources
from bridge.errors import HasBookings, ResourceNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint, in_our_currency, settings
from schemas.resources import (
    CreateResourceSchema,
    DeletedResourceSchema,
    DeleteResourceQuerySchema,
    ResourceAnswerSchema,
    ResourcesQuerySchema,
    ResourcesSchema,
    ResourceWithStatsSchema,
    UpdateResourceSchema,
)

blueprint = Blueprint("admin_resources", __name__, url_prefix="/admin/resource-booking/resources")
blueprint.before_request(auth.demand("admin"))

_one = ResourceAnswerSchema()
_with_stats = ResourceWithStatsSchema()
_page = ResourcesSchema()
_deleted = DeletedResourceSchema()


@blueprint.post("")
@endpoint(body=CreateResourceSchema, answers={201: ResourceAnswerSchema}, creates=True)
def create_resource(body: dict[str, Any]) -> Any:
    """Make a resource that is sold by the day."""
    with db.transaction() as conn:
        resource = resources.create_resource(
            conn, **{"time_zone": settings().booking_time_zone, **in_our_currency(body, "price_per_person")}
        )
    return _one.dump({"resource": resource}), 201


@blueprint.get("")
@endpoint(query=ResourcesQuerySchema, answers={200: ResourcesSchema})
def list_resources(query: dict[str, Any]) -> Any:
    """List resources, newest first."""
    with db.transaction() as conn:
        page, count = resources.list_resources(conn, **query)
    return _page.dump({"resources": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<resource_id>")
@endpoint(answers={200: ResourceWithStatsSchema}, errors=(ResourceNotFound,))
def get_resource(resource_id: str) -> Any:
    """A resource, deleted ones too, and how it sells."""
    with db.transaction() as conn:
        resource = resources.get_resource(conn, resource_id)
        stats = resources.get_stats(conn, resource_id)
    return _with_stats.dump({"resource": resource, "stats": stats})


@blueprint.put("/<resource_id>")
@endpoint(body=UpdateResourceSchema, answers={200: ResourceAnswerSchema}, errors=(ResourceNotFound,))
def update_resource(resource_id: str, body: dict[str, Any]) -> Any:
    """Change some fields of a resource."""
    with db.transaction() as conn:
        resource = resources.update_resource(conn, resource_id, changes=in_our_currency(body, "price_per_person"))
    return _one.dump({"resource": resource})


@blueprint.delete("/<resource_id>")
@endpoint(query=DeleteResourceQuerySchema, answers={200: DeletedResourceSchema}, errors=(ResourceNotFound, HasBookings))
def delete_resource(resource_id: str, query: dict[str, Any]) -> Any:
    """Take a resource out of sale for good."""
    with db.transaction() as conn:
        deleted = resources.delete_resource(conn, resource_id, force=query["force"], actor=auth.actor())
    return _deleted.dump(deleted)
