"""/api/reserve-availability and /api/reservations: the five scenarios, and what may go wrong in each."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge import db
from bridge.core import audits, holds, orders, reservations
from bridge.rules.orders import LineFacts, OrderFacts
from tests.factories import counters, lapse, make_hold, make_resource

RESERVE = "/api/reserve-availability"
ADA = "ada@example.test"

pytestmark = pytest.mark.usefixtures("database_url")

Resource = tuple[str, list[date]]


def open_days(*, capacity: int = 5, days: int = 3, **fields: Any) -> Resource:
    with db.transaction() as conn:
        return make_resource(conn, capacity=capacity, days=days, **fields)


def item(resource: Resource, quantity: int = 1, days: int | None = None) -> dict[str, Any]:
    resource_id, dates = resource
    return {"resource_id": resource_id, "dates": [str(day) for day in dates[:days]], "quantity": quantity}


def taken(resource: Resource) -> list[tuple[int, int]]:
    with db.transaction() as conn:
        return counters(conn, resource[0])


def age(number: str, minutes: float) -> None:
    """Have a reservation begin that much earlier, with all that belongs to it."""
    with db.transaction() as conn:
        by = timedelta(minutes=minutes)
        conn.execute(
            "UPDATE reservation SET created_at = created_at - %s, expires_at = expires_at - %s,"
            " hard_expires_at = hard_expires_at - %s WHERE booking_number = %s",
            [by, by, by, number],
        )
        conn.execute(
            "UPDATE hold SET created_at = created_at - %s, expires_at = expires_at - %s,"
            " hard_expires_at = hard_expires_at - %s WHERE booking_number = %s",
            [by, by, by, number],
        )
        conn.execute(
            "UPDATE claim SET expires_at = expires_at - %s WHERE state = 'held'"
            " AND hold_id IN (SELECT id FROM hold WHERE booking_number = %s)",
            [by, number],
        )


def pay(number: str, order_id: str | None = None, **facts: Any) -> str:
    """The order that pays for a number; its id."""
    order_id = order_id or f"order_{uuid4().hex}"
    with db.transaction() as conn:
        found = OrderFacts(source="medusa", id=order_id, booking_number=number, **facts)
        orders.reconcile(conn, found, actor="tests")
    return order_id


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def no_drift(*resources: Resource) -> bool:
    with db.transaction() as conn:
        found = audits.audit(conn)
    ids = {resource[0] for resource in resources}
    return not [finding for finding in found if finding.get("resource_id") in ids]


@pytest.fixture
def reserve(client: FlaskClient) -> Callable[..., TestResponse]:
    def call(*items: dict[str, Any], number: str | None = None, **fields: Any) -> TestResponse:
        body = {"items": list(items), **fields} | ({"bookingNumber": number} if number else {})
        return client.post(RESERVE, json=body)

    return call


# -- the five scenarios ------------------------------------------------------------------------------------------------


def test_single_booking_is_blocked_from_selection_to_payment(client: FlaskClient, reserve: Any) -> None:
    van = open_days(capacity=1, days=3)

    selected = reserve(item(van), customer_email=ADA)

    assert selected.status_code == 201
    number = selected.json["bookingNumber"]
    assert re.fullmatch(r"BK-[0-9A-Z]{16}", number)
    assert selected.json["timeRemainingSeconds"] == 900
    assert taken(van) == [(1, 0)] * 3
    assert reserve(item(van)).status_code == 409
    pay(number)
    assert taken(van) == [(0, 1)] * 3
    assert reserve(item(van)).status_code == 409
    shown = client.get(f"/api/reservations/{number}").json
    assert (shown["status"], shown["items"][0]["status"]) == ("paid", "confirmed")


def test_each_further_booking_starts_the_time_of_all_of_them_again(client: FlaskClient, reserve: Any) -> None:
    van, tour = open_days(), open_days()
    number = reserve(item(van)).json["bookingNumber"]
    age(number, 10)
    before = client.get(f"/api/reservations/{number}").json

    added = reserve(item(tour, 2), number=number)

    assert 290 <= before["timeRemainingSeconds"] <= 300
    assert added.status_code == 201
    assert 895 <= added.json["timeRemainingSeconds"] <= 900
    assert [one["resource_id"] for one in added.json["items"]] == [van[0], tour[0]]
    assert added.json["added"] == [added.json["items"][1]["id"]]
    assert {one["expiresAt"] for one in added.json["items"]} == {added.json["expiresAt"]}
    pay(number)
    assert taken(van) == [(0, 1)] * 3
    assert taken(tour) == [(0, 2)] * 3
    assert no_drift(van, tour)


def test_of_two_users_only_the_first_succeeds(reserve: Any) -> None:
    van = open_days(capacity=1)

    answers = [reserve(item(van)), reserve(item(van))]

    assert [answer.status_code for answer in answers] == [201, 409]


def test_an_abandoned_reservation_is_free_after_the_beacon(client: FlaskClient, reserve: Any) -> None:
    van, tour = open_days(), open_days()
    number = reserve(item(van), item(tour, 2)).json["bookingNumber"]

    closed = client.post("/api/cleanup-expired", data=f'{{"bookingNumber": "{number}"}}', content_type="text/plain")

    assert (closed.status_code, closed.json) == (200, {"released": 2})
    assert taken(van) == taken(tour) == [(0, 0)] * 3
    assert client.get(f"/api/reservations/{number}").json["status"] == "released"


def test_an_expired_reservation_is_free_by_itself(client: FlaskClient, reserve: Any) -> None:
    van = open_days(capacity=1)
    number = reserve(item(van)).json["bookingNumber"]

    age(number, 16)

    shown = client.get(f"/api/reservations/{number}").json
    assert (shown["status"], shown["timeRemainingSeconds"]) == ("expired", 0)
    assert [one["status"] for one in shown["items"]] == ["expired"]
    assert reserve(item(van)).status_code == 201


# -- the timer ---------------------------------------------------------------------------------------------------------


def test_nothing_goes_past_the_hard_cap_which_counts_from_the_first_item(reserve: Any) -> None:
    van = open_days(capacity=50)
    number = reserve(item(van)).json["bookingNumber"]
    for _ in range(9):
        age(number, 12)
        answer = reserve(item(van), number=number)
        assert answer.status_code == 201

    # 108 of 120 minutes are gone.
    assert 700 <= answer.json["timeRemainingSeconds"] <= 720
    age(number, 13)
    assert reserve(item(van), number=number).json["code"] == "reservation_closed"


def test_a_refused_addition_changes_nothing_not_even_the_time(client: FlaskClient, reserve: Any) -> None:
    van, full = open_days(), open_days(capacity=1)
    reserve(item(full))
    number = reserve(item(van)).json["bookingNumber"]
    age(number, 10)
    before = client.get(f"/api/reservations/{number}").json

    refused = reserve(item(van), item(full), number=number, customer_email="eve@example.test")

    after = client.get(f"/api/reservations/{number}").json
    assert refused.status_code == 409
    assert after["expiresAt"] == before["expiresAt"]
    assert after["items"] == before["items"]
    assert taken(van) == [(1, 0)] * 3
    with db.transaction() as conn:
        assert reservations.get_reservation(conn, number).customer_email is None


def test_the_longest_term_of_the_items_is_that_of_the_number(client: FlaskClient, reserve: Any) -> None:
    van, expedition, short = open_days(), open_days(hold_minutes=45), open_days(hold_minutes=5)

    first = reserve(item(short))
    second = reserve(item(van), number=first.json["bookingNumber"])
    third = reserve(item(expedition), number=first.json["bookingNumber"])
    client.delete(f"/api/reservations/{first.json['bookingNumber']}/items/{third.json['added'][0]}")
    fourth = reserve(item(van), number=first.json["bookingNumber"])

    assert [answer.json["timeRemainingSeconds"] for answer in (first, second, third)] == [300, 900, 2700]
    # What was given is not taken back.
    assert 2690 <= fourth.json["timeRemainingSeconds"] <= 2700


def test_an_item_has_no_time_of_its_own(client: FlaskClient, reserve: Any) -> None:
    item_id = reserve(item(open_days())).json["items"][0]["id"]

    answer = client.post(f"/store/resource-booking/holds/{item_id}/extend")

    assert (answer.status_code, answer.json["code"]) == (409, "extension_limit")


# -- all or nothing ----------------------------------------------------------------------------------------------------


def test_a_refusal_says_which_items_failed_and_why(reserve: Any) -> None:
    van, full = open_days(), open_days(capacity=1, days=2)
    reserve(item(full, days=1))

    answer = reserve(item(van), item(full), item(full, days=1))

    assert answer.status_code == 409
    assert answer.json["code"] == "insufficient_capacity"
    day = str(full[1][0])
    assert answer.json["details"]["items"] == [
        {
            "index": index,
            "resource_id": full[0],
            "reason": "sold_out",
            "dates": dates,
            "unavailable": [{"date": day, "requested": 2, "available": 0}],
        }
        for index, dates in ((1, [str(one) for one in full[1]]), (2, [day]))
    ]
    assert taken(van) == [(0, 0)] * 3
    assert taken(full) == [(1, 0), (0, 0)]


def test_two_items_that_want_one_slot_want_their_sum(reserve: Any) -> None:
    tour = open_days(capacity=3)

    refused = reserve(item(tour, 2), item(tour, 2))
    fits = reserve(item(tour, 2), item(tour, 1))

    assert (refused.status_code, fits.status_code) == (409, 201)
    assert taken(tour) == [(3, 0)] * 3


def test_a_blackout_is_said_to_be_one(reserve: Any) -> None:
    van = open_days()
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO blackout (id, resource_id, starts_on, ends_on) VALUES (%s, %s, %s, %s)",
            [f"blackout_{uuid4().hex}", van[0], van[1][1], van[1][1]],
        )

    answer = reserve(item(van))

    assert (answer.status_code, answer.json["code"]) == (409, "blackout")
    assert answer.json["details"]["items"][0]["reason"] == "blackout"


def test_a_day_that_is_not_open_is_said_to_be_so(reserve: Any) -> None:
    resource_id, dates = open_days()
    later = dates[-1] + timedelta(days=1)

    answer = reserve({"resource_id": resource_id, "dates": [str(later)]})

    assert answer.json["details"]["items"][0]["reason"] == "not_open"


def test_what_lapsed_of_others_is_had_without_a_sweeper(reserve: Any) -> None:
    van = open_days(capacity=1)
    with db.transaction() as conn:
        lapse(conn, make_hold(conn, *van))

    assert reserve(item(van)).status_code == 201
    assert no_drift(van)


# -- who may do what ---------------------------------------------------------------------------------------------------


def test_an_unknown_number_is_not_found(client: FlaskClient, reserve: Any) -> None:
    van = open_days()

    answers = [
        reserve(item(van), number="BK-0000000000000000"),
        client.get("/api/reservations/BK-0000000000000000"),
        client.delete("/api/reservations/BK-0000000000000000/items/hold_1"),
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(404, "reservation_not_found")}
    assert taken(van) == [(0, 0)] * 3


@pytest.mark.parametrize("end", ["expired", "released", "paid"])
def test_a_number_that_is_over_takes_nothing_more(client: FlaskClient, reserve: Any, end: str) -> None:
    van = open_days()
    first = reserve(item(van)).json
    number, item_id = first["bookingNumber"], first["items"][0]["id"]
    if end == "expired":
        age(number, 16)
    elif end == "released":
        client.post("/api/cleanup-expired", json={"bookingNumber": number})
    else:
        pay(number)
    before = taken(van)

    answers = [
        reserve(item(van), number=number),
        client.delete(f"/api/reservations/{number}/items/{item_id}"),
        client.post("/api/create-checkout-session", json={"bookingNumber": number}),
    ]

    assert {answer.status_code for answer in answers[:2]} == {409}
    assert {answer.json["code"] for answer in answers[:2]} == {"reservation_closed"}
    assert answers[0].json["details"]["status"] == end
    assert taken(van) == before


def test_nothing_of_the_customer_is_shown(client: FlaskClient, reserve: Any) -> None:
    number = reserve(item(open_days()), customer_email=ADA).json["bookingNumber"]

    assert ADA not in client.get(f"/api/reservations/{number}").text


# -- dropping ----------------------------------------------------------------------------------------------------------


def test_a_dropped_item_is_free_and_the_others_stay(client: FlaskClient, reserve: Any) -> None:
    van, tour = open_days(), open_days()
    made = reserve(item(van), item(tour)).json
    number = made["bookingNumber"]

    answer = client.delete(f"/api/reservations/{number}/items/{made['items'][0]['id']}")

    assert answer.status_code == 200
    assert [one["resource_id"] for one in answer.json["items"]] == [tour[0]]
    assert answer.json["expiresAt"] == made["expiresAt"]
    assert (taken(van), taken(tour)) == ([(0, 0)] * 3, [(1, 0)] * 3)
    again = client.delete(f"/api/reservations/{number}/items/{made['items'][0]['id']}")
    assert (again.status_code, again.json["code"]) == (404, "item_not_found")
    pay(number)
    assert (taken(van), taken(tour)) == ([(0, 0)] * 3, [(0, 1)] * 3)


def test_the_last_item_may_be_exchanged(client: FlaskClient, reserve: Any) -> None:
    van, tour = open_days(), open_days()
    made = reserve(item(van)).json

    empty = client.delete(f"/api/reservations/{made['bookingNumber']}/items/{made['items'][0]['id']}").json
    filled = reserve(item(tour), number=made["bookingNumber"])

    assert (empty["status"], empty["items"]) == ("open", [])
    assert filled.status_code == 201


def test_an_item_of_another_number_cannot_be_dropped(client: FlaskClient, reserve: Any) -> None:
    van = open_days()
    mine, theirs = reserve(item(van)).json, reserve(item(van)).json

    answer = client.delete(f"/api/reservations/{mine['bookingNumber']}/items/{theirs['items'][0]['id']}")

    assert answer.status_code == 404
    assert taken(van) == [(2, 0)] * 3


# -- payment -----------------------------------------------------------------------------------------------------------


def test_an_order_that_comes_too_late_has_what_is_left_item_by_item(client: FlaskClient, reserve: Any) -> None:
    van, tour = open_days(capacity=1), open_days(capacity=1)
    made = reserve(item(van), item(tour)).json
    number = made["bookingNumber"]
    age(number, 16)
    reserve(item(tour))
    lines = tuple(LineFacts(id=f"l{n}", quantity=1, hold_ids=(one["id"],)) for n, one in enumerate(made["items"]))

    pay(number, lines=lines)

    shown = client.get(f"/api/reservations/{number}").json
    assert shown["status"] == "paid"
    assert [one["status"] for one in shown["items"]] == ["confirmed", "short"]
    assert taken(van) == [(0, 1)] * 3
    assert taken(tour) == [(1, 0)] * 3
    assert no_drift(van, tour)


def test_a_cancelled_order_cancels_the_reservation(client: FlaskClient, reserve: Any) -> None:
    van = open_days()
    number = reserve(item(van)).json["bookingNumber"]
    order_id = pay(number)

    pay(number, order_id, is_cancelled=True)

    assert client.get(f"/api/reservations/{number}").json["status"] == "cancelled"
    assert taken(van) == [(0, 0)] * 3


def test_an_item_that_no_line_of_the_order_is_for_stays_unpaid(client: FlaskClient, reserve: Any) -> None:
    """It was added after the cart was made, or its line was taken out of the cart."""
    van, tour = open_days(), open_days()
    made = reserve(item(van), item(tour)).json

    pay(made["bookingNumber"], lines=(LineFacts(id="l1", quantity=1, hold_ids=(made["items"][0]["id"],)),))

    assert (taken(van), taken(tour)) == ([(0, 1)] * 3, [(1, 0)] * 3)


def test_a_second_order_of_the_same_number_has_nothing(client: FlaskClient, reserve: Any) -> None:
    van = open_days()
    number = reserve(item(van)).json["bookingNumber"]
    first = pay(number)

    pay(number)

    assert taken(van) == [(0, 1)] * 3
    with db.transaction() as conn:
        assert reservations.get_reservation(conn, number).order_id == first


def test_the_sweeper_alone_gives_everything_back(client: FlaskClient, reserve: Any) -> None:
    van, tour = open_days(), open_days()
    number = reserve(item(van), item(tour, 2)).json["bookingNumber"]
    age(number, 16)

    with db.transaction() as conn:
        while len(holds.expire_holds(conn, limit=1000)) == 1000:
            pass

    assert taken(van) == taken(tour) == [(0, 0)] * 3
    assert client.get(f"/api/reservations/{number}").json["status"] == "expired"


# -- what is sent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"items": []}, "items"),
        ({"items": None}, "items"),
        ({"items": [{}]}, "items.0.dates"),
        ({"items": [{"dates": ["2027-01-01"]}]}, "items.0.resource_id"),
        ({"items": [{"resource_id": "r", "dates": []}]}, "items.0.dates"),
        ({"items": [{"resource_id": "r", "dates": ["2026-02-30"]}]}, "items.0.dates.0"),
        ({"items": [{"resource_id": "r", "dates": ["2027-01-01", "2027-01-01"]}]}, "items.0.dates"),
        ({"items": [{"resource_id": "r", "dates": ["2027-01-01"], "quantity": 0}]}, "items.0.quantity"),
        ({"items": [{"resource_id": "r", "dates": ["2027-01-01"], "quantity": "2"}]}, "items.0.quantity"),
        ({"items": [{"resource_id": "r", "dates": ["2027-01-01"], "colour": "red"}]}, "items.0.colour"),
        ({"bookingNumber": 7}, "bookingNumber"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"colour": "red"}, "colour"),
        ({"items": [{"resource_id": "a\0b", "dates": ["2027-01-01"]}]}, "items.0.resource_id"),
    ],
)
def test_what_is_not_right_is_named(client: FlaskClient, change: dict[str, Any], field: str) -> None:
    body = {"items": [{"resource_id": "res_1", "dates": ["2027-01-01"]}], **change}

    answer = client.post(RESERVE, json=body)

    assert answer.status_code == 400
    assert f"{field}:" in answer.json["message"]


def test_what_cannot_be_is_refused_by_item(reserve: Any) -> None:
    van = open_days()
    yesterday = str(date.today() - timedelta(days=3))

    unknown = reserve(item(van), {"resource_id": "res_nothing", "dates": ["2027-01-01"]})
    past = reserve(item(van), {"resource_id": van[0], "dates": [yesterday]})
    many = reserve(*[item(van)] * 21)

    assert (unknown.status_code, unknown.json["code"], unknown.json["details"]["index"]) == (
        404,
        "resource_not_found",
        1,
    )
    assert (past.status_code, past.json["code"]) == (400, "past_dates")
    assert (past.json["details"]["index"], past.json["details"]["past_dates"]) == (1, [yesterday])
    assert many.status_code == 400
    assert taken(van) == [(0, 0)] * 3


def test_a_number_has_at_most_fifty_items(reserve: Any) -> None:
    van = open_days(capacity=100)
    number = reserve(*[item(van, days=1)] * 20).json["bookingNumber"]
    for _ in range(3):
        answer = reserve(*[item(van, days=1)] * 15, number=number)

    assert (answer.status_code, answer.json["code"]) == (400, "too_many_items")
    assert taken(van)[0] == (50, 0)


def test_the_same_key_makes_one_reservation(client: FlaskClient) -> None:
    van = open_days()
    headers = {"Idempotency-Key": uuid4().hex}

    answers = [client.post(RESERVE, json={"items": [item(van)]}, headers=headers) for _ in range(2)]
    other = client.post(RESERVE, json={"items": [item(van, 2)]}, headers=headers)

    assert answers[0].json["bookingNumber"] == answers[1].json["bookingNumber"]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert other.json["code"] == "idempotency_key_reused"
    assert taken(van) == [(1, 0)] * 3


def test_a_refusal_is_counted_by_resource_and_day_even_under_a_key(client: FlaskClient, reserve: Any) -> None:
    van, full = open_days(), open_days(capacity=1)
    reserve(item(full))

    for _ in range(3):
        reserve(item(van), item(full))
    client.post(RESERVE, json={"items": [item(full)]}, headers={"Idempotency-Key": uuid4().hex})

    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT resource_id, reason, sum(n) AS n FROM refusal WHERE resource_id = ANY (%s) GROUP BY 1, 2",
            [[van[0], full[0]]],
        ).fetchall()
    assert rows == [{"resource_id": full[0], "reason": "sold_out", "n": 4}]


def test_prices_come_from_the_resource(reserve: Any) -> None:
    van = open_days(days=3)
    with db.transaction() as conn:
        conn.execute("UPDATE resource SET metadata = '{\"price\": 12.5}' WHERE id = %s", [van[0]])

    shown = reserve(item(van, 2)).json["items"][0]

    assert (shown["price"], shown["currency_code"]) == (75, "aud")


def test_the_answer_has_what_the_document_says(app: Flask, reserve: Any) -> None:
    from schemas.reservations import ReservationSchema, ReservedItemSchema

    answer = reserve(item(open_days())).json

    def names(schema: Any) -> set[str]:
        return {field.data_key or name for name, field in schema().fields.items()}

    assert set(answer) == names(ReservationSchema)
    assert set(answer["items"][0]) <= names(ReservedItemSchema)
