"""/admin/bookings/staff: who works, and when; and whom a change would leave outside of the hours."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories import Shop, at, counters, future_day, make_appointment, make_service, make_shop, make_staff
from tests.web.ops.rows import committed

PATH = "/admin/bookings/staff"
Headers = dict[str, str]


@pytest.fixture
def shop(app: object) -> Shop:
    """A service, and somebody who does it from nine to five."""
    return committed(make_shop)


def booked(shop: Shop, **fields: Any) -> Any:
    return committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, **fields)


def test_somebody_is_added_with_their_hours(client: FlaskClient, admin: Headers) -> None:
    body = {
        "name": "Mia",
        "email": "mia@example.test",
        "avatar_url": "https://example.test/mia.png",
        "time_zone": "Europe/Paris",
        "service_ids": [committed(make_service)],
        "availability_rules": [
            {"rule_type": "recurring", "day_of_week": 0, "start_time": "09:00", "end_time": "24:00"}
        ],
    }

    answer = client.post(PATH, json=body, headers=admin)

    assert answer.status_code == 201, answer.json
    member = answer.json["staff"]
    assert member["id"].startswith("bkstf_")
    assert {name: member[name] for name in body if name != "availability_rules"} == {
        name: value for name, value in body.items() if name != "availability_rules"
    }
    rule = member["availability_rules"][0]
    assert (rule["start_time"], rule["end_time"], rule["day_of_week"]) == ("09:00", "24:00", 0)
    assert rule["id"].startswith("bkavl_")


def test_the_list_carries_the_rules(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    listed = client.get(f"{PATH}?service_id={shop.service_id}&limit=100", headers=admin).json["staff"]

    found = next(member for member in listed if member["id"] == shop.staff_id)
    assert [rule["day_of_week"] for rule in found["availability_rules"]] == list(range(7))
    assert found["time_zone"] == "Australia/Brisbane"


def test_rules_are_added_changed_and_taken_away(client: FlaskClient, admin: Headers) -> None:
    staff_id = committed(make_staff, rules=[])
    body = {
        "rule_type": "exception",
        "specific_date": "2027-03-01T00:00:00Z",
        "start_time": "10:00",
        "end_time": "12:00",
    }

    added = client.post(f"{PATH}/{staff_id}/availability", json=body, headers=admin)
    rule = added.json["availability_rule"]
    changed = client.post(f"/admin/bookings/availability/{rule['id']}", json={"end_time": "13:00"}, headers=admin)
    listed = client.get(f"{PATH}/{staff_id}/availability", headers=admin).json
    weekly = client.post(
        f"{PATH}/{staff_id}/availability/{rule['id']}", json={"rule_type": "recurring", "day_of_week": 3}, headers=admin
    )
    gone = client.delete(f"{PATH}/{staff_id}/availability/{rule['id']}", headers=admin)

    assert added.status_code == 201, added.json
    assert (rule["specific_date"], rule["staff_id"]) == ("2027-03-01", staff_id)
    assert changed.json["availability_rule"]["end_time"] == "13:00"
    assert listed["count"] == 1
    assert weekly.json["availability_rule"]["specific_date"] is None
    assert gone.json == {"id": rule["id"], "object": "availability_rule", "deleted": True, "conflicts": []}
    assert client.delete(f"/admin/bookings/availability/{rule['id']}", headers=admin).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"day_of_week": 7}, "day_of_week"),
        ({"day_of_week": None}, "day_of_week"),
        ({"day_of_week": True}, "day_of_week"),
        ({"specific_date": "2027-03-01"}, "specific_date"),
        ({"start_time": "9:00"}, "start_time"),
        ({"start_time": "25:00"}, "start_time"),
        ({"start_time": "09:00:30"}, "start_time"),
        ({"start_time": None}, "start_time"),
        ({"end_time": "09:00"}, "end_time"),
        ({"end_time": "08:00"}, "end_time"),
        ({"rule_type": "exception", "day_of_week": None}, "specific_date"),
        ({"rule_type": "sometimes"}, "rule_type"),
        ({"rule_type": "blocked", "day_of_week": None, "specific_date": "2027-02-30"}, "specific_date"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_field(
    client: FlaskClient, admin: Headers, shop: Shop, body: dict[str, Any], field: str
) -> None:
    rule = {"rule_type": "recurring", "day_of_week": 1, "start_time": "09:00", "end_time": "17:00", **body}

    answer = client.post(f"{PATH}/{shop.staff_id}/availability", json=rule, headers=admin)

    assert answer.status_code == 400, answer.json
    assert field in answer.json["details"]["fields"]


def test_a_blocked_day_needs_no_times_and_midnight_ends_a_day(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    path = f"{PATH}/{shop.staff_id}/availability"
    day = {"specific_date": "2027-03-01"}

    whole = client.post(path, json={"rule_type": "blocked", "is_available": True, **day}, headers=admin)
    late = client.post(
        path, json={"rule_type": "exception", "start_time": "22:00", "end_time": "00:00", **day}, headers=admin
    )

    assert whole.json["availability_rule"]["start_time"] == "00:00"
    assert whole.json["availability_rule"]["is_available"] is False
    assert late.json["availability_rule"]["end_time"] == "24:00"


def test_a_change_names_the_bookings_it_leaves_outside_and_strands_none(
    client: FlaskClient, admin: Headers, shop: Shop
) -> None:
    booking = booked(shop, confirmed=True, customer_name="Ada")
    booked(shop, start_at=at("10:00", future_day(31)))
    rule = {"rule_type": "blocked", "specific_date": future_day().isoformat()}
    path = f"{PATH}/{shop.staff_id}/availability"

    tried = client.post(f"{path}?dry_run=true", json=rule, headers=admin)
    done = client.post(path, json=rule, headers=admin)

    assert (tried.status_code, done.status_code) == (200, 201)
    for answer in (tried, done):
        assert [(found["id"], found["customer_name"]) for found in answer.json["conflicts"]] == [(booking.id, "Ada")]
    assert client.get(path, headers=admin).json["count"] == 8
    assert client.get(f"/admin/bookings/{booking.id}", headers=admin).json["booking"]["status"] == "confirmed"
    assert client.get(f"{PATH}/{shop.staff_id}", headers=admin).json["conflicts"][0]["id"] == booking.id


@pytest.mark.parametrize("change", [{"service_ids": None}, {"is_active": False}, {"time_zone": "America/New_York"}])
def test_a_change_of_the_member_of_staff_names_them_too(
    client: FlaskClient, admin: Headers, shop: Shop, change: dict[str, Any]
) -> None:
    booking = booked(shop)
    body = {name: [committed(make_service)] if value is None else value for name, value in change.items()}

    tried = client.post(f"{PATH}/{shop.staff_id}", json={**body, "dry_run": True}, headers=admin)

    assert [found["id"] for found in tried.json["conflicts"]] == [booking.id]
    assert client.get(f"{PATH}/{shop.staff_id}", headers=admin).json["staff"]["is_active"] is True


def test_who_is_booked_is_not_taken_away_unless_forced(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    booking = booked(shop, confirmed=True)
    path = f"{PATH}/{shop.staff_id}"

    refused = client.delete(path, headers=admin)
    tried = client.delete(f"{path}?force=true&dry_run=true", headers=admin)
    before = client.get(f"/admin/bookings/{booking.id}", headers=admin).json["booking"]["status"]
    forced = client.delete(f"{path}?force=true", headers=admin)

    assert (refused.status_code, refused.json["code"]) == (409, "has_bookings")
    assert refused.json["details"]["bookings"][0]["id"] == booking.id
    assert (tried.json["deleted"], before) == (False, "confirmed")
    assert (forced.json["deleted"], forced.json["conflicts"][0]["id"]) == (True, booking.id)
    assert client.get(f"/admin/bookings/{booking.id}", headers=admin).json["booking"]["status"] == "cancelled"
    assert committed(counters, resource_id=shop.staff_id) == [(0, 0), (0, 0)]
    assert client.get(path, headers=admin).status_code == 404


def test_whoever_is_unknown_is_not_found(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    rule = client.get(f"{PATH}/{shop.staff_id}/availability", headers=admin).json["availability_rules"][0]
    other = committed(make_staff)

    assert client.get(f"{PATH}/bkstf_none", headers=admin).status_code == 404
    assert client.post(f"{PATH}/bkstf_none", json={"name": "x"}, headers=admin).status_code == 404
    assert client.delete(f"{PATH}/bkstf_none", headers=admin).status_code == 404
    assert client.get(f"{PATH}/bkstf_none/availability", headers=admin).status_code == 404
    assert client.post(f"{PATH}/bkstf_none/availability", json={}, headers=admin).status_code in {400, 404}
    assert (
        client.post("/admin/bookings/availability/bkavl_none", json={"day_of_week": 1}, headers=admin).status_code
        == 404
    )
    wrong = client.post(f"{PATH}/{other}/availability/{rule['id']}", json={"day_of_week": 1}, headers=admin)
    assert (wrong.status_code, wrong.json["code"]) == (404, "rule_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"email": "nobody"}, "email"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"service_ids": ["bksvc_none"]}, "service_ids"),
        ({"service_ids": "all"}, "service_ids"),
        ({"avatar_url": "javascript:alert(1)"}, "avatar_url"),
        ({"availability_rules": [{"day_of_week": 1}]}, "start_time"),
        ({"availability_rules": [{"day_of_week": 9}]}, "availability_rules"),
    ],
)
def test_staff_that_make_no_sense_are_refused_by_field(
    client: FlaskClient, admin: Headers, body: dict[str, Any], field: str
) -> None:
    answer = client.post(PATH, json={"name": "Mia", **body}, headers=admin)

    assert answer.status_code == 400, answer.json
    assert field in answer.json["details"]["fields"]
