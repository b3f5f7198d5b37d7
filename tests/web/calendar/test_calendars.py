"""/api/calendar/availability and /api/calendar/tours."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient

from bridge import db
from schemas.calendars import AvailableSlotSchema, DepartureSchema
from tests.factories import lapse
from tests.web.calendar.tours import API, FIRST, Headers, book, generate, make_departures, make_schedule, make_tour


def ask(client: FlaskClient, tour_id: str, **fields: object):
    body = {"tour_id": tour_id, "requested_date": FIRST.isoformat(), "num_people": 4, **fields}
    return client.post(f"{API}/availability", json=body)


def close(client: FlaskClient, admin: Headers, tour_id: str | None, day: date) -> str:
    body = {
        "tour_id": tour_id,
        "start_date": f"{day}",
        "end_date": f"{day}",
        "blackout_type": "holiday",
        "name": "Closed",
    }
    return str(client.post(f"{API}/admin/blackouts", json=body, headers=admin).json["id"])


# -- availability ------------------------------------------------------------------------------------------------------


def test_departures_with_room_are_shown_as_the_guide_shows_them(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, _other] = make_departures(client, admin)
    book(client, tour_id, slot_id, num_adults=6)

    answer = ask(client, tour_id, requested_time="09:00:00")

    assert answer.status_code == 200
    [slot] = answer.json["slots"]
    assert (
        slot
        | {
            "slot_id": slot_id,
            "start_time": "09:00:00",
            "end_time": "12:00:00",
            "available_spots": 8,
            "max_capacity": 15,
            "price_per_person": 75,
            "current_bookings": 7,
        }
        == slot
    )
    assert answer.json["tour"] == {"id": tour_id, "name": "Jerusalem Old City Tour", "duration_hours": 3}
    assert (answer.json["available"], answer.json["reason"]) == (True, None)
    assert (answer.json["waitlist_available"], answer.json["alternatives"]) == (False, [])


def test_a_full_date_says_so_and_offers_others(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, next_id, last_id] = make_departures(client, admin, days=3, max_capacity=5, min_capacity=1)
    book(client, tour_id, slot_id)

    answer = ask(client, tour_id).json

    assert (answer["available"], answer["slots"], answer["reason"]) == (False, [], "sold_out")
    assert answer["waitlist_available"] is True
    assert [slot["slot_id"] for slot in answer["alternatives"]] == [next_id, last_id]


def test_who_would_never_fit_need_not_wait(client: FlaskClient, admin: Headers) -> None:
    tour_id, _slots = make_departures(client, admin, max_capacity=3, min_capacity=1)

    answer = ask(client, tour_id).json

    assert (answer["reason"], answer["waitlist_available"], answer["alternatives"]) == ("sold_out", False, [])


def test_an_answer_that_has_not_changed_is_not_sent_again(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    body = {"tour_id": tour_id, "requested_date": FIRST.isoformat(), "num_people": 4}
    headers = {"If-None-Match": ask(client, tour_id).headers["ETag"]}

    same = client.post(f"{API}/availability", json=body, headers=headers)
    book(client, tour_id, slot_id)
    changed = client.post(f"{API}/availability", json=body, headers=headers)

    assert (same.status_code, same.data) == (304, b"")
    assert changed.status_code == 200


def test_seats_whose_hold_has_lapsed_are_free_the_same_second(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1, max_capacity=4, min_capacity=1)
    booking = book(client, tour_id, slot_id)
    with db.transaction() as conn:
        lapse(conn, booking["hold_id"])

    assert ask(client, tour_id).json["available"] is True


def test_why_not(client: FlaskClient, admin: Headers) -> None:
    tour_id, [_first, _second, third] = make_departures(client, admin, days=3)
    close(client, admin, tour_id, FIRST)
    close(client, admin, tour_id, FIRST + timedelta(days=40))
    with db.transaction() as conn:
        conn.execute("UPDATE slot SET cancelled_at = now(), cancellation_reason = 'Storm' WHERE id = %s", [third])
    days = {
        0: "blackout",
        40: "blackout",  # Though it has no departures.
        2: "slot_cancelled",
        10: "no_departures",
        -100: "too_late",
        300: "too_far_ahead",
    }

    found = {n: ask(client, tour_id, requested_date=f"{FIRST + timedelta(days=n)}").json["reason"] for n in days}
    of_many = ask(client, tour_id, num_people=51).json
    at_no_time = ask(client, tour_id, requested_date=f"{FIRST + timedelta(days=1)}", requested_time="10:00").json

    assert found == days
    assert (of_many["reason"], of_many["available"]) == ("party_size", False)
    assert (at_no_time["reason"], len(at_no_time["alternatives"])) == ("no_departures", 1)


def test_what_leaves_too_soon_cannot_be_had(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    with db.transaction() as conn:
        conn.execute("UPDATE slot SET starts_at = now() + INTERVAL '23 hours' WHERE id = %s", [slot_id])

    assert ask(client, tour_id).json["reason"] == "too_late"


def test_a_blackout_of_everything_closes_every_tour(client: FlaskClient, admin: Headers) -> None:
    far = date.today() + timedelta(days=85)  # No other test has anything to do with that day.
    tour_id = make_tour(client, admin)
    generate(client, admin, make_schedule(client, admin, tour_id, valid_until=None), days=1, first=far)
    blackout_id = close(client, admin, None, far)

    closed = ask(client, tour_id, requested_date=f"{far}").json
    client.delete(f"{API}/admin/blackouts/{blackout_id}", headers=admin)
    opened = ask(client, tour_id, requested_date=f"{far}").json

    assert (closed["reason"], opened["available"]) == ("blackout", True)


@pytest.mark.parametrize(
    "fields",
    [
        {"num_people": 0},
        {"num_people": "4"},
        {"requested_date": "25.12.2027"},
        {"requested_time": "nine"},
        {"people": 4},
    ],
)
def test_what_cannot_be_asked_is_refused(client: FlaskClient, admin: Headers, fields: dict[str, object]) -> None:
    answer = ask(client, make_tour(client, admin), **fields)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


@pytest.mark.parametrize("tour_id", [1, None, "", ["res_1"]])
def test_the_id_of_a_tour_is_a_text(client: FlaskClient, tour_id: object) -> None:
    assert ask(client, tour_id).status_code == 400  # type: ignore[arg-type]  # That is the point.


def test_a_tour_that_is_none_is_not_found(client: FlaskClient, admin: Headers) -> None:
    vehicle_id = make_tour(client, admin, type="VEHICLE")
    inactive_id = make_tour(client, admin, is_active=False)

    for tour_id in ("res_none", vehicle_id, inactive_id):
        assert ask(client, tour_id).status_code == 404
        assert client.get(f"{API}/tours/{tour_id}/monthly?year=2027&month=1").status_code == 404
        assert client.get(f"{API}/tours/{tour_id}/slots?start_date=2027-01-01&end_date=2027-01-02").status_code == 404


def test_a_tour_without_schedules_has_nothing(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)

    answer = ask(client, tour_id)

    assert answer.json["reason"] == "no_departures"
    assert answer.json["tour"]["duration_hours"] is None


# -- months ------------------------------------------------------------------------------------------------------------


def test_a_month_has_all_its_dates(client: FlaskClient, admin: Headers) -> None:
    tour_id = make_tour(client, admin)
    for start in ("09:00", "12:00", "15:00"):
        generate(client, admin, make_schedule(client, admin, tour_id, start_time=start), days=1)
    query = {"year": FIRST.year, "month": FIRST.month}

    answer = client.get(f"{API}/tours/{tour_id}/monthly", query_string=query)

    assert (answer.json["tour_id"], answer.json["year"], answer.json["month"]) == (tour_id, FIRST.year, FIRST.month)
    availability = answer.json["availability"]
    assert availability[FIRST.isoformat()] == {"available_spots": 45, "num_time_slots": 3, "has_availability": True}
    nothing = {"available_spots": 0, "num_time_slots": 0, "has_availability": False}
    assert [day for day, found in availability.items() if found != nothing] == [FIRST.isoformat()]
    assert 28 <= len(availability) <= 31
    assert list(availability) == sorted(availability)


def test_a_month_shows_what_is_full_closed_or_out_of_reach(client: FlaskClient, admin: Headers) -> None:
    tour_id, [full_id, closed_id, late_id] = make_departures(client, admin, days=3, max_capacity=3, min_capacity=1)
    book(client, tour_id, full_id)
    close(client, admin, tour_id, FIRST + timedelta(days=1))
    with db.transaction() as conn:
        conn.execute("UPDATE slot SET starts_at = now() + INTERVAL '1 hour' WHERE id = %s", [late_id])
    assert closed_id

    for n in range(3):
        day = FIRST + timedelta(days=n)
        found = client.get(f"{API}/tours/{tour_id}/monthly?year={day.year}&month={day.month}").json["availability"]
        assert found[day.isoformat()] == {"available_spots": 0, "num_time_slots": 1, "has_availability": False}


def test_a_month_that_has_not_changed_is_not_sent_again(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    path = f"{API}/tours/{tour_id}/monthly?year={FIRST.year}&month={FIRST.month}"
    tag = client.get(path).headers["ETag"]

    same = client.get(path, headers={"If-None-Match": tag})
    book(client, tour_id, slot_id)
    changed = client.get(path, headers={"If-None-Match": tag})

    assert (same.status_code, same.data) == (304, b"")
    assert changed.status_code == 200


@pytest.mark.parametrize(
    "query",
    ["", "year=2027", "month=5", "year=2027&month=13", "year=2027&month=0", "year=2019&month=1", "year=x&month=1"],
)
def test_a_month_that_is_none_is_refused(client: FlaskClient, admin: Headers, query: str) -> None:
    assert client.get(f"{API}/tours/{make_tour(client, admin)}/monthly?{query}").status_code == 400


# -- departures --------------------------------------------------------------------------------------------------------


def test_departures_of_a_range_are_all_shown(client: FlaskClient, admin: Headers) -> None:
    tour_id, [full_id, cancelled_id, free_id] = make_departures(client, admin, days=3, max_capacity=3, min_capacity=1)
    book(client, tour_id, full_id)
    with db.transaction() as conn:
        conn.execute(
            "UPDATE slot SET cancelled_at = now(), cancellation_reason = 'Storm' WHERE id = %s", [cancelled_id]
        )
    query = {"start_date": FIRST.isoformat(), "end_date": (FIRST + timedelta(days=5)).isoformat()}

    answer = client.get(f"{API}/tours/{tour_id}/slots", query_string=query)
    full, cancelled, free = answer.json["slots"]

    assert answer.json["count"] == 3
    assert (full["slot_id"], full["is_available"], full["reason"]) == (full_id, False, "sold_out")
    assert (cancelled["is_cancelled"], cancelled["cancellation_reason"]) == (True, "Storm")
    assert (free["slot_id"], free["is_available"], free["reason"]) == (free_id, True, None)
    assert set(free) == set(DepartureSchema().fields)
    assert "ETag" in answer.headers


def test_departures_of_a_range_are_paged_by_whoever_asks_for_that(client: FlaskClient, admin: Headers) -> None:
    tour_id, ids = make_departures(client, admin, days=25)
    path = f"{API}/tours/{tour_id}/slots"
    query = {"start_date": FIRST.isoformat(), "end_date": (FIRST + timedelta(days=30)).isoformat()}

    everything = client.get(path, query_string=query).json
    page = client.get(path, query_string=query | {"limit": 10, "offset": 20}).json

    assert [slot["slot_id"] for slot in everything["slots"]] == ids
    assert (everything["count"], everything["limit"], everything["offset"]) == (25, 25, 0)
    assert [slot["slot_id"] for slot in page["slots"]] == ids[20:]
    assert (page["count"], page["limit"], page["offset"]) == (25, 10, 20)
    for absurd in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"limit": "ten"}):
        assert client.get(path, query_string=query | absurd).status_code == 400


def test_departures_are_shown_as_the_document_says(client: FlaskClient, admin: Headers) -> None:
    tour_id, _slots = make_departures(client, admin, days=1)

    [slot] = ask(client, tour_id).json["slots"]

    assert set(slot) == set(AvailableSlotSchema().fields)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "start_date=2027-01-01",
        "start_date=2027-01-02&end_date=2027-01-01",
        "start_date=2027-01-01&end_date=2028-01-03",
    ],
)
def test_a_range_that_is_none_is_refused(client: FlaskClient, admin: Headers, query: str) -> None:
    assert client.get(f"{API}/tours/{make_tour(client, admin)}/slots?{query}").status_code == 400


def test_other_methods_are_refused(client: FlaskClient) -> None:
    assert client.get(f"{API}/availability").status_code == 405
    assert client.post(f"{API}/tours/res_1/monthly").status_code == 405
    assert client.delete(f"{API}/tours/res_1/slots").status_code == 405
