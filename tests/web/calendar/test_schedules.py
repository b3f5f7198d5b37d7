"""/api/calendar/admin/schedules, and the departures made from them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db
from tests.factories import future_day
from tests.web.calendar.tours import (
    API,
    FIRST,
    Headers,
    book,
    booking_body,
    generate,
    make_departures,
    make_schedule,
    make_tour,
    schedule_body,
    spots,
)

PATH = f"{API}/admin/schedules"


def slots_of(client: FlaskClient, tour_id: str) -> list[dict[str, Any]]:
    query = {"start_date": FIRST.isoformat(), "end_date": (FIRST + timedelta(days=90)).isoformat()}
    listed: list[dict[str, Any]] = client.get(f"{API}/tours/{tour_id}/slots", query_string=query).json["slots"]
    return listed


# -- schedules ---------------------------------------------------------------------------------------------------------


def test_a_schedule_is_made_as_the_guide_shows_it(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    body = {
        "tour_id": tour_id,
        "name": "Summer Morning Tours",
        "start_time": "09:00:00",
        "duration_minutes": 180,
        "recurrence": "weekly",
        "monday": False,
        "tuesday": True,
        "wednesday": True,
        "thursday": True,
        "friday": False,
        "saturday": True,
        "sunday": True,
        "max_capacity": 15,
        "min_capacity": 4,
        "valid_from": "2027-06-01",
        "valid_until": "2027-09-30",
        "price_override": 85.00,
    }

    answer = client.post(PATH, json=body, headers=admin)
    shown = client.get(f"{PATH}/{answer.json['id']}", headers=admin)
    listed = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin)
    resource = client.get(f"/admin/resource-booking/resources/{tour_id}", headers=admin).json["resource"]

    assert answer.status_code == 201
    assert answer.json | body == answer.json
    assert answer.json["id"].startswith("sched_")
    assert answer.json["is_active"] is True
    assert shown.json == answer.json
    assert listed.json == {"schedules": [answer.json], "count": 1, "limit": 20, "offset": 0}
    assert resource["grain"] == "departure"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"min_capacity": 16}, "min_capacity"),
        ({"max_capacity": 0}, "max_capacity"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"start_time": "25:00"}, "start_time"),
        ({"start_time": "09:00Z"}, "start_time"),
        ({"recurrence": "hourly"}, "recurrence"),
        ({"recurrence": "custom"}, "custom_rule"),
        ({"recurrence": "custom", "custom_rule": {"rrule": "FREQ=HOURLY"}}, "custom_rule"),
        ({"recurrence": "custom", "custom_rule": {"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}}, "custom_rule"),
        ({"recurrence": "custom", "custom_rule": {"rrule": "FREQ=DAILY", "exdates": ["today"]}}, "exdates"),
        ({"custom_rule": {"rrule": "FREQ=DAILY"}}, "custom_rule"),
        ({"valid_until": "2020-01-01"}, "valid_until"),
        ({"price_override": -1}, "price_override"),
        ({"price_override": "free"}, "price_override"),
        ({"monday": "yes"}, "monday"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_is_no_schedule_is_refused_by_name(
    client: FlaskClient, admin: Headers, fields: dict[str, object], named: str
) -> None:
    tour_id = make_tour(client, admin)

    answer = client.post(PATH, json=schedule_body(tour_id, **fields), headers=admin)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")
    assert named in answer.json["message"]


def test_without_a_price_of_its_own_the_tours_is_taken(client: FlaskClient, admin: Headers) -> None:
    priced = make_tour(client, admin, price_per_person=60)
    unpriced = make_tour(client, admin)

    taken = client.post(PATH, json=schedule_body(priced, price_override=None), headers=admin)
    missing = client.post(PATH, json=schedule_body(unpriced, price_override=None), headers=admin)

    assert (taken.json["price_override"], taken.json["price_per_person"]) == (None, 60)
    assert (missing.status_code, missing.json["code"]) == (400, "price_missing")


def test_a_price_is_kept_in_whole_cents_so_that_what_is_shown_is_charged(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin, price_per_person=1.005)
    path = f"/admin/resource-booking/resources/{tour_id}"

    made = client.get(path, headers=admin).json["resource"]["price_per_person"]
    changed = client.put(path, json={"price_per_person": 2.004}, headers=admin).json["resource"]["price_per_person"]
    schedule = client.post(PATH, json=schedule_body(tour_id, price_override=84.995), headers=admin).json
    moved = client.put(f"{PATH}/{schedule['id']}", json={"price_override": 3.125}, headers=admin).json

    assert (made, changed) == (1.01, 2.0)
    assert (schedule["price_override"], moved["price_override"]) == (85.0, 3.13)


def test_what_is_sold_by_the_day_gets_no_departures(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    day = future_day().isoformat()
    opened = {"resource_id": tour_id, "start_date": day, "end_date": day, "daily_capacity": 5}
    client.post("/admin/resource-booking/capacity/initialize", json=opened, headers=admin)
    vehicle_id = make_tour(client, admin, type="VEHICLE")

    of_days = client.post(PATH, json=schedule_body(tour_id), headers=admin)
    of_vehicle = client.post(PATH, json=schedule_body(vehicle_id), headers=admin)
    of_none = client.post(PATH, json=schedule_body("res_none"), headers=admin)

    assert (of_days.status_code, of_days.json["code"]) == (409, "sold_by_the_day")
    assert (of_vehicle.status_code, of_vehicle.json["code"]) == (400, "invalid_data")
    assert (of_none.status_code, of_none.json["code"]) == (404, "resource_not_found")


def test_a_tour_with_departures_has_no_days_to_open(client: FlaskClient, admin: Headers) -> None:
    tour_id, _slots = make_departures(client, admin, days=1)
    day = future_day().isoformat()

    answer = client.post(
        "/admin/resource-booking/capacity/initialize",
        json={"resource_id": tour_id, "start_date": day, "end_date": day, "daily_capacity": 5},
        headers=admin,
    )

    assert (answer.status_code, answer.json["code"]) == (400, "wrong_grain")


def test_the_same_key_makes_one_schedule(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    headers = admin | {"Idempotency-Key": f"schedule-{tour_id}"}

    first, again = (client.post(PATH, json=schedule_body(tour_id), headers=headers) for _ in range(2))

    assert again.json == first.json
    assert client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["count"] == 1


# -- departures --------------------------------------------------------------------------------------------------------


def test_departures_are_generated_once_however_often(client: FlaskClient, admin: Headers) -> None:
    schedule_id = make_schedule(client, admin, make_tour(client, admin))

    first = generate(client, admin, schedule_id, days=5)
    again = generate(client, admin, schedule_id, days=6)

    assert (first["created"], first["skipped"], first["blacked_out"]) == (5, 0, 0)
    assert [slot["slot_date"] for slot in first["slots"]] == [f"{FIRST + timedelta(days=n)}" for n in range(5)]
    assert first["slots"][0]["slot_id"].startswith("slot_")
    assert (first["slots"][0]["start_time"], first["slots"][0]["end_time"]) == ("09:00:00", "12:00:00")
    assert (again["created"], again["skipped"]) == (1, 5)


def test_a_one_time_schedule_has_one_departure(client: FlaskClient, admin: Headers) -> None:
    schedule_id = make_schedule(client, admin, make_tour(client, admin), recurrence="none")

    generated = generate(client, admin, schedule_id, days=30)

    assert [slot["slot_date"] for slot in generated["slots"]] == [FIRST.isoformat()]


def test_none_is_generated_on_a_blackout_or_in_the_past(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    past = date.today() - timedelta(days=5)
    schedule_id = make_schedule(client, admin, tour_id, valid_from=past.isoformat())
    closed = {
        "tour_id": tour_id,
        "start_date": f"{FIRST}",
        "end_date": f"{FIRST + timedelta(days=1)}",
        "name": "Closed",
    }
    blackout = client.post(f"{API}/admin/blackouts", json=closed, headers=admin).json

    generated = generate(client, admin, schedule_id, days=3)
    of_the_past = generate(client, admin, schedule_id, days=3, first=past)
    client.delete(f"{API}/admin/blackouts/{blackout['id']}", headers=admin)
    opened = generate(client, admin, schedule_id, days=3)

    assert (generated["created"], generated["blacked_out"]) == (1, 2)
    assert (of_the_past["created"], of_the_past["skipped"]) == (0, 3)
    assert (opened["created"], opened["skipped"]) == (2, 1)


def test_two_schedules_that_meet_share_the_departure(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    first, second = (make_schedule(client, admin, tour_id) for _ in range(2))
    generate(client, admin, first, days=2)

    met = generate(client, admin, second, days=2)

    assert (met["created"], met["skipped"]) == (0, 2)
    assert len(slots_of(client, tour_id)) == 2


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start_date": "2027-01-01"},
        {"start_date": "2027-01-02", "end_date": "2027-01-01"},
        {"start_date": "2027-01-01", "end_date": "2029-01-01"},
        {"start_date": "2027-01-01", "end_date": "soon"},
    ],
)
def test_a_range_that_is_none_is_refused(client: FlaskClient, admin: Headers, query: dict[str, str]) -> None:
    schedule_id = make_schedule(client, admin, make_tour(client, admin))

    answer = client.post(f"{PATH}/{schedule_id}/generate-slots", query_string=query, headers=admin)

    assert answer.status_code == 400


def test_what_is_not_there_is_not_found(client: FlaskClient, admin: Headers) -> None:
    day = FIRST.isoformat()

    calls = [
        client.get(f"{PATH}/sched_none", headers=admin),
        client.put(f"{PATH}/sched_none", json={"name": "x"}, headers=admin),
        client.delete(f"{PATH}/sched_none", headers=admin),
        client.post(f"{PATH}/sched_none/generate-slots?start_date={day}&end_date={day}", headers=admin),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in calls] == [(404, "schedule_not_found")] * 4


def test_an_inactive_schedule_has_no_departures(client: FlaskClient, admin: Headers) -> None:
    schedule_id = make_schedule(client, admin, make_tour(client, admin), is_active=False)

    answer = client.post(f"{PATH}/{schedule_id}/generate-slots?start_date={FIRST}&end_date={FIRST}", headers=admin)

    assert (answer.status_code, answer.json["code"]) == (409, "schedule_inactive")


def test_the_wall_time_stays_when_clocks_change(client: FlaskClient, admin: Headers) -> None:
    """New York's clocks change on 1 November 2026 and on 14 March 2027."""
    tour_id = make_tour(client, admin, time_zone="America/New_York")
    schedule_id = make_schedule(
        client, admin, tour_id, start_time="01:30", valid_from="2026-11-01", valid_until="2099-12-31"
    )
    generate(client, admin, schedule_id, days=3, first=date(2027, 3, 13))

    query = {"start_date": "2027-03-13", "end_date": "2027-03-15"}
    slots = client.get(f"{API}/tours/{tour_id}/slots", query_string=query).json["slots"]

    assert [slot["start_time"] for slot in slots] == ["01:30:00"] * 3
    # Three hours later by everybody's watch, whatever the clock did meanwhile.
    assert [slot["end_time"] for slot in slots] == ["04:30:00", "05:30:00", "04:30:00"]
    with db.transaction() as conn:
        rows = conn.execute("SELECT starts_at FROM slot WHERE resource_id = %s ORDER BY 1", [tour_id]).fetchall()
    assert [row["starts_at"].hour for row in rows] == [6, 6, 5]


