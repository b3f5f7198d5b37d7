"""Deposits and full payments: one cart on the platform for each way to pay, and nothing at all when it is away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
import responses
from flask import Flask
from flask.testing import FlaskClient

from bridge import db
from bridge.config import Config
from bridge.core import appointments
from bridge.core.appointments import Appointment
from bridge.web import create_app
from tests.factories import lapse, make_appointment, make_shop
from tests.web.ops.rows import committed

PLATFORM = "http://medusa.test"


@pytest.fixture(scope="module")
def paying_app(config: Config) -> Iterator[Flask]:
    """The application beside a platform."""
    yield create_app(
        replace(
            config,
            medusa_url=PLATFORM,
            medusa_publishable_key="pk_test",
            checkout_url="https://shop.test/pay/{cart_id}",
            appointment_variant_id="variant_setting",
        )
    )
    create_app(config)


@pytest.fixture
def payer(paying_app: Flask) -> FlaskClient:
    return paying_app.test_client()


@pytest.fixture
def platform() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def takes_carts(platform: responses.RequestsMock, *, seconds: float = 0) -> list[dict[str, Any]]:
    """Have the platform make carts; the bodies it was sent."""
    seen: list[dict[str, Any]] = []
    lock = threading.Lock()

    def make(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        with lock:
            seen.append(json.loads(request.body or "{}"))
            number = len(seen)
        time.sleep(seconds)
        return 200, {}, json.dumps({"cart": {"id": f"cart_{number}"}})

    platform.add_callback(responses.POST, f"{PLATFORM}/store/carts", callback=make)
    return seen


def held(**fields: Any) -> Appointment:
    """A held appointment of a service with a deposit of a quarter, to be paid in any way."""
    service = {
        "price": 40,
        "deposit_type": "percent",
        "deposit_value": 25,
        "payment_modes_allowed": ["pay_in_store", "deposit", "full"],
        **fields,
    }
    shop = committed(make_shop, **service)
    return committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id)


def confirm(client: FlaskClient, booking: Appointment, mode: str) -> Any:
    return client.post(f"/store/bookings/{booking.id}/confirm", json={"payment_mode": mode})


@pytest.mark.parametrize(("mode", "amount"), [("deposit", 10), ("full", 40)])
def test_a_cart_of_the_right_amount_is_made(
    payer: FlaskClient, platform: responses.RequestsMock, mode: str, amount: int
) -> None:
    sent = takes_carts(platform)
    booking = held(metadata={"variant_id": "variant_service"})

    answer = confirm(payer, booking, mode)

    assert answer.status_code == 200, answer.json
    assert answer.json["cart"] == {"id": "cart_1", "checkout_url": "https://shop.test/pay/cart_1", "amount": amount}
    assert (answer.json["booking"]["status"], answer.json["booking"]["payment_mode"]) == ("held", mode)
    line = sent[0]["items"][0]
    assert (line["variant_id"], line["quantity"], line["unit_price"]) == ("variant_service", 1, amount)
    assert line["metadata"]["booking_hold_id"] == booking.hold_id
    assert sent[0]["metadata"]["booking_id"] == line["metadata"]["booking_id"] == booking.id
    assert (sent[0]["currency_code"], sent[0]["email"]) == ("aud", "ada@example.test")
    assert platform.calls[0].request.headers["x-publishable-api-key"] == "pk_test"


def test_without_a_variant_of_its_own_a_service_is_sold_as_the_setting_says(
    payer: FlaskClient, platform: responses.RequestsMock
) -> None:
    sent = takes_carts(platform)

    confirm(payer, held(), "full")

    assert sent[0]["items"][0]["variant_id"] == "variant_setting"


def test_asked_again_it_is_the_same_cart(payer: FlaskClient, platform: responses.RequestsMock) -> None:
    sent = takes_carts(platform)
    booking = held()

    first, second = (confirm(payer, booking, "deposit") for _ in range(2))

    assert second.json["cart"] == first.json["cart"]
    assert len(sent) == 1


def test_who_changes_their_mind_pays_by_another_cart_or_in_the_shop(
    payer: FlaskClient, platform: responses.RequestsMock
) -> None:
    takes_carts(platform)
    booking = held()

    carts = [confirm(payer, booking, mode).json["cart"] for mode in ("deposit", "full")]
    confirmed = confirm(payer, booking, "pay_in_store")

    assert [(cart["id"], cart["amount"]) for cart in carts] == [("cart_1", 10), ("cart_2", 40)]
    assert (confirmed.json["booking"]["status"], confirmed.json["booking"]["payment_mode"]) == (
        "confirmed",
        "pay_in_store",
    )


def test_asked_twice_at_once_there_is_one_cart(paying_app: Flask, platform: responses.RequestsMock) -> None:
    sent = takes_carts(platform, seconds=0.3)
    booking = held()
    answers: list[Any] = []

    def ask() -> None:
        answers.append(confirm(paying_app.test_client(), booking, "deposit"))
        db.close()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert [answer.status_code for answer in answers] == [200] * 4, [answer.json for answer in answers]
    assert {answer.json["cart"]["id"] for answer in answers} == {"cart_1"}
    assert len(sent) == 1


def test_the_hold_gets_one_grace_to_be_paid_in(payer: FlaskClient, platform: responses.RequestsMock) -> None:
    takes_carts(platform)
    booking = held()
    with db.transaction() as conn:
        conn.execute("UPDATE hold SET expires_at = now() + INTERVAL '1 minute' WHERE id = %s", [booking.hold_id])
        conn.execute("UPDATE claim SET expires_at = now() + INTERVAL '1 minute' WHERE hold_id = %s", [booking.hold_id])

    first = confirm(payer, booking, "deposit").json["booking"]["hold_expires_at"]
    again = confirm(payer, booking, "full").json["booking"]["hold_expires_at"]

    with db.transaction() as conn:
        claims = conn.execute("SELECT expires_at FROM claim WHERE hold_id = %s", [booking.hold_id]).fetchall()
    left = datetime.fromisoformat(first) - datetime.now(tz=datetime.fromisoformat(first).tzinfo)
    assert timedelta(minutes=8) < left <= timedelta(minutes=10)
    assert again == first
    assert {abs(claim["expires_at"] - datetime.fromisoformat(first)) < timedelta(seconds=1) for claim in claims} == {
        True
    }


@pytest.mark.parametrize("fault", ["away", "broken", "refused", "garbage"])
def test_while_the_platform_is_away_nothing_changes(
    payer: FlaskClient, platform: responses.RequestsMock, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.clients.servers._BACK_OFF", lambda _state: 0)
    body: Any = {
        "away": requests.ConnectionError(),
        "broken": "{}",
        "refused": '{"message": "no such variant"}',
        "garbage": "<html>",
    }[fault]
    status = {"broken": 500, "refused": 400}.get(fault, 200)
    platform.add(responses.POST, f"{PLATFORM}/store/carts", body=body, status=status)
    booking = held()
    with db.transaction() as conn:
        before = appointments.get_appointment(conn, booking.id)

    answer = confirm(payer, booking, "full")

    assert (answer.status_code, answer.json["code"]) == (503, "platform_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    with db.transaction() as conn:
        after = appointments.get_appointment(conn, booking.id)
    assert replace(after, read_at=before.read_at) == before

    platform.reset()
    takes_carts(platform)
    assert confirm(payer, booking, "full").status_code == 200


def test_without_a_platform_there_is_no_paying_there(client: FlaskClient) -> None:
    answer = confirm(client, held(), "full")

    assert (answer.status_code, answer.json["code"]) == (503, "platform_unavailable")


@pytest.mark.parametrize(
    ("mode", "service"),
    [
        ("deposit", {"payment_modes_allowed": ["full"]}),
        ("full", {"payment_modes_allowed": ["pay_in_store"]}),
        ("deposit", {"payment_modes_allowed": ["deposit"], "deposit_type": "none"}),
        ("full", {"payment_modes_allowed": ["full"], "price": 0, "deposit_type": "none"}),
    ],
)
def test_a_way_to_pay_that_there_is_not_asks_nobody(
    payer: FlaskClient, platform: responses.RequestsMock, mode: str, service: dict[str, Any]
) -> None:
    sent = takes_carts(platform)

    answer = confirm(payer, held(**service), mode)

    assert (answer.status_code, answer.json["code"]) == (400, "payment_mode_not_allowed")
    assert sent == []


def test_what_has_lapsed_is_not_paid_for(payer: FlaskClient, platform: responses.RequestsMock) -> None:
    sent = takes_carts(platform)
    booking = held()
    with db.transaction() as conn:
        lapse(conn, booking.hold_id)

    answer = confirm(payer, booking, "full")

    assert (answer.status_code, answer.json["code"]) == (409, "hold_expired")
    assert sent == []
