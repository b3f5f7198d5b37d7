"""GET /api/check-availability: the answer of the other faces, by what is asked for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from bridge.errors import ResourceNotFound
from bridge.web.endpoints import endpoint
from bridge.web.store.availability import answer_days
from schemas.availability import AvailabilitySchema
from schemas.reservations import CheckQuerySchema

blueprint = Blueprint("api_availability", __name__, url_prefix="/api")


@blueprint.get("/check-availability")
@endpoint(
    query=CheckQuerySchema,
    answers={200: AvailabilitySchema, 304: None},
    errors=(ResourceNotFound,),
    documents={"parameters": [{"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}]},
)
def check_availability(query: dict[str, Any]) -> Response:
    """What is free this second, all that is held counted as taken."""
    return answer_days(query)
