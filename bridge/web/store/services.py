"""/store/bookings/services and /store/bookings/availability: what can be booked, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response

from bridge import db
from bridge.core import diaries, services
from bridge.errors import ServiceNotFound, StaffNotFound
from bridge.rules.openings import Starts
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
    return answer_starts(query["service_id"], staff_id=query["staff_id"], day=query["date"])


def answer_starts(service_id: str, *, staff_id: str | None, day: date) -> Response:
    """The answer for a date, or that it is still what the caller has. Raises ServiceNotFound, StaffNotFound."""
    with db.statement() as conn:
        crew = diaries.open_crew(conn, service_id=service_id, staff_id=staff_id, first_day=day, last_day=day)
    minutes = crew.service.duration_minutes
    slots = [
        slot
        for diary in crew.diaries
        for slot in _write_slots(crew.starts(diary, day), minutes, diary.staff_id, diary.hours.time_zone)
    ]
    return tagged(b'{"slots":[%b]}' % ",".join(slots).encode())


def _write_slots(starts: Starts, minutes: int, staff_id: str, time_zone: str) -> Iterator[str]:
    # As JSON at once: of fifty staff there are fifteen hundred, and neither an id nor a zone needs escaping.
    free, taken = (
        f',"staff_id":"{staff_id}","time_zone":"{time_zone}","available":{available}}}'
        for available in ("true", "false")
    )
    for slot in starts.offered:
        yield _written(slot, minutes) + (free if slot in starts.free else taken)


@lru_cache(maxsize=65536)  # Two weeks of quarter hours for each of a few lengths: writing times is most of the work.
def _written(slot: int, minutes: int) -> str:
    start = quarter_start(slot)
    return f'{{"start_at":"{show_instant(start)}","end_at":"{show_instant(start + timedelta(minutes=minutes))}"'
