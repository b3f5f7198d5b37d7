"""/admin/resource-booking/resources."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import future_day, make_allocation, make_hold, make_resource

PATH = "/admin/resource-booking/resources"
Headers = dict[str, str]


def test_a_resource_is_made_read_changed_and_deleted(client: FlaskClient, admin: Headers) -> None:
    body = {
        "type": "VEHICLE",
        "name": "Land Cruiser 1",
        "description": "Seven seats",
        "metadata": {"license_plate": "ABC123", "seats": 7},
        "time_zone": "Asia/Kathmandu",
        "hold_minutes": 0.5,
        "shortfall_policy": "overbook",
        "overbook_limit": 2,
    }

    made = client.post(PATH, json=body, headers=admin)
    resource = made.json["resource"]
    read = client.get(f"{PATH}/{resource['id']}", headers=admin)
    changed = client.put(f"{PATH}/{resource['id']}", json={"is_active": False}, headers=admin)
    deleted = client.delete(f"{PATH}/{resource['id']}", headers=admin)
    after = client.get(f"{PATH}/{resource['id']}", headers=admin)

    assert made.status_code == 201
    assert resource | body == resource
    assert (resource["is_active"], resource["grain"], resource["deleted_at"]) == (True, "day", None)
    assert resource["created_at"].endswith("Z")
    assert read.json == {
        "resource": resource,
        "stats": {"total_allocations": 0, "upcoming_bookings": 0, "capacity_utilization": 0.0},
    }
    assert changed.json["resource"]["is_active"] is False
    assert changed.json["resource"]["name"] == "Land Cruiser 1"
    assert deleted.json == {
        "id": resource["id"],
        "object": "resource",
        "deleted": True,
        "holds_released": 0,
        "allocations_cancelled": 0,
    }
    assert after.json["resource"]["deleted_at"].endswith("Z")


def test_the_zone_is_the_business_zone_by_default(client: FlaskClient, admin: Headers) -> None:
    made = client.post(PATH, json={"type": "TOUR", "name": "Reef"}, headers=admin)

    assert made.json["resource"]["time_zone"] == "Australia/Brisbane"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "BOAT"),
        ("type", None),
        ("name", ""),
        ("name", 7),
        ("metadata", []),
        ("is_active", "yes"),
        ("is_active", 1),
        ("time_zone", "Mars/Olympus_Mons"),
        ("time_zone", "../etc/passwd"),
        ("hold_minutes", 0),
        ("hold_minutes", "30"),
        ("hold_minutes", True),
        ("hold_minutes", 1e300),
        ("shortfall_policy", "hope"),
        ("overbook_limit", -1),
        ("grain", "departure"),
    ],
)
def test_bad_input_names_the_field(client: FlaskClient, admin: Headers, field: str, value: object) -> None:
    refused = client.post(PATH, json={"type": "TOUR", "name": "Reef", field: value}, headers=admin)

    assert refused.status_code == 400
    assert refused.json["type"] == "invalid_data"
    assert list(refused.json["details"]["fields"]) == [field]


@pytest.mark.parametrize("body", [{}, {"id": "res_x"}, {"name": None}, [], "text"])
def test_a_change_must_change_something_it_may(client: FlaskClient, admin: Headers, body: object) -> None:
    with db.transaction() as conn:
        resource_id, _ = make_resource(conn)

    assert client.put(f"{PATH}/{resource_id}", json=body, headers=admin).status_code == 400


def test_a_resource_with_bookings_is_deleted_only_by_force(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)
        make_hold(conn, resource_id, days)
        make_allocation(conn, resource_id, days)

    refused = client.delete(f"{PATH}/{resource_id}", headers=admin)
    stats = client.get(f"{PATH}/{resource_id}", headers=admin).json["stats"]
    forced = client.delete(f"{PATH}/{resource_id}?force=true", headers=admin)

    assert (refused.status_code, refused.json["code"]) == (409, "has_bookings")
    assert refused.json["details"] == {"holds": 1, "allocations": 1}
    assert stats == {"total_allocations": 1, "upcoming_bookings": 1, "capacity_utilization": 0.1}
    assert (forced.json["holds_released"], forced.json["allocations_cancelled"]) == (1, 1)


def test_a_switched_off_resource_is_not_for_sale(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        resource_id, _ = make_resource(conn)
    day = future_day().isoformat()

    client.put(f"{PATH}/{resource_id}", json={"is_active": False}, headers=admin)

    report = f"/admin/resource-booking/capacity/report?resource_id={resource_id}&start_date={day}&end_date={day}"
    assert client.get(report, headers=admin).status_code == 200
    assert client.get(f"{PATH}/{resource_id}", headers=admin).json["resource"]["is_active"] is False


def test_the_list_is_filtered_and_paged(client: FlaskClient, admin: Headers) -> None:
    for kind, name in [("TOUR", "Glacier walk"), ("GUIDE", "Glacier guide"), ("TOUR", "Glacier flight")]:
        client.post(PATH, json={"type": kind, "name": name, "is_active": name != "Glacier walk"}, headers=admin)

    def names(query: str) -> list[str]:
        answer = client.get(f"{PATH}?q=gLACIER&{query}", headers=admin)
        assert answer.status_code == 200
        return [resource["name"] for resource in answer.json["resources"]]

    page = client.get(f"{PATH}?q=glacier&limit=1&offset=1", headers=admin).json
    assert (page["count"], page["limit"], page["offset"], len(page["resources"])) == (3, 1, 1, 1)
    assert names("type=TOUR") == ["Glacier flight", "Glacier walk"]
    assert names("is_active=false") == ["Glacier walk"]
    assert names("type=TOUR&is_active=true") == ["Glacier flight"]


@pytest.mark.parametrize(
    "query",
    ["type=BOAT", "is_active=maybe", "limit=0", "limit=101", "offset=-1", "colour=red", "limit=1&limit=2", "q="],
)
def test_a_bad_filter_is_refused(client: FlaskClient, admin: Headers, query: str) -> None:
    assert client.get(f"{PATH}?{query}", headers=admin).status_code == 400


def test_the_same_key_makes_one_resource(client: FlaskClient, admin: Headers) -> None:
    headers = {**admin, "Idempotency-Key": "make-reef-2"}
    body = {"type": "TOUR", "name": "Reef 2"}

    first = client.post(PATH, json=body, headers=headers)
    again = client.post(PATH, json=body, headers=headers)
    other = client.post(PATH, json={**body, "name": "Reef 3"}, headers=headers)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/res_x"), ("PUT", "/res_x"), ("DELETE", "/res_x")]
)
def test_without_a_key_nothing_is_told(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(PATH + path, method=method, json={}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_resource_is_not_found(client: FlaskClient, admin: Headers, method: str) -> None:
    body = {"name": "Any"} if method == "PUT" else None

    answer = client.open(f"{PATH}/res_none", method=method, json=body, headers=admin)

    assert (answer.status_code, answer.json["code"]) == (404, "resource_not_found")


def test_a_method_it_does_not_take_is_refused(client: FlaskClient, admin: Headers) -> None:
    assert client.patch(f"{PATH}/res_x", json={}, headers=admin).status_code == 405
