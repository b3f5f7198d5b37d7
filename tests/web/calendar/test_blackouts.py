"""/api/calendar/admin/blackouts: the same blackouts as /admin/resource-booking/blackouts has."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import make_hold, make_resource
from tests.web.calendar.tours import API, FIRST, Headers, book, make_departures, make_tour, spots

PATH = f"{API}/admin/blackouts"
ELSEWHERE = "/admin/resource-booking/blackouts"


def body_of(tour_id: str | None, **fields: object) -> dict[str, object]:
    return {
        "tour_id": tour_id,
        "start_date": FIRST.isoformat(),
        "end_date": FIRST.isoformat(),
        "blackout_type": "holiday",
        "name": "Christmas Holiday",
        "description": "Closed for Christmas",
        **fields,
    }


def test_a_blackout_is_made_as_the_guide_shows_it(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    book(client, tour_id, slot_id)

    answer = client.post(PATH, json=body_of(tour_id), headers=admin)
    listed = client.get(PATH, query_string={"tour_id": tour_id, "blackout_type": "holiday"}, headers=admin)
    others = client.get(PATH, query_string={"tour_id": tour_id, "blackout_type": "weather"}, headers=admin)

    assert answer.status_code == 201
    assert answer.json | body_of(tour_id) == answer.json
    assert answer.json["id"].startswith("blackout_")
    assert (answer.json["is_active"], answer.json["holds_affected"], answer.json["holds_cancelled"]) == (True, 1, 0)
    assert [one["id"] for one in listed.json["blackouts"]] == [answer.json["id"]]
    assert others.json["count"] == 0
    assert spots(client, tour_id, slot_id) == 0


def test_both_faces_show_one_blackout(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    made = client.post(PATH, json=body_of(tour_id), headers=admin).json
    plain = {"resource_id": tour_id, "start_date": f"{FIRST}", "end_date": f"{FIRST}", "reason": "Service"}
    client.post(ELSEWHERE, json=plain, headers=admin)

    here = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["blackouts"]
    there = client.get(ELSEWHERE, query_string={"resource_id": tour_id}, headers=admin).json["blackouts"]

    assert {one["id"] for one in here} == {one["id"] for one in there}
    assert {one["name"] for one in here} == {"Christmas Holiday", "Service"}
    assert {one["reason"] for one in there} == {"Christmas Holiday", "Service"}
    assert {one["blackout_type"] for one in here} == {"holiday", "custom"}
    assert client.delete(f"{ELSEWHERE}/{made['id']}", headers=admin).status_code == 200
    assert client.delete(f"{PATH}/{made['id']}", headers=admin).status_code == 404


def test_one_that_is_not_active_closes_nothing(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    with db.transaction() as conn:
        vehicle_id, [day] = make_resource(conn, type="VEHICLE", days=1)

    for_tour = client.post(PATH, json=body_of(tour_id, is_active=False), headers=admin)
    client.post(PATH, json=body_of(vehicle_id, is_active=False, start_date=f"{day}", end_date=f"{day}"), headers=admin)

    assert for_tour.json["is_active"] is False
    book(client, tour_id, slot_id)
    with db.transaction() as conn:
        make_hold(conn, vehicle_id, [day])


def test_live_holds_are_released_when_asked_and_tried_before(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    body = body_of(tour_id, cancel_existing_holds=True)

    tried = client.post(PATH, json=body, query_string={"dry_run": "true"}, headers=admin)
    still = client.get(f"{API}/bookings/{booking['id']}", headers=admin).json["status"]
    done = client.post(PATH, json=body, headers=admin)

    assert (tried.status_code, tried.json["id"], tried.json["holds_cancelled"], still) == (200, None, 1, "pending")
    assert done.json["holds_cancelled"] == 1
    shown = client.get(f"{API}/bookings/{booking['id']}", headers=admin).json
    assert (shown["status"], shown["cancellation_reason"]) == ("cancelled", "blackout")


@pytest.mark.parametrize(
    "fields",
    [
        {"blackout_type": "strike"},
        {"end_date": "2020-01-01"},
        {"start_date": "soon"},
        {"is_active": "no"},
        {"reason": "because"},
    ],
)
def test_what_is_no_blackout_is_refused(client: FlaskClient, admin: Headers, fields: dict[str, object]) -> None:
    assert client.post(PATH, json=body_of(None, **fields), headers=admin).status_code == 400


def test_a_tour_that_is_none_is_not_found(client: FlaskClient, admin: Headers) -> None:
    assert client.post(PATH, json=body_of("res_none"), headers=admin).status_code == 404
    assert client.put(PATH, json={}, headers=admin).status_code == 405