# -- changing ----------------------------------------------------------------------------------------------------------


def test_a_change_reaches_departures_and_strands_nobody(client: FlaskClient, admin: Headers) -> None:
    tour_id, [sold_id, *_others] = make_departures(client, admin, days=3)
    booking = book(client, tour_id, sold_id)
    schedule_id = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["schedules"][0]["id"]

    tried = client.put(f"{PATH}/{schedule_id}", json={"start_time": "10:00", "dry_run": True}, headers=admin)
    unchanged = slots_of(client, tour_id)
    done = client.put(f"{PATH}/{schedule_id}", json={"start_time": "10:00"}, headers=admin)

    assert tried.json["dry_run"] is True
    assert {slot["start_time"] for slot in unchanged} == {"09:00:00"}
    kept = {"slot_id": sold_id, "slot_date": FIRST.isoformat(), "start_time": "09:00:00", "seats": 3}
    assert done.json["effect"] == {"created": 3, "updated": 0, "withdrawn": 2, "kept": [kept], "overbooked": []}
    assert tried.json["effect"] == done.json["effect"]
    assert [slot["start_time"] for slot in slots_of(client, tour_id)] == ["10:00:00"] * 3
    assert client.get(f"{API}/bookings/{booking['id']}", headers=admin).json["tour_time"] == "09:00:00"
    refused = client.post(f"{API}/bookings", json=booking_body(tour_id, sold_id))
    assert (refused.status_code, refused.json["code"]) == (409, "slot_cancelled")
    confirmed = client.put(f"{API}/bookings/{booking['id']}", json={"status": "confirmed"}, headers=admin)
    assert confirmed.json["status"] == "confirmed"


