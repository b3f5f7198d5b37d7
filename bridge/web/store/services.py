"""/store/bookings/services and /store/bookings/availability: what can be booked, and when."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

import orjson
from flask import Blueprint, Response

from bridge import db
from bridge.core import diaries, services
from bridge.errors import ServiceNotFound, StaffNotFound
from bridge.rules.slots import quarter_start
from bridge.web.endpoints import endpoint
from bridge.web.tags import tagged
from schemas.appointments import SlotsSchema, StartsQuerySchema
from schemas.fields import show_instant
from schemas.pages import PageSchema
from schemas.services import ServicesSchema

blueprint = Blueprint("store_services", __name__, url_prefix="/store/bookings")

_page = ServicesSchema()


@blueprint.get("/services")
@endpoint(query=PageSchema, answers={200: ServicesSchema})
def list_services(query: dict[str, Any]) -> Any:
    """Services that can be booked, newest first."""
    with db.transaction() as conn:
        page, count = services.list_services(conn, **query, is_active=True)
    return _page.dump({"services": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/availability")
@endpoint(
    query=StartsQuerySchema,
    answers={200: SlotsSchema, 304: None},
    errors=(ServiceNotFound, StaffNotFound),
    documents={"parameters": [{"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}]},
)
def read_availability(query: dict[str, Any]) -> Response:
    """When a service can start on a date: every time somebody works, and whether it is free."""
    day = query["date"]
    with db.statement() as conn:
        crew = diaries.open_crew(
            conn, service_id=query["service_id"], staff_id=query["staff_id"], first_day=day, last_day=day
        )
    minutes = crew.service.duration_minutes
    slots = [
        {
            "start_at": start_at,
            "end_at": end_at,
            "staff_id": diary.staff_id,
            "time_zone": diary.hours.time_zone,
            "available": slot in starts.free,
        }
        for diary in crew.diaries
        for starts in (crew.starts(diary, day),)
        for slot in starts.offered
        for start_at, end_at in (_written(slot, minutes),)
    ]
    return tagged(orjson.dumps({"slots": slots}))


@lru_cache(maxsize=65536)  # Two weeks of quarter hours for each of a few lengths: writing them is most of the work.
def _written(slot: int, minutes: int) -> tuple[str, str]:
    start = quarter_start(slot)
    return show_instant(start), show_instant(start + timedelta(minutes=minutes))
