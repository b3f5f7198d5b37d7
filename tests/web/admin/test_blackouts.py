"""/admin/resource-booking/blackouts."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import future_day, make_allocation, make_hold, make_resource

PATH = "/admin/resource-booking/blackouts"
Headers = dict[str, str]


def _sold() -> tuple[dict[str, Any], str, str]:
    """The body that closes the first of three days, and a hold and an allocation on it."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)
        hold_id = make_hold(conn, resource_id, days)
        allocation_id = make_allocation(conn, resource_id, days[:2], order_id="order_7", customer_email="a@b.test")
    body = {"resource_id": resource_id, "start_date": f"{days[0]}", "end_date": f"{days[0]}", "reason": "Service"}
    return body, hold_id, allocation_id


def test_a_blackout_is_made_listed_and_deleted(client: FlaskClient, admin: Headers) -> None:
    body, hold_id, allocation_id = _sold()

    made = client.post(PATH, json={**body, "cancel_existing_holds": True}, headers=admin)
    blackout = made.json["blackout"]
    listed = client.get(f"{PATH}?resource_id={body['resource_id']}", headers=admin)
    deleted = client.delete(f"{PATH}/{blackout['id']}", headers=admin)
    again = client.delete(f"{PATH}/{blackout['id']}", headers=admin)

    assert made.status_code == 201
    assert blackout | body == blackout
    assert blackout["id"].startswith("blackout_")
    assert (made.json["holds_affected"], made.json["holds_cancelled"], made.json["allocations_affected"]) == (1, 1, 1)
    assert made.json["affected"] == {
        "holds": [hold_id],
        "allocations": [
            {
                "id": allocation_id,
                "order_id": "order_7",
                "customer_email": "a@b.test",
                "dates": [f"{future_day(30)}", f"{future_day(31)}"],
                "quantity": 1,
            }
        ],
    }
    assert listed.json == {"blackouts": [blackout], "count": 1, "limit": 20, "offset": 0}
    assert deleted.json == {"id": blackout["id"], "object": "blackout", "deleted": True}
    assert (again.status_code, again.json["code"]) == (404, "blackout_not_found")


@pytest.mark.parametrize("where", ["query", "body"])
def test_a_dry_run_only_says_what_would_happen(client: FlaskClient, admin: Headers, where: str) -> None:
    body, hold_id, _ = _sold()
    body["cancel_existing_holds"] = True

    if where == "query":
        tried = client.post(f"{PATH}?dry_run=true", json=body, headers=admin)
    else:
        tried = client.post(PATH, json={**body, "dry_run": True}, headers=admin)

    assert tried.status_code == 200
    assert (tried.json["blackout"]["id"], tried.json["holds_cancelled"]) == (None, 1)
    assert tried.json["affected"]["holds"] == [hold_id]
    assert client.get(f"{PATH}?resource_id={body['resource_id']}", headers=admin).json["count"] == 0


def test_the_list_has_what_touches_the_range(client: FlaskClient, admin: Headers) -> None:
    body, _, _ = _sold()
    client.post(PATH, json=body, headers=admin)

    def count(**query: str) -> int:
        answer = client.get(PATH, query_string={"resource_id": body["resource_id"], **query}, headers=admin)
        assert answer.status_code == 200
        return int(answer.json["count"])

    assert count(start_date=body["end_date"]) == 1
    assert count(end_date=body["start_date"]) == 1
    assert count(start_date=f"{future_day(31)}") == 0
    assert count(end_date=f"{future_day(29)}") == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resource_id", 7),
        ("start_date", None),
        ("start_date", "2026-02-30"),
        ("end_date", "2020-01-01"),
        ("end_date", "2199-01-01"),
        ("cancel_existing_holds", "true"),
        ("dry_run", 1),
        ("reason", []),
        ("colour", "red"),
    ],
)
def test_bad_input_names_the_field(client: FlaskClient, admin: Headers, field: str, value: Any) -> None:
    body = {"resource_id": "res_any", "start_date": f"{future_day()}", "end_date": f"{future_day()}", field: value}

    refused = client.post(PATH, json=body, headers=admin)

    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, [field])


def test_an_unknown_resource_is_not_found(client: FlaskClient, admin: Headers) -> None:
    body = {"resource_id": "res_none", "start_date": f"{future_day()}", "end_date": f"{future_day()}"}

    for path in (PATH, f"{PATH}?dry_run=true"):
        refused = client.post(path, json=body, headers=admin)
        assert (refused.status_code, refused.json["code"]) == (404, "resource_not_found")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/blackout_x")])
def test_without_a_key_nothing_is_told(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(PATH + path, method=method, json={}).status_code == 401
