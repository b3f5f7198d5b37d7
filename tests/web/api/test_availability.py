"""GET /api/check-availability."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import at, future_day, lapse_reservation, make_reservation, make_resource, make_shop
from tests.waiting import make_slot, make_tour, slot_id_of

PATH = "/api/check-availability"
DAY = future_day(20)  # Near enough for any advance window.

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def tour() -> tuple[str, str]:
    """A tour with a departure of six seats on DAY; its id and the departure's."""
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        return tour_id, slot_id_of(conn, make_slot(conn, tour_id, capacity=6, on=DAY))


def check(client: FlaskClient, **query: Any) -> Any:
    return client.get(PATH, query_string=query)


def reserve(client: FlaskClient, *items: dict[str, Any]) -> str:
    answer = client.post("/api/reserve-availability", json={"items": list(items)})
    assert answer.status_code == 201, answer.json
    return str(answer.json["bookingNumber"])


def run_out(number: str) -> None:
    with db.transaction() as conn:
        lapse_reservation(conn, number)


# -- dates -------------------------------------------------------------------------------------------------------------


def test_of_dates_it_is_the_answer_of_the_store_with_what_is_held_taken(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=5, days=2)
        number = make_reservation(conn, resource_id, dates, 2).booking_number
    asked = {"resource_id": resource_id, "start_date": str(dates[0]), "end_date": str(dates[1])}

    answer = check(client, **asked)
    one_day = check(client, resource_id=resource_id, date=str(dates[0]), quantity=4)
    of_people = check(client, resource_id=resource_id, date=str(dates[0]), num_people=4)
    run_out(number)
    free = check(client, **asked)

    assert [day["available_capacity"] for day in answer.json["available_dates"]] == [3, 3]
    assert one_day.json["available_dates"] == [
        {
            "date": str(dates[0]),
            "max_capacity": 5,
            "available_capacity": 3,
            "is_available": False,
            "reason": "sold_out",
        }
    ]
    assert of_people.json == one_day.json
    assert free.json == client.get("/store/resource-booking/availability", query_string=asked).json
    assert [day["available_capacity"] for day in free.json["available_dates"]] == [5, 5]


def test_who_has_the_answer_is_told_just_that(client: FlaskClient, tour: tuple[str, str]) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
        service_id, _staff_id = make_shop(conn)
    queries = [
        {"resource_id": resource_id, "date": str(dates[0])},
        {"resource_id": tour[0], "date": str(DAY)},
        {"resource_id": tour[0], "start_date": str(DAY), "end_date": str(DAY)},
        {"service_id": service_id, "date": str(DAY)},
    ]

    for query in queries:
        tag = check(client, **query).headers["ETag"]
        assert client.get(PATH, query_string=query, headers={"If-None-Match": tag}).status_code == 304


# -- departures --------------------------------------------------------------------------------------------------------


def test_of_a_tours_date_it_is_the_answer_of_its_calendar_with_what_is_held_taken(
    client: FlaskClient, tour: tuple[str, str]
) -> None:
    tour_id, slot_id = tour
    number = reserve(client, {"slot_id": slot_id, "party": {"adult": 3, "child": 1, "infant": 1}})

    def of_calendar(people: int) -> Any:
        body = {"tour_id": tour_id, "requested_date": str(DAY), "num_people": people}
        return client.post("/api/calendar/availability", json=body).json

    two = check(client, resource_id=tour_id, date=str(DAY), num_people=2)
    three = check(client, resource_id=tour_id, date=str(DAY), num_people=3)

    assert two.json == of_calendar(2)
    assert (two.json["available"], two.json["slots"][0]["available_spots"]) == (True, 2)
    assert three.json == of_calendar(3)
    assert (three.json["available"], three.json["reason"]) == (False, "sold_out")
    assert check(client, resource_id=tour_id, date=str(DAY)).json == of_calendar(1)
    run_out(number)
    assert check(client, resource_id=tour_id, date=str(DAY), num_people=3).json["slots"][0]["available_spots"] == 6


def test_of_a_tours_range_it_is_the_list_of_its_departures_with_what_is_held_taken(
    client: FlaskClient, tour: tuple[str, str]
) -> None:
    tour_id, slot_id = tour
    with db.transaction() as conn:
        other_id = slot_id_of(conn, make_slot(conn, tour_id, capacity=4, on=DAY + timedelta(days=1)))
    reserve(client, {"slot_id": slot_id, "party": {"adult": 4}})
    asked = {"start_date": str(DAY), "end_date": str(DAY + timedelta(days=1))}

    one = check(client, resource_id=tour_id, **asked)
    three = check(client, resource_id=tour_id, quantity=3, **asked)
    crowd = check(client, resource_id=tour_id, quantity=51, **asked)

    assert one.json == client.get(f"/api/calendar/tours/{tour_id}/slots", query_string=asked).json
    assert [(slot["slot_id"], slot["available_spots"], slot["reason"]) for slot in three.json["slots"]] == [
        (slot_id, 2, "sold_out"),
        (other_id, 4, None),
    ]
    assert [slot["is_available"] for slot in three.json["slots"]] == [False, True]
    assert {slot["reason"] for slot in crowd.json["slots"]} == {"party_size"}


