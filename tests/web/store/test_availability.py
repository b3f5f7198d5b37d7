"""GET /store/resource-booking/availability."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge import db
from bridge.ids import new_id
from tests.factories import future_day, lapse, make_allocation, make_hold, make_resource

PATH = "/store/resource-booking/availability"

pytestmark = pytest.mark.usefixtures("database_url")


def ask(client: FlaskClient, resource_id: str, first: date, last: date | None = None, **more: Any) -> TestResponse:
    headers = more.pop("headers", {})
    query = {"resource_id": resource_id, "start_date": first, "end_date": last or first, **more}
    return client.get(PATH, query_string=query, headers=headers)


def reasons(answer: TestResponse) -> list[str | None]:
    return [day.get("reason") for day in answer.json["available_dates"]]


def test_every_date_of_the_range_is_listed_with_what_is_left(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=5, days=2, name="Harbour tour")
        make_hold(conn, resource_id, [dates[0]], quantity=2)
        make_allocation(conn, resource_id, [dates[0]], quantity=1)

    answer = ask(client, resource_id, dates[0], dates[1])

    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.json == {
        "resource": {"id": resource_id, "name": "Harbour tour", "type": "TOUR"},
        "available_dates": [
            {"date": str(dates[0]), "max_capacity": 5, "available_capacity": 2, "is_available": True},
            {"date": str(dates[1]), "max_capacity": 5, "available_capacity": 5, "is_available": True},
        ],
        "all_dates_available": True,
    }


def test_a_date_that_is_not_to_be_had_says_why(client: FlaskClient) -> None:
    yesterday = date.today() - timedelta(days=1)
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=1, days=3, time_zone="UTC")
        past, _ = make_resource(conn, days=3, first_day=yesterday - timedelta(days=1), time_zone="UTC")
        make_hold(conn, resource_id, [dates[0]])
        conn.execute(
            "INSERT INTO blackout (id, resource_id, starts_on, ends_on, reason) VALUES (%s, %s, %s, %s, 'service')",
            [new_id("blackout"), resource_id, dates[1], dates[1]],
        )

    answer = ask(client, resource_id, dates[0], dates[2] + timedelta(days=1))
    before = ask(client, past, yesterday)

    assert reasons(answer) == ["sold_out", "blackout", None, "not_open"]
    assert [day["is_available"] for day in answer.json["available_dates"]] == [False, False, True, False]
    assert answer.json["all_dates_available"] is False
    assert before.json["available_dates"] == [
        {"date": str(yesterday), "max_capacity": 10, "available_capacity": 0, "is_available": False, "reason": "past"}
    ]


def test_a_date_is_available_for_as_many_as_are_asked_for(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=3, days=1)

    enough, too_many = ask(client, resource_id, dates[0], quantity=3), ask(client, resource_id, dates[0], quantity=4)

    assert enough.json["all_dates_available"] is True
    assert too_many.json["available_dates"][0] == {
        "date": str(dates[0]),
        "max_capacity": 3,
        "available_capacity": 3,
        "is_available": False,
        "reason": "sold_out",
    }


def test_a_browser_that_knows_the_answer_gets_304(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
    tag = ask(client, resource_id, dates[0]).headers["ETag"]

    again = ask(client, resource_id, dates[0], headers={"If-None-Match": tag})

    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == tag


def test_the_etag_changes_with_a_hold_and_comes_back_the_second_it_lapses(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
    empty = ask(client, resource_id, dates[0]).headers["ETag"]
    with db.transaction() as conn:
        hold_id = make_hold(conn, resource_id, dates)

    held = ask(client, resource_id, dates[0], headers={"If-None-Match": empty})
    with db.transaction() as conn:
        lapse(conn, hold_id)
    lapsed = ask(client, resource_id, dates[0], headers={"If-None-Match": held.headers["ETag"]})

    assert held.status_code == 200
    assert held.headers["ETag"] != empty
    assert lapsed.status_code == 200
    assert lapsed.headers["ETag"] == empty


def test_an_unknown_inactive_or_deleted_resource_is_not_found(client: FlaskClient) -> None:
    with db.transaction() as conn:
        inactive, _ = make_resource(conn, is_active=False)
        deleted, _ = make_resource(conn)
        conn.execute("UPDATE resource SET deleted_at = now() WHERE id = %s", [deleted])

    answers = [ask(client, resource_id, future_day()) for resource_id in ("res_none", inactive, deleted)]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].json == {
        "type": "not_found",
        "code": "resource_not_found",
        "message": "There is no such resource.",
        "details": {},
    }


def test_a_range_of_365_days_is_the_longest(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, _ = make_resource(conn)
    first = future_day()

    year = ask(client, resource_id, first, first + timedelta(days=364))
    longer = ask(client, resource_id, first, first + timedelta(days=365))

    assert len(year.json["available_dates"]) == 365
    assert longer.status_code == 400
    assert "end_date" in longer.json["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resource_id", ""),
        ("resource_id", "r" * 201),
        ("resource_id", "\0"),
        ("start_date", "tomorrow"),
        ("start_date", "2026-13-01"),
        ("start_date", "2026-02-30"),
        ("start_date", "20261224"),
        ("start_date", "2026-W52-4"),
        ("start_date", "2026-12-24T00:00:00Z"),
        ("start_date", "0001-01-01"),
        ("end_date", "9999-12-31"),
        ("end_date", "10000-01-01"),
        ("end_date", "2000-01-01"),
        ("quantity", "0"),
        ("quantity", "-1"),
        ("quantity", "1.5"),
        ("quantity", "many"),
        ("quantity", "1e9"),
        ("quantity", "9" * 400),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: FlaskClient, field: str, value: str) -> None:
    query = {"resource_id": "res_1", "start_date": future_day(), "end_date": future_day(), field: value}

    answer = client.get(PATH, query_string=query)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


def test_a_refusal_names_every_field_that_is_wrong(client: FlaskClient) -> None:
    answer = client.get(PATH, query_string={"start_date": "soon", "end_date": future_day(), "colour": "red"})

    assert answer.status_code == 400
    assert set(answer.json["details"]["fields"]) == {"resource_id", "start_date", "colour"}
    assert all(name in answer.json["message"] for name in ("resource_id", "start_date", "colour"))


def test_a_parameter_given_twice_is_refused(client: FlaskClient) -> None:
    answer = client.get(f"{PATH}?resource_id=a&resource_id=b&start_date=2026-12-24&end_date=2026-12-24")

    assert answer.status_code == 400
    assert "resource_id" in answer.json["message"]


@pytest.mark.parametrize("query", ["resource_id=%ff%fe", "resource_id=%00", "%00=1", "a" * 5000])
def test_garbage_in_the_query_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


def test_a_nul_character_is_refused_before_the_database_sees_it(client: FlaskClient) -> None:
    answer = client.get(f"{PATH}?resource_id=res%00&start_date=2026-12-24&end_date=2026-12-24")

    assert answer.status_code == 400
    assert "NUL" in answer.json["message"]


def test_only_get_is_taken(client: FlaskClient) -> None:
    answer = client.post(PATH, json={})

    assert (answer.status_code, answer.json["type"]) == (405, "not_allowed")
    assert "GET" in answer.headers["Allow"]
