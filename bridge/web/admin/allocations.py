"""POST /admin/resource-booking/allocations/{id}/cancel."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db, errors
from bridge.core import allocations
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.allocations import CancelAllocationSchema, CancelledAllocationSchema

blueprint = Blueprint("admin_allocations", __name__, url_prefix="/admin/resource-booking/allocations")
blueprint.before_request(auth.demand("admin"))

_cancelled = CancelledAllocationSchema()


@blueprint.post("/<allocation_id>/cancel")
@endpoint(
    body=CancelAllocationSchema,
    answers={200: CancelledAllocationSchema},
    creates=True,
    errors=(errors.AllocationNotFound, errors.AllocationCancelled, errors.QuantityTooLarge),
)
def cancel_allocation(allocation_id: str, body: dict[str, Any]) -> Any:
    """Give back all or part of an allocation, for good."""
    with db.transaction() as conn:
        allocation, returned = allocations.cancel_allocation(conn, allocation_id, **body, actor=auth.actor())
    return _cancelled.dump({"allocation": allocation, "capacity_returned": returned})
