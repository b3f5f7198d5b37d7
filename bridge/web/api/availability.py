"""GET /api/check-availability: the answer of the other faces, by what is asked for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from flask import Blueprint, Response

from bridge import db, errors
from bridge.core import calendars, parties, resources
from bridge.core.terms import terms_of
from bridge.rules.pricing import Party
from bridge.web.calendar.calendars import answer_departures, show_availability
from bridge.web.endpoints import endpoint, settings
from bridge.web.store.availability import answer_days
from bridge.web.store.services import answer_starts
from bridge.web.tags import tagged
from schemas.appointments import SlotsSchema
from schemas.availability import AvailabilitySchema
from schemas.calendars import DeparturesSchema, TourAvailabilitySchema
from schemas.reservations import CheckQuerySchema

blueprint = Blueprint("api_availability", __name__, url_prefix="/api")


@blueprint.get("/check-availability")
@endpoint(
    query=CheckQuerySchema,
    answers={200: (AvailabilitySchema, TourAvailabilitySchema, DeparturesSchema, SlotsSchema), 304: None},
    errors=(errors.ResourceNotFound, errors.ServiceNotFound, errors.StaffNotFound, errors.WrongGrain, errors.PartySize),
    documents={"parameters": [{"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}]},
)
def check_availability(query: dict[str, Any]) -> Response:
    """What is free this second, all that is held counted as taken: of days, of a tour's departures, of a service."""
    if query["service_id"] is not None:
        return answer_starts(query["service_id"], staff_id=query["staff_id"], day=query["date"])
    if query["party"] is None:
        days = {name: query[name] for name in ("resource_id", "start_date", "end_date", "quantity")}
        with suppress(errors.ResourceNotFound):  # None that is sold by the day.
            return answer_days(days)
    return _answer_tour(query)


def _answer_tour(query: dict[str, Any]) -> Response:
    """Of one date what the tours' own availability answers, of a range what their list of departures does."""
    terms = terms_of(settings())
    with db.transaction() as conn:
        tour = resources.get_resource(conn, query["resource_id"])
        if tour.grain == "day" and query["party"] is None:
            raise errors.ResourceNotFound  # Or its days would have been found.
        if tour.grain != "departure":
            raise errors.WrongGrain(_WRONG[tour.grain])
        seats = query["quantity"]
        if query["party"] is not None:
            party = Party(**query["party"])
            parties.check_size(party, terms)
            seats = party.seats(infants_take_seats=tour.infants_take_seats)
        if query["date"] is not None:
            found = calendars.check_availability(
                conn,
                tour_id=tour.id,
                requested_date=query["date"],
                num_people=seats,
                requested_time=None,
                terms=terms,
            )
            return tagged(orjson.dumps(show_availability(found)))
    return answer_departures(tour.id, start_date=query["start_date"], end_date=query["end_date"], seats=seats)


_WRONG = {
    "day": "This resource is sold by the day: give quantity, not party.",
    "quarter_hour": "This is somebody's time: give service_id, and staff_id for theirs.",
}
