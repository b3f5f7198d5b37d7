"""/admin/reservations."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import keys, resources, slot_cancellations
from bridge.db import Connection
from tests.factories import at, make_appointment, make_reservation, make_resource, make_shop
from tests.reservation_fates import make_fates, pay
from tests.waiting import make_slot, make_tour, slot_id_of

PATH = "/admin/reservations"
Headers = dict[str, str]

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def fates() -> tuple[str, dict[str, str]]:
    """A resource, and a number of each fate at it."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=50)
        return resource_id, make_fates(conn, resource_id, days)


def get(client: FlaskClient, headers: Headers, path: str = "", **query: Any) -> Any:
    answer = client.get(PATH + path, headers=headers, query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json


def numbers(answer: Any) -> list[str]:
    return [reservation["booking_number"] for reservation in answer["reservations"]]


def begin_checkout(conn: Connection, number: str, reference: str | None) -> None:
    conn.execute("UPDATE checkout SET closed_at = now() WHERE booking_number = %s AND closed_at IS NULL", [number])
    conn.execute(
        "INSERT INTO checkout (id, booking_number, platform, hold_ids, reference, url)"
        " VALUES (%s, %s, 'stripe', '{}', %s, %s)",
        [uuid4().hex, number, reference, reference and f"https://pay.example/{reference}"],
    )


# -- the list ----------------------------------------------------------------------------------------------------------


def test_they_are_listed_newest_first_by_pages(client: FlaskClient, admin: Headers, fates: Any) -> None:
    resource_id, made = fates

    first = get(client, admin, resource_id=resource_id, limit=3)
    rest = get(client, admin, resource_id=resource_id, limit=20, offset=3)
    beyond = get(client, admin, resource_id=resource_id, offset=100)

    assert numbers(first) + numbers(rest) == list(made.values())[::-1]
    assert (first["count"], first["limit"], first["offset"]) == (8, 3, 0)
    assert (rest["count"], beyond["count"], beyond["reservations"]) == (8, 8, [])


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("open", ["emptied", "open"]),
        ("paid", ["partly_paid", "paid_late", "paid"]),
        ("cancelled", ["cancelled"]),
        ("expired", ["lapsed"]),
        ("released", ["released"]),
    ],
)
def test_they_are_found_by_status(
    client: FlaskClient, admin: Headers, fates: Any, status: str, found: list[str]
) -> None:
    resource_id, made = fates

    answer = get(client, admin, resource_id=resource_id, status=status)

    assert numbers(answer) == [made[name] for name in found]
    assert answer["count"] == len(found)
    assert {reservation["status"] for reservation in answer["reservations"]} == {status}


def test_they_are_found_by_whom_they_are_for_and_what_pays(client: FlaskClient, admin: Headers) -> None:
    email = f"{uuid4().hex}@example.test"
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, name="Lake tour")
        made = make_reservation(conn, resource_id, days, 2, customer_email=email)
        order_id = pay(conn, made).id
        make_reservation(conn, resource_id, days)
    number = made.booking_number

    for query in (
        {"booking_number": number},
        {"customer_email": email.upper()},
        {"order_id": order_id},
        {"q": number[4:12].lower()},
        {"q": email.removesuffix("@example.test").upper()},
        {"q": order_id},
    ):
        answer = get(client, admin, **query)
        assert (numbers(answer), answer["count"]) == ([number], 1), query
    assert get(client, admin, q="%")["count"] == 0
    assert get(client, admin, customer_email=email, status="open")["count"] == 0


def test_they_are_found_by_the_day_they_were_begun_on(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)
        number = make_reservation(conn, resource_id, days).booking_number
        # Half past midnight in Brisbane, whose day it is.
        conn.execute("UPDATE reservation SET created_at = '2026-03-09T14:30:00Z' WHERE booking_number = %s", [number])

    def found(**query: str) -> int:
        return get(client, admin, resource_id=resource_id, **query)["count"]

    assert found(start_date="2026-03-10", end_date="2026-03-10") == 1
    assert (found(start_date="2026-03-11"), found(end_date="2026-03-09")) == (0, 0)
    assert found(start_date="2026-03-10", end_date="2026-03-10", status="expired") == 0


