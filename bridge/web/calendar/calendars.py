"""/api/calendar/availability and /api/calendar/tours: when a tour departs, and what is free."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Any

import orjson
from flask import Blueprint, Response

from bridge import db
from bridge.core import calendars, slots
from bridge.core.slots import Slot, Tour
from bridge.core.terms import terms_of
from bridge.errors import ResourceNotFound
from bridge.web.endpoints import endpoint, settings
from bridge.web.tags import tagged
from schemas.calendars import (
    CheckAvailabilitySchema,
    DeparturesSchema,
    MonthQuerySchema,
    MonthSchema,
    SlotsQuerySchema,
    TourAvailabilitySchema,
)

_TAGGED = {"parameters": [{"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}]}

blueprint = Blueprint("calendars", __name__, url_prefix="/api/calendar")


@blueprint.post("/availability")
@endpoint(
    body=CheckAvailabilitySchema,
    answers={200: TourAvailabilitySchema, 304: None},
    errors=(ResourceNotFound,),
    documents=_TAGGED,
)
def check_availability(body: dict[str, Any]) -> Response:
    """Whether a party can come along on a date, why not, and when else."""
    with db.transaction() as conn:
        found = calendars.check_availability(conn, **body, terms=terms_of(settings()))
    return tagged(orjson.dumps(show_availability(found)))


def show_availability(found: calendars.Availability) -> dict[str, Any]:
    """What TourAvailabilitySchema says, by hand."""
    return {
        "available": bool(found.slots),
        "slots": [_show(slot) for slot in found.slots],
        "tour": _show_tour(found.tour),
        "reason": found.reason,
        "waitlist_available": found.waitlist_available,
        "alternatives": [_show(slot) for slot in found.alternatives],
    }


@blueprint.get("/tours/<tour_id>/monthly")
@endpoint(
    query=MonthQuerySchema,
    answers={200: MonthSchema, 304: None},
    errors=(ResourceNotFound,),
    documents=_TAGGED,
)
def read_month(tour_id: str, query: dict[str, Any]) -> Response:
    """What each date of a month has free."""
    first = date(query["year"], query["month"], 1)
    length = calendar.monthrange(query["year"], query["month"])[1]
    window = terms_of(settings()).window
    with db.statement() as conn:
        days = slots.read_month(
            conn, tour_id=tour_id, start_date=first, end_date=first + timedelta(days=length - 1), window=window
        )
    availability = {}
    for n in range(length):
        day = first + timedelta(days=n)
        found = days.get(day)
        spots = found.spots if found else 0
        availability[day] = {
            "available_spots": spots,
            "num_time_slots": found.departures if found else 0,
            "has_availability": spots > 0,
        }
    answer = {"tour_id": tour_id, "year": query["year"], "month": query["month"], "availability": availability}
    return tagged(orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS))


@blueprint.get("/tours/<tour_id>/slots")
@endpoint(
    query=SlotsQuerySchema,
    answers={200: DeparturesSchema, 304: None},
    errors=(ResourceNotFound,),
    documents=_TAGGED,
)
def list_slots(tour_id: str, query: dict[str, Any]) -> Response:
    """The departures of a range of dates, cancelled ones too: every one, unless a limit is given."""
    return answer_departures(tour_id, **query)


def answer_departures(
    tour_id: str, *, start_date: date, end_date: date, seats: int = 1, limit: int | None = None, offset: int = 0
) -> Response:
    """The departures of a range, and whether so many seats of each can be booked; or that the caller has it already.

    Raises ResourceNotFound.
    """
    terms = terms_of(settings())
    with db.statement() as conn:
        _tour, found = slots.list_slots(
            conn, tour_id=tour_id, start_date=start_date, end_date=end_date, window=terms.window
        )
    no_party = None if terms.min_size <= seats <= terms.max_size else "party_size"
    page = found[offset:] if limit is None else found[offset : offset + limit]
    shown = [_show_whole(slot, no_party or (None if slot.available_spots >= seats else "sold_out")) for slot in page]
    at = {"count": len(found), "limit": len(found) if limit is None else limit, "offset": offset}
    return tagged(orjson.dumps({"tour_id": tour_id, "slots": shown, **at}))


def _show(slot: Slot) -> dict[str, Any]:
    # By hand, and just what AvailableSlotSchema says: a year of departures through marshmallow costs more than reading
    # them.
    return {
        "slot_id": slot.id,
        "slot_date": slot.slot_date,
        "start_time": slot.start_time,
        "end_time": slot.end_time,
        "available_spots": slot.available_spots,
        "max_capacity": slot.max_capacity,
        "price_per_person": float(slot.price_per_person),
        "current_bookings": slot.booked,
    }


def _show_whole(slot: Slot, lacking: str | None) -> dict[str, Any]:
    # As DepartureSchema says.
    reason = slot.reason or lacking
    return _show(slot) | {
        "tour_id": slot.resource_id,
        "min_capacity": slot.min_capacity,
        "is_available": reason is None,
        "is_cancelled": slot.is_cancelled,
        "cancellation_reason": slot.cancellation_reason,
        "reason": reason,
    }


def _show_tour(tour: Tour) -> dict[str, Any]:
    hours = None if tour.duration_minutes is None else tour.duration_minutes / 60
    # 3, not 3.0: what a whole number of hours is written as.
    whole = hours is not None and hours == int(hours)
    return {"id": tour.id, "name": tour.name, "duration_hours": int(hours or 0) if whole else hours}
