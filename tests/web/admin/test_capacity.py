"""/admin/resource-booking/capacity."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import future_day, make_allocation, make_hold, make_resource

PATH = "/admin/resource-booking/capacity"
Headers = dict[str, str]
FIRST, LAST = future_day(30), future_day(32)
INITIALIZE: dict[str, Any] = {"start_date": f"{FIRST}", "end_date": f"{LAST}", "daily_capacity": 8}
ADJUST: dict[str, Any] = {"dates": [f"{FIRST}"], "adjustment": 1}


def _resource(**fields: Any) -> str:
    with db.transaction() as conn:
        return make_resource(conn, days=2, first_day=FIRST, **fields)[0]


def test_initializing_opens_and_skips(client: FlaskClient, admin: Headers) -> None:
    body = {**INITIALIZE, "resource_id": _resource(), "skip_existing": True}

    done = client.post(f"{PATH}/initialize", json=body, headers=admin)

    assert done.status_code == 201
    assert done.json == {
        "capacity_records_created": 1,
        "skipped_existing": 2,
        "updated": 0,
        "overbooked": [],
        "date_range": {"start_date": f"{FIRST}", "end_date": f"{LAST}"},
        "daily_capacity": 8,
    }


def test_initializing_again_sets_and_reports_what_is_over(client: FlaskClient, admin: Headers) -> None:
    resource_id = _resource()
    with db.transaction() as conn:
        make_allocation(conn, resource_id, [FIRST], 9)

    done = client.post(f"{PATH}/initialize", json={**INITIALIZE, "resource_id": resource_id}, headers=admin).json

    assert (done["capacity_records_created"], done["skipped_existing"], done["updated"]) == (1, 0, 2)
    assert done["overbooked"] == [{"date": f"{FIRST}", "overbooked": 1}]


def test_three_years_are_opened_at_once_and_not_a_day_more(client: FlaskClient, admin: Headers) -> None:
    body = {**INITIALIZE, "resource_id": _resource(), "end_date": f"{FIRST + timedelta(days=1095)}"}

    done = client.post(f"{PATH}/initialize", json=body, headers=admin)
    refused = client.post(
        f"{PATH}/initialize", json={**body, "end_date": f"{FIRST + timedelta(days=1096)}"}, headers=admin
    )

    assert (done.status_code, done.json["capacity_records_created"]) == (201, 1094)
    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, ["end_date"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resource_id", None),
        ("start_date", "soon"),
        ("start_date", "2026-13-01"),
        ("end_date", "2020-01-01"),
        ("end_date", 20300101),
        ("daily_capacity", -1),
        ("daily_capacity", "8"),
        ("daily_capacity", 8.5),
        ("daily_capacity", 10**9),
        ("skip_existing", "true"),
        ("colour", "red"),
    ],
)
def test_a_bad_initialization_names_the_field(client: FlaskClient, admin: Headers, field: str, value: Any) -> None:
    body = {**INITIALIZE, "resource_id": "res_any", field: value}

    refused = client.post(f"{PATH}/initialize", json=body, headers=admin)

    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, [field])


def test_adjusting_answers_each_day_as_it_is(client: FlaskClient, admin: Headers) -> None:
    resource_id = _resource()
    with db.transaction() as conn:
        make_hold(conn, resource_id, [FIRST], 4)
    body = {"resource_id": resource_id, "dates": [f"{FIRST}"], "adjustment": -999, "reason": "Blackout: service"}

    done = client.post(f"{PATH}/adjust", json=body, headers=admin)

    assert done.status_code == 200
    assert done.json == {
        "adjusted_dates": [f"{FIRST}"],
        "adjustment": -999,
        "new_capacities": [{"date": f"{FIRST}", "max_capacity": 0, "available_capacity": 0, "overbooked": 4}],
    }


def test_the_same_key_adjusts_once(client: FlaskClient, admin: Headers) -> None:
    body = {**ADJUST, "resource_id": _resource(capacity=5)}
    headers = {**admin, "Idempotency-Key": f"adjust-{body['resource_id']}"}

    answers = [client.post(f"{PATH}/adjust", json=body, headers=headers) for _ in range(2)]

    assert [answer.json["new_capacities"][0]["max_capacity"] for answer in answers] == [6, 6]


def test_days_that_are_not_open_are_named(client: FlaskClient, admin: Headers) -> None:
    body = {**ADJUST, "resource_id": _resource(), "dates": [f"{FIRST}", f"{LAST}"]}

    refused = client.post(f"{PATH}/adjust", json=body, headers=admin)

    assert (refused.status_code, refused.json["code"]) == (400, "not_open")
    assert refused.json["details"] == {"dates": [f"{LAST}"]}
    assert f"{LAST}" in refused.json["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dates", []),
        ("dates", [f"{FIRST}", f"{FIRST}"]),
        ("dates", [f"{FIRST + timedelta(days=n)}" for n in range(367)]),
        ("dates", [7]),
        ("dates", f"{FIRST}"),
        ("adjustment", "1"),
        ("adjustment", None),
        ("reason", 7),
    ],
)
def test_a_bad_adjustment_names_the_field(client: FlaskClient, admin: Headers, field: str, value: Any) -> None:
    body = {**ADJUST, "resource_id": "res_any", field: value}

    refused = client.post(f"{PATH}/adjust", json=body, headers=admin)

    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, [field])


@pytest.mark.parametrize(("path", "body"), [("/initialize", INITIALIZE), ("/adjust", ADJUST)])
def test_an_unknown_or_other_resource_is_refused(
    client: FlaskClient, admin: Headers, path: str, body: dict[str, Any]
) -> None:
    unknown = client.post(PATH + path, json={**body, "resource_id": "res_none"}, headers=admin)
    other = client.post(PATH + path, json={**body, "resource_id": _resource(grain="departure")}, headers=admin)

    assert (unknown.status_code, unknown.json["code"]) == (404, "resource_not_found")
    assert (other.status_code, other.json["code"]) == (400, "wrong_grain")


def test_the_report_is_of_every_day(client: FlaskClient, admin: Headers) -> None:
    resource_id = _resource(name="Lake tour")
    with db.transaction() as conn:
        make_allocation(conn, resource_id, [FIRST], 5)
        make_hold(conn, resource_id, [FIRST], 2)
    query = {"resource_id": resource_id, "start_date": f"{FIRST}", "end_date": f"{LAST}"}

    report = client.get(f"{PATH}/report", query_string=query, headers=admin)

    second = FIRST + timedelta(days=1)
    zeros = {"max_capacity": 0, "allocated": 0, "on_hold": 0, "available": 0, "utilization": 0.0}
    assert report.status_code == 200
    assert report.json == {
        "resource": {"id": resource_id, "name": "Lake tour", "type": "TOUR"},
        "date_range": {"start_date": f"{FIRST}", "end_date": f"{LAST}"},
        "group_by": "day",
        "summary": {
            "total_capacity": 20,
            "total_allocated": 5,
            "total_on_hold": 2,
            "total_available": 13,
            "utilization_rate": 0.25,
        },
        "daily_breakdown": [
            {"date": f"{FIRST}", "max_capacity": 10, "allocated": 5, "on_hold": 2, "available": 3, "utilization": 0.5},
            zeros | {"date": f"{second}", "max_capacity": 10, "available": 10},
            zeros | {"date": f"{LAST}"},
        ],
    }


def test_the_report_by_month_starts_on_the_first(client: FlaskClient, admin: Headers) -> None:
    query = {"resource_id": _resource(), "start_date": f"{FIRST}", "end_date": f"{FIRST}", "group_by": "month"}

    report = client.get(f"{PATH}/report", query_string=query, headers=admin).json

    assert [month["date"] for month in report["daily_breakdown"]] == [f"{FIRST.replace(day=1)}"]


def test_the_report_is_a_spreadsheet_that_computes_nothing(client: FlaskClient, admin: Headers) -> None:
    resource_id = _resource(name='=HYPERLINK("http://evil.test","Lake")')
    query = {"resource_id": resource_id, "start_date": f"{FIRST}", "end_date": f"{LAST}", "format": "csv"}

    report = client.get(f"{PATH}/report", query_string=query, headers=admin)

    rows = list(csv.reader(io.StringIO(report.text)))
    assert report.mimetype == "text/csv"
    assert report.headers["Content-Disposition"] == (f"attachment; filename=capacity-{resource_id}-{FIRST}-{LAST}.csv")
    assert rows[0] == [
        *("resource_id", "resource_name", "date", "max_capacity", "allocated", "on_hold", "available", "utilization")
    ]
    assert rows[1] == [
        *(resource_id, '\'=HYPERLINK("http://evil.test","Lake")', f"{FIRST}", "10", "0", "0", "10", "0.0")
    ]
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("start_date", "x"), ("end_date", "2020-01-01"), ("group_by", "year"), ("format", "xml"), ("colour", "red")],
)
def test_a_bad_report_names_the_field(client: FlaskClient, admin: Headers, field: str, value: str) -> None:
    query = {"resource_id": "res_any", "start_date": f"{FIRST}", "end_date": f"{LAST}", field: value}

    refused = client.get(f"{PATH}/report", query_string=query, headers=admin)

    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, [field])


def test_a_report_of_an_unknown_resource_is_not_found(client: FlaskClient, admin: Headers) -> None:
    query = {"resource_id": "res_none", "start_date": f"{FIRST}", "end_date": f"{LAST}"}

    assert client.get(f"{PATH}/report", query_string=query, headers=admin).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/initialize"), ("POST", "/adjust"), ("GET", "/report")])
def test_without_a_key_nothing_is_told(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(PATH + path, method=method, json={}).status_code == 401