def test_one_says_what_is_in_it_and_how_it_is_paid(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, name="Lake tour")
        number = make_reservation(conn, resource_id, days, 2, customer_email="ada@example.test").booking_number
        begin_checkout(conn, number, "cs_1")
        begin_checkout(conn, number, "cs_2")

    [listed] = get(client, admin, booking_number=number)["reservations"]
    shown = get(client, admin, f"/{number}")["reservation"]

    checkouts = shown.pop("checkouts")
    # Some of a second may lie between the two answers.
    assert 0 <= listed.pop("time_remaining_seconds") - shown.pop("time_remaining_seconds") <= 5
    assert shown == listed
    assert (shown["status"], shown["customer_email"], shown["order_id"]) == ("open", "ada@example.test", None)
    assert (shown["checkout_platform"], shown["checkout_reference"]) == ("stripe", "cs_2")
    assert [(one["reference"], one["closed_at"] is None) for one in checkouts] == [("cs_2", True), ("cs_1", False)]
    [item] = shown["items"]
    assert (item["resource_id"], item["title"], item["quantity"], item["status"]) == (
        resource_id,
        "Lake tour",
        2,
        "held",
    )
    assert item["details"] == {"dates": [day.isoformat() for day in days]}
    assert shown["expires_at"] == item["expires_at"]
    assert shown["created_at"].endswith("Z")


def test_what_is_over_has_no_time_left(client: FlaskClient, admin: Headers, fates: Any) -> None:
    _resource_id, made = fates

    left = {name: get(client, admin, f"/{made[name]}")["reservation"]["time_remaining_seconds"] for name in made}

    assert {name for name, seconds in left.items() if seconds} == {"open", "emptied"}


def test_an_unknown_one_is_not_found(client: FlaskClient, admin: Headers) -> None:
    answer = client.get(f"{PATH}/BK-NONE", headers=admin)

    assert (answer.status_code, answer.json["code"]) == (404, "reservation_not_found")


# -- the analytics -----------------------------------------------------------------------------------------------------


def test_the_figures_of_a_resource(client: FlaskClient, admin: Headers, fates: Any) -> None:
    resource_id, _made = fates

    answer = get(client, admin, "/analytics", resource_id=resource_id)

    seconds = [name for name in answer["summary"] if name.endswith("seconds_to_payment")]
    assert all(answer["summary"].pop(name) >= 0 for name in seconds)
    assert answer["summary"] == {
        "begun": 8,
        "paid": 4,
        "partly_paid": 1,
        "paid_late": 1,
        "cancelled_after_payment": 1,
        "lapsed": 1,
        "abandoned": 2,
        "withdrawn": 0,
        "open": 1,
        "decided": 7,
        "success_rate": 0.5714,
        "expiry_rate": 0.1429,
        "abandonment_rate": 0.2857,
        "items": 9,
        "items_paid": 4,
        "conflicts": 0,
        "refusals": {},
        "conflict_rate": 0.0,
    }
    assert (answer["resource_id"], answer["group_by"], answer["breakdown"]) == (resource_id, "none", [])
    assert answer["time_zone"] == "Australia/Brisbane"


def test_what_the_seller_takes_back_is_neither_lapsed_nor_abandoned(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=3)
        slot_id = slot_id_of(conn, slot_no)
        deleted, days = make_resource(conn)
        make_reservation(conn, deleted, days)
    body = {"items": [{"slot_id": slot_id, "party": {"adult": 1}}]}
    assert client.post("/api/reserve-availability", json=body).status_code == 201

    with db.transaction() as conn:
        resources.delete_resource(conn, deleted, force=True, actor="tests")
        slot_cancellations.begin(conn, slot_id, reason="Storm", alternative_slot_id=None, actor="tests")
        while slot_cancellations.take_step(conn, slot_no):
            pass

    for resource_id in (deleted, tour_id):
        figures = get(client, admin, "/analytics", resource_id=resource_id)["summary"]
        assert (figures["begun"], figures["withdrawn"], figures["decided"]) == (1, 1, 0)


