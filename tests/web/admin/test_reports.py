"""/admin/resource-booking/reports."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import resources
from bridge.ids import new_id
from tests.factories import ZONE, lapse, make_allocation, make_hold, make_resource

PATH = "/admin/resource-booking/reports"
Headers = dict[str, str]


def test_the_allocations_of_an_order(client: FlaskClient, admin: Headers) -> None:
    order_id = new_id("order")
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, name="Lake tour")
        allocation_id = make_allocation(
            conn, resource_id, days[:2], 3, order_id=order_id, line_item_id="item_5", customer_email="a@b.test"
        )

    answer = client.get(f"{PATH}/allocations?order_id={order_id}", headers=admin)

    (allocation,) = answer.json["allocations"]
    assert answer.status_code == 200
    assert allocation.pop("created_at").endswith("Z")
    assert allocation == {
        "id": allocation_id,
        "resource": {"id": resource_id, "name": "Lake tour"},
        "resource_id": resource_id,
        "order_id": order_id,
        "line_item_id": "item_5",
        "customer_email": "a@b.test",
        "dates": [f"{day}" for day in days[:2]],
        "quantity": 3,
        "status": "CONFIRMED",
        "posted_late": False,
    }
    assert {name: answer.json[name] for name in ("count", "total_quantity", "limit", "offset")} == {
        "count": 1,
        "total_quantity": 3,
        "limit": 20,
        "offset": 0,
    }


def test_allocations_are_filtered_by_status_and_date(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        gone, days = make_resource(conn)
        make_allocation(conn, gone, days, 2)
        resources.delete_resource(conn, gone, force=True, actor="tests")

    def count(**query: str) -> int:
        answer = client.get(f"{PATH}/allocations", query_string={"resource_id": gone, **query}, headers=admin)
        assert answer.status_code == 200
        return int(answer.json["count"])

    assert count() == 0
    assert count(status="CANCELLED") == count(status="ALL") == 1
    assert count(status="ALL", start_date=f"{days[2]}", end_date=f"{days[2]}") == 1
    assert count(status="ALL", end_date="2020-01-01") == 0
    assert client.get(f"{PATH}/allocations?resource_id=res_none", headers=admin).json["allocations"] == []


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("status", "status=LOST"),
        ("start_date", "start_date=x"),
        ("end_date", "start_date=2030-01-02&end_date=2030-01-01"),
        ("limit", "limit=1000"),
        ("colour", "colour=red"),
    ],
)
def test_a_bad_filter_is_named(client: FlaskClient, admin: Headers, field: str, query: str) -> None:
    refused = client.get(f"{PATH}/allocations?{query}", headers=admin)

    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, [field])


def test_what_became_of_todays_holds(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, name="Lake tour")
        lapse(conn, make_hold(conn, resource_id, days))
        make_allocation(conn, resource_id, days)
        make_hold(conn, resource_id, days)
        make_hold(conn, resource_id, days)

    answer = client.get(f"{PATH}/hold-expirations?resource_id={resource_id}", headers=admin)

    summary = answer.json["summary"]
    assert answer.json["date"] == f"{datetime.now(ZoneInfo(ZONE)).date()}"
    assert 0 <= summary.pop("average_seconds_to_confirm") < 5
    assert summary == {
        "total_holds_created": 4,
        "expired_before_confirmation": 1,
        "confirmed": 1,
        "manually_released": 0,
        "expiration_rate": 0.25,
    }
    (part,) = answer.json["resource_breakdown"]
    assert (part["resource_id"], part["name"], part["total_holds_created"]) == (resource_id, "Lake tour", 4)


def test_a_day_without_holds_is_empty(client: FlaskClient, admin: Headers) -> None:
    answer = client.get(f"{PATH}/hold-expirations?date=2001-02-03", headers=admin)

    assert answer.json == {
        "date": "2001-02-03",
        "summary": {
            "total_holds_created": 0,
            "expired_before_confirmation": 0,
            "confirmed": 0,
            "manually_released": 0,
            "expiration_rate": 0.0,
            "average_seconds_to_confirm": None,
        },
        "resource_breakdown": [],
    }


def test_a_bad_or_unknown_report_is_refused(client: FlaskClient, admin: Headers) -> None:
    bad = client.get(f"{PATH}/hold-expirations?date=2026-1-1", headers=admin)
    unknown = client.get(f"{PATH}/hold-expirations?resource_id=res_none", headers=admin)

    assert (bad.status_code, list(bad.json["details"]["fields"])) == (400, ["date"])
    assert (unknown.status_code, unknown.json["code"]) == (404, "resource_not_found")


@pytest.mark.parametrize("path", ["/allocations", "/hold-expirations"])
def test_without_a_key_nothing_is_told(client: FlaskClient, path: str) -> None:
    assert client.get(PATH + path).status_code == 401
