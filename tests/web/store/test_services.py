"""/store/bookings/services and /store/bookings/availability: what can be booked, and when."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import appointments, diaries, openings, services
from bridge.db import Connection
from tests.factories import (
    EVERY_DAY,
    Shop,
    at,
    future_day,
    lapse,
    make_appointment,
    make_service,
    make_shop,
    make_staff,
)
from tests.web.ops.rows import committed

PATH = "/store/bookings/availability"
LORD_HOWE, NEW_YORK, KATHMANDU = "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"


def ask(client: FlaskClient, shop: Shop, day: date | None = None, **query: Any) -> list[dict[str, Any]]:
    """The slots of a day."""
    wanted = {"date": (day or future_day()).isoformat(), "service_id": shop.service_id, **query}
    answer = client.get(PATH, query_string=wanted)
    assert answer.status_code == 200, answer.json
    return answer.json["slots"]


def walls(slots: list[dict[str, Any]], zone: str = "Australia/Brisbane") -> list[str]:
    """The wall times at which the free ones start."""
    return [
        f"{datetime.fromisoformat(slot['start_at']).astimezone(ZoneInfo(zone)):%H:%M}"
        for slot in slots
        if slot["available"]
    ]


def hours(opens: int, closes: int) -> list[dict[str, Any]]:
    """The same hours every day."""
    return [{"day_of_week": day, "opens": opens * 60, "closes": closes * 60} for day in range(7)]


# -- services ----------------------------------------------------------------------------------------------------------


def test_services_that_are_sold_are_listed(client: FlaskClient) -> None:
    sold, idle, gone = (
        committed(make_service, name="Beard"),
        committed(make_service, is_active=False),
        committed(make_service),
    )
    with db.transaction() as conn:
        services.delete_service(conn, gone)

    answer = client.get("/store/bookings/services?limit=100")

    listed = {service["id"]: service for service in answer.json["services"]}
    assert listed[sold]["name"] == "Beard"
    assert listed[sold]["price"] == 40
    assert not {idle, gone} & set(listed)


# -- what is offered ---------------------------------------------------------------------------------------------------


def test_a_day_is_offered_by_the_quarter_hour_while_somebody_works(client: FlaskClient) -> None:
    shop = committed(make_shop, rules=hours(9, 11))

    slots = ask(client, shop)

    assert walls(slots) == ["09:00", "09:15", "09:30", "09:45", "10:00", "10:15", "10:30"]
    assert slots[0] == {
        "start_at": at("09:00").isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "end_at": at("09:30").isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "staff_id": shop.staff_id,
        "time_zone": "Australia/Brisbane",
        "available": True,
    }


def test_a_day_nobody_works_on_offers_nothing(client: FlaskClient) -> None:
    monday = future_day() - timedelta(days=future_day().weekday())
    shop = committed(make_shop, rules=[{"day_of_week": 0, "opens": 540, "closes": 1020}])

    assert ask(client, shop, monday) != []
    assert ask(client, shop, monday + timedelta(days=6)) == []


def test_a_blocked_day_offers_nothing_and_so_does_one_before_today(client: FlaskClient) -> None:
    blocked = {"rule_type": "blocked", "specific_date": future_day()}
    shop = committed(make_shop, rules=[*EVERY_DAY, blocked])

    assert ask(client, shop) == []
    assert ask(client, shop, date.today() - timedelta(days=3)) == []
    assert ask(client, shop, future_day(31)) != []


def test_days_closed_for_everybody_offer_nothing(client: FlaskClient, admin: dict[str, str]) -> None:
    shop = committed(make_shop)
    day = future_day(200).isoformat()
    made = client.post(
        "/admin/resource-booking/blackouts", json={"start_date": day, "end_date": day}, headers=admin
    ).json["blackout"]

    closed = ask(client, shop, future_day(200))

    client.delete(f"/admin/resource-booking/blackouts/{made['id']}", headers=admin)
    assert closed == []
    assert ask(client, shop, future_day(200)) != []


def test_what_is_taken_is_shown_as_taken_with_everything_that_would_overlap_it(client: FlaskClient) -> None:
    shop = committed(make_shop, rules=hours(9, 12), duration_minutes=45, buffer_minutes=10)
    committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, start_at=at("10:00"))

    slots = ask(client, shop)

    assert walls(slots) == ["09:00", "11:00"]
    assert len(slots) == 9  # 45 and 15 minutes fit from 9:00 to 11:00.


def test_a_held_time_is_taken_until_its_hold_lapses(client: FlaskClient) -> None:
    shop = committed(make_shop, rules=hours(9, 10))
    held = committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, start_at=at("09:00"))

    before = walls(ask(client, shop))
    with db.transaction() as conn:
        lapse(conn, appointments.get_appointment(conn, held.id).hold_id)

    assert before == ["09:30"]
    assert walls(ask(client, shop)) == ["09:00", "09:15", "09:30"]


def test_everybody_who_does_a_service_is_listed_or_whom_one_asks_for(client: FlaskClient) -> None:
    shop = committed(make_shop, rules=hours(9, 10))
    other = committed(make_staff, rules=hours(14, 15), service_ids=[shop.service_id])
    committed(make_staff, service_ids=[committed(make_service)])

    assert {slot["staff_id"] for slot in ask(client, shop)} == {shop.staff_id, other}
    assert walls(ask(client, shop, staff_id=other)) == ["14:00", "14:15", "14:30"]


def test_what_is_offered_is_accepted_and_nothing_else(client: FlaskClient) -> None:
    """Every quarter hour of a day is asked for, on a day with a break, a booking and a part blocked."""
    rules = [
        *hours(9, 13),
        {"day_of_week": future_day().weekday(), "opens": 660, "closes": 675, "is_available": False},
        {"rule_type": "blocked", "specific_date": future_day(), "opens": 725, "closes": 735},
    ]
    shop = committed(make_shop, rules=rules, buffer_before_minutes=15)
    committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, start_at=at("10:00"))
    free = {slot["start_at"] for slot in ask(client, shop) if slot["available"]}

    accepted = set()
    for n in range(96):
        start = at("00:00") + timedelta(minutes=15 * n)
        body = {
            "service_id": shop.service_id,
            "staff_id": shop.staff_id,
            "start_at": start.isoformat(),
            "customer_phone": "1",
        }
        answer = client.post("/store/bookings", json=body)
        if answer.status_code == 201:
            accepted.add(answer.json["booking"]["start_at"])
            with db.transaction() as conn:
                appointments.cancel_appointment(conn, answer.json["booking"]["id"], actor="tests")

    assert free
    assert accepted == free


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        (NEW_YORK, date(2027, 3, 14), 23 * 4 - 1),
        (NEW_YORK, date(2027, 11, 7), 25 * 4 - 1),
        (LORD_HOWE, date(2027, 10, 3), 23 * 4 + 2 - 1),
        (LORD_HOWE, date(2027, 4, 4), 24 * 4 + 2 - 1),
        (KATHMANDU, date(2027, 3, 14), 24 * 4 - 1),
    ],
)
def test_a_day_is_as_long_as_it_is_where_the_member_of_staff_is(
    client: FlaskClient, zone: str, day: date, count: int
) -> None:
    """All day, on this weekday alone: the last quarter hour is too short for half an hour."""
    shop = committed(make_shop, zone=zone, rules=[{"day_of_week": day.weekday(), "opens": 0, "closes": 1440}])

    slots = ask(client, shop, day)

    starts = [datetime.fromisoformat(slot["start_at"]) for slot in slots]
    assert len(starts) == count
    assert all(later - start == timedelta(minutes=15) for start, later in pairwise(starts))
    assert {start.astimezone(ZoneInfo(zone)).minute % 15 for start in starts} == {0}
    assert {start.astimezone(ZoneInfo(zone)).date() for start in starts} == {day}


def test_both_of_a_repeated_hour_are_booked_by_two(client: FlaskClient) -> None:
    day = date(2027, 11, 7)
    shop = committed(make_shop, zone=NEW_YORK, rules=[{"day_of_week": 6, "opens": 60, "closes": 120}])

    starts = [slot["start_at"] for slot in ask(client, shop, day)]
    for start in ("2027-11-07T01:00:00-04:00", "2027-11-07T01:00:00-05:00"):
        body = {"service_id": shop.service_id, "staff_id": shop.staff_id, "start_at": start, "customer_phone": "1"}
        assert client.post("/store/bookings", json=body).status_code == 201

    assert len(starts) == 7
    assert walls(ask(client, shop, day), NEW_YORK) == ["01:30", "01:30"]


# -- asking ------------------------------------------------------------------------------------------------------------


def test_who_asks_again_is_told_that_nothing_has_changed_until_it_has(client: FlaskClient) -> None:
    shop = committed(make_shop)
    query = {"date": future_day().isoformat(), "service_id": shop.service_id}
    first = client.get(PATH, query_string=query)
    headers = {"If-None-Match": first.headers["ETag"]}

    same = client.get(PATH, query_string=query, headers=headers)
    committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id)
    other = client.get(PATH, query_string=query, headers=headers)

    assert (same.status_code, same.data) == (304, b"")
    assert other.status_code == 200


def test_rules_that_change_are_seen_at_once(client: FlaskClient, admin: dict[str, str]) -> None:
    shop = committed(make_shop, rules=hours(9, 10))
    assert len(ask(client, shop)) == 3

    rule = {"day_of_week": future_day().weekday(), "start_time": "14:00", "end_time": "14:30"}
    client.post(f"/admin/bookings/staff/{shop.staff_id}/availability", json=rule, headers=admin)
    longer = len(ask(client, shop))
    client.put(
        f"/admin/resource-booking/resources/{shop.staff_id}", json={"time_zone": "Asia/Kathmandu"}, headers=admin
    )

    assert longer == 4
    assert walls(ask(client, shop), KATHMANDU) == ["09:00", "09:15", "09:30", "14:00"]


def test_rules_that_were_undone_are_forgotten_with_them(client: FlaskClient) -> None:
    """What was computed inside a transaction that came to nothing is of a revision that nobody else gets."""
    shop = committed(make_shop, rules=hours(9, 10))
    day = future_day()

    def change(conn: Connection, opens: int) -> int:
        openings.lock_staff(conn, shop.staff_id)
        openings.add_rule(
            conn, shop.staff_id, rule_type="exception", specific_date=day, opens=opens * 60, closes=opens * 60 + 30
        )
        crew = diaries.open_crew(conn, service_id=shop.service_id, first_day=day, last_day=day)
        return len(crew.starts(crew.diaries[0], day).offered)

    with pytest.raises(RuntimeError), db.transaction() as conn:
        assert change(conn, 20) == 1
        raise RuntimeError("undone")
    with db.transaction() as conn:
        openings.lock_staff(conn, shop.staff_id)

    assert walls(ask(client, shop)) == ["09:00", "09:15", "09:30"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"date": "2027-02-30"}, 400),
        ({"date": "1999-01-01"}, 400),
        ({"date": "20270101"}, 400),
        ({"service_id": "bksvc_none"}, 404),
        ({"staff_id": "bkstf_none"}, 404),
        ({"staff_id": ""}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(client: FlaskClient, query: dict[str, str], status: int) -> None:
    shop = committed(make_shop)

    answer = client.get(PATH, query_string={"date": future_day().isoformat(), "service_id": shop.service_id, **query})

    assert answer.status_code == status, answer.json
    assert client.get(PATH).status_code == 400
    assert client.post(PATH).status_code == 405
