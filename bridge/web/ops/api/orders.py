"""/ops/api/orders: what happened to an order."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import failures
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.orders import TimelineSchema

blueprint = Blueprint("ops_api_orders", __name__, url_prefix="/ops/api/orders")
blueprint.before_request(auth.demand("ops"))

_timeline = TimelineSchema()


@blueprint.get("/<order_id>/timeline")
@endpoint(answers={200: TimelineSchema})
def get_timeline(order_id: str) -> Any:
    """All that happened to an order, the oldest first."""
    with db.transaction() as conn:
        return _timeline.dump({"order_id": order_id, "timeline": failures.order_timeline(conn, order_id)})
