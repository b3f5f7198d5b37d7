"""GET /store/resource-booking/availability."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response

from bridge import db
from bridge.core import availability
from bridge.errors import ResourceNotFound
from bridge.web.endpoints import endpoint
from bridge.web.tags import tagged
from schemas.availability import AvailabilityQuerySchema, AvailabilitySchema

blueprint = Blueprint("store_availability", __name__, url_prefix="/store/resource-booking")


@blueprint.get("/availability")
@endpoint(
    query=AvailabilityQuerySchema,
    answers={200: AvailabilitySchema, 304: None},
    errors=(ResourceNotFound,),
    documents={"parameters": [{"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}]},
)
def read_availability(query: dict[str, Any]) -> Response:
    """What is free on each date of a range."""
    return answer_days(query)


def answer_days(query: dict[str, Any]) -> Response:
    """The answer for a range of dates, or that it is still what the caller has. Raises ResourceNotFound."""
    with db.statement() as conn:
        found = availability.read_days(conn, **query)
    body = orjson.dumps(
        {
            "resource": found.resource,
            "available_dates": [_shown(day) for day in found.days],
            "all_dates_available": all(day.is_available for day in found.days),
        }
    )
    return tagged(body)


def _shown(day: availability.Day) -> dict[str, Any]:
    # By hand, not by schema: a year of dates through marshmallow costs more than reading them.
    shown = {
        "date": day.date,
        "max_capacity": day.max_capacity,
        "available_capacity": day.available_capacity,
        "is_available": day.is_available,
    }
    return shown if day.reason is None else shown | {"reason": day.reason}
