"""GET /api/check-availability."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import make_reservation, make_resource

PATH = "/api/check-availability"

pytestmark = pytest.mark.usefixtures("database_url")


def test_it_is_the_answer_of_the_store_with_what_is_held_taken(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=5, days=2)
        make_reservation(conn, resource_id, dates, 2)
    asked = {"resource_id": resource_id, "start_date": str(dates[0]), "end_date": str(dates[1])}

    answer = client.get(PATH, query_string=asked)
    one_day = client.get(PATH, query_string={"resource_id": resource_id, "date": str(dates[0]), "quantity": 4})

    assert answer.json == client.get("/store/resource-booking/availability", query_string=asked).json
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
    unchanged = client.get(PATH, query_string=asked, headers={"If-None-Match": answer.headers["ETag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "resource_id"),
        ({"resource_id": "res_1"}, "start_date"),
        ({"resource_id": "res_1", "start_date": "2027-01-01"}, "end_date"),
        ({"resource_id": "res_1", "date": "2027-01-01", "end_date": "2027-01-01"}, "date"),
        ({"resource_id": "res_1", "start_date": "2027-01-02", "end_date": "2027-01-01"}, "end_date"),
        ({"resource_id": "res_1", "date": "yesterday"}, "date"),
        ({"resource_id": "res_1", "date": "2027-01-01", "colour": "red"}, "colour"),
    ],
)
def test_what_is_not_right_is_named(client: FlaskClient, query: dict[str, str], field: str) -> None:
    answer = client.get(PATH, query_string=query)

    assert answer.status_code == 400
    assert f"{field}:" in answer.json["message"]


def test_an_unknown_resource_is_not_found(client: FlaskClient) -> None:
    answer = client.get(PATH, query_string={"resource_id": "res_nothing", "date": "2027-01-01"})

    assert (answer.status_code, answer.json["code"]) == (404, "resource_not_found")
