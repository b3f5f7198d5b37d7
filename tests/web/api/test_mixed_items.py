"""Seats on a departure and somebody's time, in one basket with a vehicle."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import appointments, audits, orders
from bridge.rules.orders import LineFacts, OrderFacts
from tests.concurrency.rush import rush
from tests.factories import (
    at,
    counters,
    future_day,
    lapse_reservation,
    make_resource,
    make_service,
    make_shop,
    make_staff,
)
from tests.waiting import make_slot, make_tour, slot_id_of

RESERVE = "/api/reserve-availability"
ADA = "ada@example.test"

pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]


class World:
    """A van, a departure of six seats, and a guide with a service of an hour."""

    def __init__(self) -> None:
        with db.transaction() as conn:
            self.van, self.days = make_resource(conn, capacity=1, days=3, first_day=future_day(20))
            self.tour = make_tour(conn)
            self.slot = slot_id_of(conn, make_slot(conn, self.tour, capacity=6, on=future_day(20)))
            self.service, self.guide = make_shop(conn, name="A guide", price=Decimal(80), duration_minutes=60)

    def van_item(self) -> dict[str, Any]:
        return {"resource_id": self.van, "dates": [str(day) for day in self.days]}

    def seats_item(self, adult: int = 2, child: int = 0) -> dict[str, Any]:
        return {"slot_id": self.slot, "party": {"adult": adult, "child": child}}

    def guide_item(self, clock: str = "10:00", **fields: Any) -> dict[str, Any]:
        return {"service_id": self.service, "start_at": at(clock, future_day(20)).isoformat(), **fields}

    def taken(self) -> dict[str, list[tuple[int, int]]]:
        with db.transaction() as conn:
            return {name: counters(conn, getattr(self, name)) for name in ("van", "tour", "guide")}


@pytest.fixture
def world() -> World:
    return World()


def reserve(client: FlaskClient, *items: dict[str, Any], **fields: Any) -> Any:
    return client.post(RESERVE, json={"items": list(items), **fields})


def pay(number: str, lines: tuple[LineFacts, ...] = ()) -> str:
    order_id = f"order_{uuid4().hex}"
    with db.transaction() as conn:
        facts = OrderFacts(source="medusa", id=order_id, booking_number=number, lines=lines)
        orders.reconcile(conn, facts, actor="tests")
    return order_id


def test_all_three_are_held_together_paid_together_and_permanent_together(client: FlaskClient, world: World) -> None:
    made = reserve(client, world.van_item(), world.seats_item(2, 1), world.guide_item(), customer_email=ADA)

    assert made.status_code == 201, made.json
    van, seats, guide = made.json["items"]
    assert {one["expiresAt"] for one in made.json["items"]} == {made.json["expiresAt"]}
    assert (seats["slot_id"], seats["party"], seats["quantity"]) == (
        world.slot,
        {"adult": 2, "child": 1, "infant": 0},
        3,
    )
    # Two in full, one at 70 %, and the tax.
    assert seats["price"] == 222.75
    assert (guide["service_id"], guide["staff_id"], guide["price"]) == (world.service, world.guide, 80)
    assert world.taken() == {"van": [(1, 0)] * 3, "tour": [(3, 0)], "guide": [(2, 0)] * 4}

    lines = tuple(LineFacts(id=one["id"], quantity=1, ordered=1, hold_ids=(one["id"],)) for one in (van, seats, guide))
    pay(made.json["bookingNumber"], lines)

    assert world.taken() == {"van": [(0, 1)] * 3, "tour": [(0, 3)], "guide": [(0, 2)] * 4}
    shown = client.get(f"/api/reservations/{made.json['bookingNumber']}").json
    assert [one["status"] for one in shown["items"]] == ["confirmed"] * 3
    with db.transaction() as conn:
        appointment = conn.execute("SELECT status::text FROM appointment WHERE hold_id = %s", [guide["id"]]).fetchone()
        booking = conn.execute(
            "SELECT status::text, num_adults, num_children, customer_email FROM booking WHERE hold_id = %s",
            [seats["id"]],
        ).fetchone()
        found = [one for one in audits.audit(conn) if one.get("resource_id") in {world.van, world.tour, world.guide}]
    assert appointment == {"status": "confirmed"}
    assert booking == {"status": "confirmed", "num_adults": 2, "num_children": 1, "customer_email": ADA}
    assert found == []


@pytest.mark.parametrize("end", ["beacon", "sweep", "by itself"])
def test_or_all_of_it_is_free_again(client: FlaskClient, admin: dict[str, str], world: World, end: str) -> None:
    made = reserve(client, world.van_item(), world.seats_item(), world.guide_item()).json
    number = made["bookingNumber"]

    if end == "beacon":
        client.post("/api/cleanup-expired", json={"bookingNumber": number})
    else:
        with db.transaction() as conn:
            lapse_reservation(conn, number)
    if end == "sweep":
        client.get("/api/cleanup-expired", headers=admin)

    again = reserve(client, world.van_item(), world.seats_item(6), world.guide_item())
    assert again.status_code == 201, again.json
    with db.transaction() as conn:
        row = conn.execute("SELECT id FROM appointment WHERE hold_id = %s", [made["items"][2]["id"]]).fetchone()
        assert appointments.get_appointment(conn, row["id"]).status == "cancelled"


def test_one_that_cannot_be_had_keeps_all_of_them_from_being_held(client: FlaskClient, world: World) -> None:
    reserve(client, world.seats_item(5))
    before = world.taken()

    seats = reserve(client, world.van_item(), world.guide_item(), world.seats_item(2))
    reserve(client, world.guide_item("11:00"))
    guide = reserve(client, world.van_item(), world.seats_item(1), world.guide_item("11:00", staff_id=world.guide))

    assert (seats.status_code, seats.json["code"]) == (409, "insufficient_capacity")
    [refused] = seats.json["details"]["items"]
    assert (refused["index"], refused["slot_id"], refused["reason"]) == (2, world.slot, "sold_out")
    assert refused["unavailable"] == [{"requested": 2, "available": 1}]
    assert (guide.status_code, guide.json["code"]) == (409, "slot_unavailable")
    assert guide.json["details"]["index"] == 2
    assert len(guide.json["details"]["alternatives"]) == 5
    assert {name: world.taken()[name] for name in ("van", "tour")} == {name: before[name] for name in ("van", "tour")}


def test_two_parties_of_one_basket_share_the_seats(client: FlaskClient, world: World) -> None:
    refused = reserve(client, world.seats_item(4), world.seats_item(3))
    fits = reserve(client, world.seats_item(4), world.seats_item(2))

    assert (refused.status_code, fits.status_code) == (409, 201)
    assert [one["index"] for one in refused.json["details"]["items"]] == [0, 1]


def test_two_guides_for_one_hour_are_two_people(client: FlaskClient) -> None:
    world = World()
    with db.transaction() as conn:
        make_staff(conn, service_ids=[world.service])

    two = reserve(client, world.guide_item(), world.guide_item())
    third = reserve(client, world.guide_item())

    assert two.status_code == 201, two.json
    assert len({one["staff_id"] for one in two.json["items"]}) == 2
    assert third.json["code"] == "slot_unavailable"


def test_a_dropped_hour_is_free_and_its_appointment_is_cancelled(client: FlaskClient, world: World) -> None:
    made = reserve(client, world.seats_item(), world.guide_item()).json

    client.delete(f"/api/reservations/{made['bookingNumber']}/items/{made['items'][1]['id']}")

    assert world.taken()["guide"] == [(0, 0)] * 4
    assert world.taken()["tour"] == [(2, 0)]
    with db.transaction() as conn:
        row = conn.execute(
            "SELECT status::text FROM appointment WHERE hold_id = %s", [made["items"][1]["id"]]
        ).fetchone()
    assert row == {"status": "cancelled"}


def test_an_order_has_a_party_whole_or_is_short_of_it(client: FlaskClient, world: World) -> None:
    made = reserve(client, world.seats_item(4)).json
    with db.transaction() as conn:
        lapse_reservation(conn, made["bookingNumber"])
    reserve(client, world.seats_item(3))

    pay(made["bookingNumber"])

    assert client.get(f"/api/reservations/{made['bookingNumber']}").json["items"][0]["status"] == "short"
    assert world.taken()["tour"] == [(3, 0)]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"slot_id": "slot_nothing", "party": {"adult": 1}}, 404, "slot_not_found"),
        ({"party": {"adult": 0, "child": 2}}, 400, "party_size"),
        ({"party": {"adult": 51}}, 400, "party_size"),
        ({"resource_id": "res_another"}, 404, "slot_not_found"),
    ],
)
def test_a_departure_is_refused_as_by_itself(
    client: FlaskClient, world: World, change: dict[str, Any], status: int, code: str
) -> None:
    answer = reserve(client, world.van_item(), world.seats_item() | change)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.json["message"].startswith("items.1: ")
    assert answer.json["details"]["index"] == 1


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"service_id": "bksvc_nothing"}, 404, "service_not_found"),
        ({"staff_id": "bkstf_nothing"}, 404, "staff_not_found"),
        ({"start_at": "2020-01-01T10:00:00Z"}, 400, "in_the_past"),
        ({"start_at": (at("10:00", future_day(20)) + timedelta(minutes=7)).isoformat()}, 400, "off_grid"),
        ({"start_at": at("20:00", future_day(20)).isoformat()}, 409, "outside_business_hours"),
    ],
)
def test_somebodys_time_is_refused_as_by_itself(
    client: FlaskClient, world: World, change: dict[str, Any], status: int, code: str
) -> None:
    answer = reserve(client, world.van_item(), world.guide_item() | change)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.json["details"]["index"] == 1


@pytest.mark.parametrize("start_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:45:00Z", "2200-01-01T00:00:00Z"])
def test_a_start_that_no_calendar_holds_is_a_mistake(client: FlaskClient, world: World, start_at: str) -> None:
    answer = reserve(client, world.guide_item() | {"start_at": start_at})

    assert answer.status_code == 400
    assert answer.json["message"].startswith("items.0.start_at: ")


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"slot_id": "s"}, "party"),
        ({"service_id": "s"}, "start_at"),
        ({"slot_id": "s", "service_id": "s"}, "service_id"),
        ({"slot_id": "s", "party": {"adult": 1}, "quantity": 2}, "quantity"),
        ({"slot_id": "s", "party": {"adult": -1}}, "party.adult"),
        ({"slot_id": "s", "party": {"dog": 1}}, "party.dog"),
        ({"service_id": "s", "start_at": "10:00"}, "start_at"),
        ({"service_id": "s", "start_at": "2027-01-01T10:00:00Z", "dates": ["2027-01-01"]}, "service_id"),
        ({"resource_id": "r"}, "dates"),
    ],
)
def test_an_item_is_of_one_kind(client: FlaskClient, item: dict[str, Any], field: str) -> None:
    answer = reserve(client, item)

    assert answer.status_code == 400
    assert f"items.0.{field}:" in answer.json["message"]


def test_baskets_of_every_kind_in_opposite_order_never_deadlock(client: FlaskClient) -> None:
    """One of each pair wins; whoever loses has nothing."""
    app = client.application
    worlds = [World() for _ in range(12)]
    calls = []
    for world in worlds:
        items = [world.van_item(), world.seats_item(6), world.guide_item()]
        calls += [
            lambda items=items: reserve(app.test_client(), *items),
            lambda items=items[::-1]: reserve(app.test_client(), *items),
        ]

    answers = rush(calls, at_once=8)

    statuses = [sorted(answer.status_code for answer in answers[n : n + 2]) for n in range(0, len(answers), 2)]
    assert statuses == [[201, 409]] * len(worlds)
    assert all(world.taken() == {"van": [(1, 0)] * 3, "tour": [(6, 0)], "guide": [(2, 0)] * 4} for world in worlds)


def test_whoever_asks_for_anybody_gets_somebody_while_there_is_somebody(client: FlaskClient) -> None:
    app = client.application
    with db.transaction() as conn:
        service = make_service(conn, name="A guide", price=Decimal(80))
        for _ in range(3):
            make_staff(conn, service_ids=[service])
    item = {"service_id": service, "start_at": at("10:00", future_day(20)).isoformat()}

    answers = rush([lambda: reserve(app.test_client(), item) for _ in range(6)], at_once=6)

    assert sorted(answer.status_code for answer in answers).count(201) == 3
    assert {answer.json.get("code") for answer in answers if answer.status_code != 201} <= {
        "slot_unavailable",
        "insufficient_capacity",
    }