def test_what_is_refused_is_a_conflict(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=1, days=1)
    items = [{"resource_id": resource_id, "dates": [days[0].isoformat()], "quantity": 1}]
    answers = [client.post("/api/reserve-availability", json={"items": items}).status_code for _ in range(3)]

    [of_resource] = get(client, admin, "/analytics", resource_id=resource_id, group_by="resource")["breakdown"]
    by_day = get(client, admin, "/analytics", resource_id=resource_id, group_by="day")["breakdown"]

    assert answers == [201, 409, 409]
    assert (of_resource["resource_id"], of_resource["name"]) == (resource_id, "A tour")
    assert (of_resource["refusals"], of_resource["conflicts"], of_resource["conflict_rate"]) == (
        {"sold_out": 2},
        2,
        0.6667,
    )
    assert len(by_day) == 30
    assert [day["conflicts"] for day in by_day] == [0] * 29 + [2]
    assert (by_day[0]["begun"], by_day[0]["success_rate"], by_day[0]["conflict_rate"]) == (0, None, None)
    assert (by_day[-1]["begun"], by_day[-1]["open"], by_day[-1]["success_rate"]) == (1, 1, None)


def test_what_is_refused_counts_where_it_was_asked_for(client: FlaskClient, admin: Headers) -> None:
    """A departure counts at its tour; somebody's time at whose it was, and where anybody would do at the service."""
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=3)
        conn.execute("UPDATE slot SET cancelled_at = now() WHERE slot_no = %s", [slot_no])
        slot_id = slot_id_of(conn, slot_no)
        shop = make_shop(conn, name="Haircut")
        make_appointment(conn, service_id=shop.service_id, staff_id=shop.staff_id)
    taken = {"service_id": shop.service_id, "start_at": at("10:00").isoformat()}
    items: list[dict[str, Any]] = [
        {"slot_id": slot_id, "party": {"adult": 1}},
        taken,
        taken | {"staff_id": shop.staff_id},
    ]

    answers = [client.post("/api/reserve-availability", json={"items": [item]}) for item in items]

    assert [answer.json["code"] for answer in answers] == ["slot_cancelled", "slot_unavailable", "slot_unavailable"]
    groups = get(client, admin, "/analytics", group_by="resource")["breakdown"]
    refusals = {group["resource_id"]: (group["name"], group["refusals"]) for group in groups}
    assert refusals[tour_id][1] == {"slot_cancelled": 1}
    assert refusals[shop.service_id] == ("Haircut", {"slot_unavailable": 1})
    assert refusals[shop.staff_id] == ("Sam", {"slot_unavailable": 1})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, "end_date"),
        ({"start_date": "2025-03-01", "end_date": "2026-03-02"}, "end_date"),
        ({"start_date": "2026-13-01"}, "start_date"),
        ({"end_date": "yesterday"}, "end_date"),
        ({"group_by": "moon"}, "group_by"),
        ({"colour": "red"}, "colour"),
        ({"resource_id": ""}, "resource_id"),
    ],
)
def test_a_bad_question_is_told_so(client: FlaskClient, admin: Headers, query: dict[str, str], field: str) -> None:
    answer = client.get(f"{PATH}/analytics", headers=admin, query_string=query)

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_data")
    assert field in answer.json["message"]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "held"},
        {"limit": "101"},
        {"offset": "-1"},
        {"start_date": "2026-03-02", "end_date": "2026-03-01"},
        {"customer_email": "nobody"},
        {"q": "\0"},
    ],
)
def test_a_bad_filter_is_told_so(client: FlaskClient, admin: Headers, query: dict[str, str]) -> None:
    answer = client.get(PATH, headers=admin, query_string=query)

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_data")


def test_the_figures_of_an_unknown_resource_are_not_found(client: FlaskClient, admin: Headers) -> None:
    answer = client.get(f"{PATH}/analytics", headers=admin, query_string={"resource_id": "res_none"})

    assert (answer.status_code, answer.json["code"]) == (404, "resource_not_found")


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/BK-NONE", "/analytics"])
def test_only_staff_may(client: FlaskClient, path: str) -> None:
    with db.transaction() as conn:
        _key, secret = keys.create_key(conn, name="tests", scopes=["system"])

    without = client.get(PATH + path)
    wrong = client.get(PATH + path, headers={"Authorization": f"Bearer {secret}"})

    assert (without.status_code, wrong.status_code) == (401, 403)


def test_they_are_only_read(client: FlaskClient, admin: Headers) -> None:
    assert client.post(PATH, headers=admin, json={}).status_code == 405
