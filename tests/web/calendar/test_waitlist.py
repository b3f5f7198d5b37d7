"""/api/calendar/waitlist: joining, looking, leaving; by customers, guests with a link, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from flask.testing import FlaskClient

from bridge import db, links
from bridge.config import Config
from bridge.core import bookings, holds, waitlist
from tests.conftest import JWT_SECRET
from tests.factories import future_day
from tests.waiting import free_seats, lapse_offer, make_slot, make_tour, slot_id_of, take

PATH = "/api/calendar/waitlist"
Headers = dict[str, str]


def customer(customer_id: str) -> Headers:
    """Headers of a customer who is signed in on the platform."""
    content = {"actor_id": customer_id, "actor_type": "customer", "exp": datetime.now(UTC) + timedelta(hours=1)}
    return {"Authorization": f"Bearer {jwt.encode(content, JWT_SECRET, algorithm='HS256')}"}


def full_tour(*, capacity: int = 1, slots: int = 1) -> tuple[str, list[int], list[str]]:
    """A tour whose departures of one date are full; its departures and their holds."""
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        numbers = [make_slot(conn, tour_id, capacity=capacity, at=time(8 + n)) for n in range(slots)]
        return tour_id, numbers, [take(conn, tour_id, number, capacity) for number in numbers]


def wish(tour_id: str, **fields: Any) -> dict[str, Any]:
    """The body that joins the queue."""
    return {
        "tour_id": tour_id,
        "requested_date": f"{future_day()}",
        "num_people": 1,
        "customer_name": "Jane Smith",
        "customer_email": f"{uuid4().hex[:10]}@example.test",
        "customer_phone": "+1234567890",
        "notes": "Flexible on time",
        **fields,
    }


def release(hold_id: str) -> None:
    with db.transaction() as conn:
        holds.release_hold(conn, hold_id, actor="tests")


def token_of(answer: Any) -> str:
    """The token of the link in an answer."""
    return str(answer.json["manage_url"]).rpartition("/")[2]


def test_who_joins_is_told_the_place_in_the_queue_and_gets_a_link(client: FlaskClient, config: Config) -> None:
    tour_id, _slots, _held = full_tour()

    first = client.post(PATH, json=wish(tour_id))
    second = client.post(PATH, json=wish(tour_id))

    assert (first.status_code, second.status_code) == (201, 201)
    entry = first.json
    assert entry["id"].startswith("wait_")
    assert (entry["status"], entry["position"], second.json["position"]) == ("active", 1, 2)
    assert (entry["num_people"], entry["priority"], entry["booking_slot_id"]) == (1, 0, None)
    assert (entry["notified_at"], entry["offer"], entry["booking_id"]) == (None, None, None)
    assert links.read(config, token_of(first)) == ("waitlist", entry["id"])


def test_with_room_there_is_nothing_to_wait_for_and_the_departures_are_named(client: FlaskClient) -> None:
    tour_id, slots, held = full_tour(slots=2)
    release(held[1])

    refused = client.post(PATH, json=wish(tour_id))
    other = client.post(PATH, json=wish(tour_id, num_people=2))

    assert (refused.status_code, refused.json["code"]) == (409, "seats_available")
    with db.transaction() as conn:
        named = slot_id_of(conn, slots[1])
    assert refused.json["details"]["slots"] == [
        {"slot_id": named, "start_time": "09:00:00", "end_time": "12:00:00", "available_spots": 1}
    ]
    assert (other.status_code, other.json["code"]) == (409, "nothing_to_wait_for")


def test_the_same_wish_again_is_the_same_entry_and_another_is_refused(client: FlaskClient) -> None:
    tour_id, slots, _held = full_tour(capacity=3)
    body = wish(tour_id)
    first = client.post(PATH, json=body)

    again = client.post(PATH, json=body)
    larger = client.post(PATH, json={**body, "num_people": 2})
    with db.transaction() as conn:
        one = client.post(PATH, json={**body, "slot_id": slot_id_of(conn, slots[0])})

    assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    assert [(answer.status_code, answer.json["code"]) for answer in (larger, one)] == [(409, "already_waiting")] * 2
    assert larger.json["details"]["entry_id"] == first.json["id"]


@pytest.mark.parametrize("name", ["slot_id", "booking_slot_id"])
def test_one_departure_may_be_waited_for(client: FlaskClient, name: str) -> None:
    tour_id, slots, _held = full_tour(slots=2)
    with db.transaction() as conn:
        slot_id = slot_id_of(conn, slots[1])

    joined = client.post(PATH, json=wish(tour_id, **{name: slot_id}))

    assert joined.json["booking_slot_id"] == slot_id


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"num_people": 0}, 400, "invalid_data"),
        ({"num_people": 51}, 400, "party_size"),
        ({"num_people": "2"}, 400, "invalid_data"),
        ({"customer_email": "jane"}, 400, "invalid_data"),
        ({"requested_date": "2026-13-01"}, 400, "invalid_data"),
        ({"requested_date": f"{future_day(60)}"}, 409, "nothing_to_wait_for"),
        ({"slot_id": "slot_none"}, 404, "slot_not_found"),
        ({"slot_id": "slot_a", "booking_slot_id": "slot_b"}, 400, "invalid_data"),
        ({"tour_id": "res_none"}, 404, "resource_not_found"),
        ({"priority": 9}, 400, "invalid_data"),
        ({"notes": "\0"}, 400, "invalid_data"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(
    client: FlaskClient, changes: dict[str, Any], status: int, code: str
) -> None:
    tour_id, _slots, _held = full_tour()

    refused = client.post(PATH, json=wish(tour_id) | changes)

    assert (refused.status_code, refused.json["code"]) == (status, code)


@pytest.mark.parametrize(("days", "code"), [(0, "too_late"), (200, "too_far_ahead")])
def test_a_date_that_cannot_be_booked_cannot_be_waited_for(client: FlaskClient, days: int, code: str) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        day = future_day(days)
        starts_at = datetime.now(UTC) + timedelta(hours=2) if not days else None
        take(conn, tour_id, make_slot(conn, tour_id, capacity=1, on=day, starts_at=starts_at))

    refused = client.post(PATH, json=wish(tour_id, requested_date=f"{day}"))

    assert (refused.status_code, refused.json["code"]) == (400, code)


def test_customers_see_their_own_entries_and_nobody_elses(client: FlaskClient) -> None:
    tour_id, _slots, _held = full_tour()
    me, other = customer(f"cus_{uuid4().hex}"), customer(f"cus_{uuid4().hex}")
    mine = client.post(PATH, json=wish(tour_id), headers=me).json
    client.post(PATH, json=wish(tour_id), headers=other)

    own = client.get(f"{PATH}/me", headers=me)
    nobody = client.get(f"{PATH}/me")

    assert [entry["id"] for entry in own.json["waitlist_entries"]] == [mine["id"]]
    assert (own.json["count"], own.json["limit"], own.json["offset"]) == (1, 20, 0)
    assert nobody.status_code == 401
    assert client.get(f"{PATH}/{mine['id']}", headers=me).json == {k: v for k, v in mine.items() if k != "manage_url"}
    assert client.get(f"{PATH}/{mine['id']}", headers=other).status_code == 403
    assert client.delete(f"{PATH}/{mine['id']}", headers=other).status_code == 403


def test_a_guest_looks_and_leaves_by_the_link_alone(client: FlaskClient) -> None:
    tour_id, _slots, _held = full_tour()
    joined = client.post(PATH, json=wish(tour_id))
    elsewhere = client.post(PATH, json=wish(tour_id))
    path = f"{PATH}/{joined.json['id']}"

    assert client.get(path).status_code == 401
    assert client.get(f"{path}?token={token_of(elsewhere)}").status_code == 403
    assert client.get(f"{path}?token=forged").json["code"] == "link_invalid"
    assert client.get(f"{path}?token={token_of(joined)}").json["status"] == "active"
    left = client.delete(f"{path}?token={token_of(joined)}")
    again = client.delete(f"{path}?token={token_of(joined)}")

    assert (left.status_code, left.json["status"], left.json["position"]) == (200, "cancelled", None)
    assert (again.status_code, again.json["code"]) == (409, "waitlist_entry_closed")
    assert client.delete(f"{PATH}/wait_none?token={token_of(joined)}").status_code == 404


def test_seats_given_back_are_offered_and_no_longer_shown_as_free(client: FlaskClient) -> None:
    tour_id, _slots, held = full_tour(capacity=2)
    first = client.post(PATH, json=wish(tour_id, num_people=2))
    second = client.post(PATH, json=wish(tour_id, num_people=2))

    release(held[0])
    offered = client.get(f"{PATH}/{first.json['id']}?token={token_of(first)}").json
    declined = client.delete(f"{PATH}/{first.json['id']}?token={token_of(first)}")

    assert offered["status"] == "notified"
    assert offered["offer"]["expires_at"] == offered["notification_expires_at"]
    assert declined.json["status"] == "cancelled"
    assert client.get(f"{PATH}/{second.json['id']}?token={token_of(second)}").json["status"] == "notified"


def test_what_is_offered_is_booked_in_the_same_seats_and_paid_as_any_booking(client: FlaskClient) -> None:
    tour_id, slots, held = full_tour(capacity=3)
    joined = client.post(PATH, json=wish(tour_id, num_people=2))
    path = f"{PATH}/{joined.json['id']}"
    token = token_of(joined)

    early = client.post(f"{path}/accept?token={token}", json={})
    release(held[0])
    wrong = client.post(f"{path}/accept?token={token}", json={"num_adults": 3})
    stranger = client.post(f"{path}/accept?token=forged", json={})
    party = {"num_adults": 1, "num_children": 1, "num_infants": 1}
    accepted = client.post(f"{path}/accept?token={token}", json=party)
    again = client.post(f"{path}/accept?token={token}", json={})

    assert (early.status_code, early.json["code"]) == (409, "nothing_offered")
    assert (wrong.status_code, wrong.json["code"]) == (400, "party_size")
    assert stranger.status_code == 403
    booking = accepted.json
    assert (accepted.status_code, booking["status"], booking["total_people"]) == (200, "pending", 3)
    assert booking["hold_expires_at"] is not None and booking["manage_url"]
    assert again.json["id"] == booking["id"]
    entry = client.get(f"{path}?token={token}").json
    assert (entry["status"], entry["booking_id"]) == ("converted", booking["id"])
    assert client.delete(f"{path}?token={token}").json["code"] == "waitlist_entry_closed"
    with db.transaction() as conn:
        assert free_seats(conn, tour_id, slots[0]) == 1
        holds.confirm_hold(conn, booking["hold_id"], order_id="order_w", line_item_id="line_1", actor="tests")
        assert bookings.get_booking(conn, booking["id"]).status == "confirmed"


def test_an_offer_that_has_expired_cannot_be_accepted(client: FlaskClient) -> None:
    tour_id, _slots, held = full_tour()
    joined = client.post(PATH, json=wish(tour_id))
    release(held[0])
    with db.transaction() as conn:
        lapse_offer(conn, waitlist.get_entry(conn, joined.json["id"]))

    late = client.post(f"{PATH}/{joined.json['id']}/accept?token={token_of(joined)}", json={})

    assert (late.status_code, late.json["code"]) == (409, "offer_expired")


def test_joining_twice_under_one_idempotency_key_joins_once(client: FlaskClient) -> None:
    tour_id, _slots, _held = full_tour()
    body, headers = wish(tour_id), {"Idempotency-Key": uuid4().hex}

    first = client.post(PATH, json=body, headers=headers)
    again = client.post(PATH, json=body, headers=headers)

    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