def test_a_party_needs_its_seats(client: FlaskClient, tour: tuple[str, str]) -> None:
    tour_id, slot_id = tour
    reserve(client, {"slot_id": slot_id, "party": {"adult": 3}})

    def ask(**party: int) -> Any:
        return check(client, resource_id=tour_id, date=str(DAY), party=orjson.dumps(party).decode())

    assert ask(adult=2, child=1, infant=2).json["available"] is True
    assert ask(adult=2, child=2).json["available"] is False
    adults = [check(client, resource_id=tour_id, date=str(DAY), party=count) for count in (3, 4)]
    assert [answer.json["available"] for answer in adults] == [True, False]
    with db.transaction() as conn:
        conn.execute("UPDATE resource SET infants_take_seats = true WHERE id = %s", [tour_id])
    assert ask(adult=2, child=1, infant=2).json["available"] is False
    children = ask(child=2)
    assert (children.status_code, children.json["code"]) == (400, "party_size")


# -- somebody's time ---------------------------------------------------------------------------------------------------


def test_of_a_service_it_is_the_answer_of_the_store_with_what_is_held_taken(client: FlaskClient) -> None:
    with db.transaction() as conn:
        service_id, staff_id = make_shop(conn, duration_minutes=60)
    start = at("10:00", DAY)
    number = reserve(client, {"service_id": service_id, "start_at": start.isoformat()})
    asked = {"service_id": service_id, "date": str(DAY)}

    def free(**more: str) -> list[str]:
        slots = check(client, **asked, **more).json["slots"]
        return [slot["start_at"] for slot in slots if slot["available"]]

    shown = start.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert check(client, **asked).json == client.get("/store/bookings/availability", query_string=asked).json
    assert shown not in free()
    assert shown not in free(staff_id=staff_id)
    run_out(number)
    assert shown in free()
    assert shown in free(staff_id=staff_id)


# -- what is not right -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "resource_id"),
        ({"resource_id": "res_1"}, "start_date"),
        ({"resource_id": "res_1", "start_date": "2027-01-01"}, "end_date"),
        ({"resource_id": "res_1", "date": "2027-01-01", "end_date": "2027-01-01"}, "date"),
        ({"resource_id": "res_1", "start_date": "2027-01-02", "end_date": "2027-01-01"}, "end_date"),
        ({"resource_id": "res_1", "start_date": "2027-01-01", "end_date": "2028-01-01"}, "end_date"),
        ({"resource_id": "res_1", "date": "yesterday"}, "date"),
        ({"resource_id": "res_1", "date": "2027-01-01", "colour": "red"}, "colour"),
        ({"resource_id": "res_1", "date": "2027-01-01", "quantity": "0"}, "quantity"),
        ({"resource_id": "res_1", "date": "2027-01-01", "quantity": "2", "num_people": "2"}, "num_people"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": '{"adult": 1}', "quantity": "1"}, "party"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": "two of us"}, "party"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": "[2]"}, "party"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": "2.5"}, "party"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": "-1"}, "party.adult"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": '{"dog": 1}'}, "party.dog"),
        ({"resource_id": "res_1", "date": "2027-01-01", "party": '{"adult": -1}'}, "party.adult"),
        ({"resource_id": "res_1", "service_id": "bksvc_1", "date": "2027-01-01"}, "service_id"),
        ({"resource_id": "res_1", "staff_id": "bkstf_1", "date": "2027-01-01"}, "staff_id"),
        ({"service_id": "bksvc_1"}, "date"),
        ({"service_id": "bksvc_1", "start_date": "2027-01-01", "end_date": "2027-01-01"}, "start_date"),
        ({"service_id": "bksvc_1", "date": "2027-01-01", "quantity": "2"}, "quantity"),
    ],
)
def test_what_is_not_right_is_named(client: FlaskClient, query: dict[str, str], field: str) -> None:
    answer = client.get(PATH, query_string=query)

    assert answer.status_code == 400
    assert f"{field}:" in answer.json["message"]


def test_a_service_without_a_date_is_told_what_is_missing(client: FlaskClient) -> None:
    answer = client.get(PATH, query_string={"service_id": "bksvc_1"})

    assert answer.json["message"] == "date: Missing data for required field."


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"resource_id": "res_nothing"}, "resource_not_found"),
        ({"resource_id": "res_nothing", "party": '{"adult": 1}'}, "resource_not_found"),
        ({"service_id": "bksvc_nothing"}, "service_not_found"),
    ],
)
def test_what_there_is_not_is_not_found(client: FlaskClient, named: dict[str, str], code: str) -> None:
    answer = check(client, **named, date=str(DAY))

    assert (answer.status_code, answer.json["code"]) == (404, code)


def test_what_is_not_for_sale_is_not_found(client: FlaskClient, tour: tuple[str, str]) -> None:
    with db.transaction() as conn:
        resource_id, _dates = make_resource(conn, is_active=False)
        conn.execute("UPDATE resource SET is_active = false WHERE id = %s", [tour[0]])
        service_id, _staff_id = make_shop(conn)

    answers = [
        check(client, resource_id=resource_id, date=str(DAY)),
        check(client, resource_id=tour[0], date=str(DAY)),
        check(client, resource_id=tour[0], start_date=str(DAY), end_date=str(DAY)),
        check(client, service_id=service_id, staff_id="bkstf_nobody", date=str(DAY)),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4


def test_what_is_asked_for_in_another_kinds_words_is_told_its_own(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, _dates = make_resource(conn)
        _service_id, staff_id = make_shop(conn)

    of_days = check(client, resource_id=resource_id, date=str(DAY), party='{"adult": 1}')
    of_staff = check(client, resource_id=staff_id, date=str(DAY))

    assert (of_days.status_code, of_days.json["code"]) == (400, "wrong_grain")
    assert "quantity" in of_days.json["message"]
    assert (of_staff.status_code, of_staff.json["code"]) == (400, "wrong_grain")
    assert "service_id" in of_staff.json["message"]