def test_a_smaller_capacity_below_what_is_sold_is_told(client: FlaskClient, admin: Headers) -> None:
    tour_id, [sold_id, _free] = make_departures(client, admin)
    book(client, tour_id, sold_id)
    schedule_id = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["schedules"][0]["id"]

    answer = client.put(
        f"{PATH}/{schedule_id}",
        json={"max_capacity": 2, "min_capacity": 1, "price_override": 99, "duration_minutes": 60},
        headers=admin,
    )

    effect = answer.json["effect"]
    assert (effect["updated"], effect["kept"]) == (2, [])
    assert [(slot["slot_id"], slot["overbooked"]) for slot in effect["overbooked"]] == [(sold_id, 1)]
    sold, free = slots_of(client, tour_id)
    assert (sold["available_spots"], sold["max_capacity"], sold["current_bookings"]) == (0, 2, 3)
    assert (free["available_spots"], free["price_per_person"], free["end_time"]) == (2, 99, "10:00:00")


def test_weekdays_are_switched_one_by_one(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    schedule_id = make_schedule(client, admin, tour_id, recurrence="weekly", monday=True, friday=True)
    generate(client, admin, schedule_id, days=14)

    answer = client.put(f"{PATH}/{schedule_id}", json={"friday": False, "sunday": True}, headers=admin)

    assert (answer.json["monday"], answer.json["friday"], answer.json["sunday"]) == (True, False, True)
    weekdays = {date.fromisoformat(slot["slot_date"]).weekday() for slot in slots_of(client, tour_id)}
    assert weekdays == {0, 6}


def test_a_schedule_switched_off_and_on_again_has_its_departures_back(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, _other] = make_departures(client, admin)
    schedule_id = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["schedules"][0]["id"]

    off = client.put(f"{PATH}/{schedule_id}", json={"is_active": False}, headers=admin)
    nothing = slots_of(client, tour_id)
    client.put(f"{PATH}/{schedule_id}", json={"is_active": True}, headers=admin)
    back = generate(client, admin, schedule_id, days=2)

    assert off.json["effect"]["withdrawn"] == 2
    assert nothing == []
    assert back["created"] == 2
    assert {slot["slot_id"] for slot in back["slots"]} >= {slot_id}
    assert spots(client, tour_id, slot_id) == 15


def test_a_deleted_schedule_leaves_what_is_booked(client: FlaskClient, admin: Headers) -> None:
    tour_id, [sold_id, _free] = make_departures(client, admin)
    booking = book(client, tour_id, sold_id)
    schedule_id = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["schedules"][0]["id"]

    tried = client.delete(f"{PATH}/{schedule_id}?dry_run=true", headers=admin)
    done = client.delete(f"{PATH}/{schedule_id}", headers=admin)
    again = client.delete(f"{PATH}/{schedule_id}", headers=admin)

    assert (tried.json["deleted"], done.json["deleted"], again.status_code) == (False, True, 404)
    assert tried.json["effect"] == done.json["effect"]
    assert [slot["slot_id"] for slot in done.json["effect"]["kept"]] == [sold_id]
    assert client.get(f"{API}/bookings/{booking['id']}", headers=admin).json["status"] == "pending"


def test_what_cannot_be_is_refused_and_changes_nothing(client: FlaskClient, admin: Headers) -> None:
    tour_id, _slots = make_departures(client, admin)
    schedule_id = client.get(PATH, query_string={"tour_id": tour_id}, headers=admin).json["schedules"][0]["id"]

    for body in ({}, {"dry_run": True}, {"min_capacity": 99}, {"recurrence": "custom"}, {"valid_until": "2020-01-01"}):
        assert client.put(f"{PATH}/{schedule_id}", json=body, headers=admin).status_code == 400
    priceless = client.put(f"{PATH}/{schedule_id}", json={"price_override": None}, headers=admin)

    assert (priceless.status_code, priceless.json["code"]) == (400, "price_missing")
    assert client.get(f"{PATH}/{schedule_id}", headers=admin).json["price_override"] == 75
