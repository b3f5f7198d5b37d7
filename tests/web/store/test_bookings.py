"""/store/bookings: appointments as a storefront books, pays, looks at, moves and cancels them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from flask.testing import FlaskClient

from tests.conftest import JWT_SECRET
from tests.factories import at, make_service, make_staff
from tests.web.ops.rows import committed

PATH = "/store/bookings"
Headers = dict[str, str]


def customer(who: str = "cus_ada") -> Headers:
    """The platform's token of a customer."""
    content = {"actor_type": "customer", "actor_id": who, "exp": int(time.time()) + 600}
    return {"Authorization": f"Bearer {jwt.encode(content, JWT_SECRET, 'HS256')}"}


def token_of(answer: Any) -> str:
    """The token of a guest's link."""
    return urlsplit(answer["manage_url"]).path.removeprefix("/manage/")


@pytest.fixture
def shop(app: object) -> tuple[str, str]:
    """A service, and somebody who does it from nine to five."""
    return committed(make_service), committed(make_staff)


def book(
    client: FlaskClient, shop: tuple[str, str], start: str = "10:00", headers: Headers | None = None, **fields: Any
):
    service_id, staff_id = shop
    body = {
        "service_id": service_id,
        "staff_id": staff_id,
        "start_at": at(start).isoformat(),
        "customer_email": "ada@example.test",
        **fields,
    }
    return client.post(PATH, json={name: value for name, value in body.items() if value is not None}, headers=headers)


# -- booking -----------------------------------------------------------------------------------------------------------


def test_a_booking_is_held_for_ten_minutes(client: FlaskClient, shop: tuple[str, str]) -> None:
    answer = book(client, shop, customer_name="Ada", notes="Short at the back", metadata={"chair": 2})

    assert answer.status_code == 201, answer.json
    booking = answer.json["booking"]
    assert booking["status"] == "held"
    assert booking["start_at"] == at("10:00").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert booking["end_at"] == at("10:30").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert booking["time_zone"] == "Australia/Brisbane"
    assert (booking["service_id"], booking["staff_id"]) == shop
    assert booking["price_amount"] == 40
    assert booking["booking_number"].startswith("BK-")
    assert booking["id"].startswith("book_")
    assert isinstance(booking["display_id"], int)
    assert booking["customer_name"] == "Ada"
    assert booking["metadata"] == {"chair": 2}
    assert booking["hold_expires_at"] is not None
    assert {name for name, value in booking.items() if value is None} >= {"confirmed_at", "cancelled_at", "amount_paid"}
