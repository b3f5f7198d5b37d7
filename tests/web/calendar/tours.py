"""Tours as a client of the calendar makes and books them, over HTTP alone."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import jwt
from flask.testing import FlaskClient

from tests.conftest import JWT_SECRET

Headers = dict[str, str]

API = "/api/calendar"
FIRST = date.today() + timedelta(days=20)  # Far enough for any cut-off, near enough for the advance window.


def make_tour(client: FlaskClient, admin: Headers, **fields: Any) -> str:
    """A tour; its id."""
    body = {"type": "TOUR", "name": "Jerusalem Old City Tour", **fields}
    answer = client.post("/admin/resource-booking/resources", json=body, headers=admin)
    assert answer.status_code == 201, answer.json
    return str(answer.json["resource"]["id"])


def schedule_body(tour_id: str, **fields: Any) -> dict[str, Any]:
    """What makes a daily schedule, from FIRST on."""
    return {
        "tour_id": tour_id,
        "name": "Mornings",
        "start_time": "09:00:00",
        "duration_minutes": 180,
        "recurrence": "daily",
        "max_capacity": 15,
        "min_capacity": 4,
        "valid_from": FIRST.isoformat(),
        "valid_until": (FIRST + timedelta(days=60)).isoformat(),
        "price_override": 75.00,
        **fields,
    }


def make_schedule(client: FlaskClient, admin: Headers, tour_id: str, **fields: Any) -> str:
    """A schedule; its id."""
    answer = client.post(f"{API}/admin/schedules", json=schedule_body(tour_id, **fields), headers=admin)
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def generate(client: FlaskClient, admin: Headers, schedule_id: str, days: int = 3, first: date = FIRST) -> Any:
    """Its departures on so many days; the answer."""
    query = {"start_date": first.isoformat(), "end_date": (first + timedelta(days=days - 1)).isoformat()}
    answer = client.post(f"{API}/admin/schedules/{schedule_id}/generate-slots", query_string=query, headers=admin)
    assert answer.status_code == 200, answer.json
    return answer.json


def make_departures(client: FlaskClient, admin: Headers, days: int = 2, **fields: Any) -> tuple[str, list[str]]:
    """A tour with departures; its id and theirs, by date."""
    tour_id = make_tour(client, admin, **fields.pop("tour", {}))
    generated = generate(client, admin, make_schedule(client, admin, tour_id, **fields), days)
    return tour_id, [slot["slot_id"] for slot in generated["slots"]]


def booking_body(tour_id: str, slot_id: str, **fields: Any) -> dict[str, Any]:
    """What books two adults and a child."""
    return {
        "tour_id": tour_id,
        "booking_slot_id": slot_id,
        "num_adults": 2,
        "num_children": 1,
        "num_infants": 0,
        "customer_name": "John Doe",
        "customer_email": "john@example.com",
        "customer_phone": "+1234567890",
        **fields,
    }


def book(client: FlaskClient, tour_id: str, slot_id: str, headers: Headers | None = None, **fields: Any) -> Any:
    """A booking; the answer."""
    answer = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id, **fields), headers=headers or {})
    assert answer.status_code == 201, answer.json
    return answer.json


def customer(customer_id: str | None = None) -> Headers:
    """Headers of a customer who is signed in on the platform."""
    content = {
        "actor_id": customer_id or f"cus_{uuid4().hex}",
        "actor_type": "customer",
        "exp": int(time.time()) + 600,
    }
    return {"Authorization": f"Bearer {jwt.encode(content, JWT_SECRET, 'HS256')}"}


def token_of(booking: dict[str, Any]) -> str:
    """The token in a guest's link."""
    return str(booking["manage_url"].rpartition("/")[2])


def spots(client: FlaskClient, tour_id: str, slot_id: str) -> int:
    """How many seats a departure has left."""
    query = {"start_date": FIRST.isoformat(), "end_date": (FIRST + timedelta(days=60)).isoformat()}
    slots = client.get(f"{API}/tours/{tour_id}/slots", query_string=query).json["slots"]
    return next(int(slot["available_spots"]) for slot in slots if slot["slot_id"] == slot_id)
