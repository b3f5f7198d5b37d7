"""POST /api/create-checkout-session: one payment for one reservation, whatever happens in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
import requests
import responses
from flask.testing import FlaskClient

from bridge import db
from bridge.config import Config
from bridge.core import payments, reservations
from bridge.rules.orders import CheckoutFacts
from bridge.web import create_app
from tests.factories import counters, lapse, make_reservation, make_resource

PATH = "/api/create-checkout-session"
MEDUSA = "http://medusa.test"
STRIPE = "https://api.stripe.com/v1"
ADA = "ada@example.test"

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    """Nobody is out there but who is put there."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def on_medusa(config: Config) -> FlaskClient:
    settings = {
        "medusa_url": MEDUSA,
        "medusa_publishable_key": "pk_1",
        "medusa_variant_id": "variant_any",
        "checkout_url": "https://shop.test/pay/{cart_id}",
    }
    return create_app(replace(config, **settings)).test_client()


@pytest.fixture
def on_stripe(config: Config) -> FlaskClient:
    return create_app(replace(config, stripe_secret_key="sk_test_1")).test_client()


def reserved(*, price: float | None = 40, quantity: int = 2, **metadata: Any) -> tuple[str, str, list[date]]:
    """An open number of one item, its resource and dates."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=3)
        metadata |= {} if price is None else {"price": price}
        conn.execute("UPDATE resource SET metadata = %s WHERE id = %s", [orjson.dumps(metadata).decode(), resource_id])
        made = make_reservation(conn, resource_id, dates, quantity, customer_email=ADA, variant_id="variant_any")
    return made.booking_number, resource_id, dates


def look(number: str) -> reservations.Reservation:
    with db.transaction() as conn:
        return reservations.get_reservation(conn, number)


def owed(number: str) -> list[dict[str, Any]]:
    """The sessions of a number that are to end."""
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT raw, next_attempt_at > now() AS is_later FROM event WHERE type = 'stripe.end_session'"
            " AND convert_from(raw, 'UTF8') LIKE %s ORDER BY received_at",
            [f"%{number}%"],
        ).fetchall()
    return [orjson.loads(row["raw"]) | {"is_later": row["is_later"]} for row in rows]


def make_carts(network: responses.RequestsMock, *, wait: float = 0) -> list[dict[str, Any]]:
    """A platform that makes carts; what it was asked for."""
    asked: list[dict[str, Any]] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        asked.append(orjson.loads(request.body or b""))
        time.sleep(wait)
        return 200, {}, orjson.dumps({"cart": {"id": f"cart_{len(asked)}"}})

    network.add_callback(responses.POST, f"{MEDUSA}/store/carts", answer)
    return asked


def make_sessions(network: responses.RequestsMock, *, wait: float = 0) -> list[requests.PreparedRequest]:
    """Stripe, making sessions; what it was asked for."""
    asked: list[requests.PreparedRequest] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        asked.append(request)
        time.sleep(wait)
        session = {"id": f"cs_{len(asked)}", "object": "checkout.session", "url": f"https://pay.test/{len(asked)}"}
        return 200, {}, orjson.dumps(session)

    network.add_callback(responses.POST, f"{STRIPE}/checkout/sessions", answer)
    return asked


def form(request: requests.PreparedRequest) -> dict[str, str]:
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
    return {name: values[0] for name, values in parse_qs(body).items()}


# -- on the platform ---------------------------------------------------------------------------------------------------


def test_a_cart_has_a_line_for_each_item_and_names_the_number(
    on_medusa: FlaskClient, network: responses.RequestsMock
) -> None:
    asked = make_carts(network)
    number, resource_id, dates = reserved(quantity=2, variant_id="variant_van")
    before = look(number)

    answer = on_medusa.post(PATH, json={"bookingNumber": number, "customer": {"name": "Ada"}})

    after = look(number)
    assert answer.status_code == 201
    assert answer.json == {
        "bookingNumber": number,
        "cart_id": "cart_1",
        "checkout_url": "https://shop.test/pay/cart_1",
        "expiresAt": answer.json["expiresAt"],
    }
    assert asked == [
        {
            "currency_code": "aud",
            "email": ADA,
            "metadata": {"booking_number": number},
            "items": [
                {
                    "variant_id": "variant_van",
                    "quantity": 2,
                    "unit_price": 120,
                    "title": "A tour",
                    "metadata": {
                        "booking_hold_id": before.items[0].id,
                        "resource_id": resource_id,
                        "booking_number": number,
                        "booking_dates": [day.isoformat() for day in dates],
                    },
                }
            ],
        }
    ]
    assert after.expires_at - before.expires_at == timedelta(minutes=10)
    assert datetime.fromisoformat(answer.json["expiresAt"]) == after.expires_at.replace(
        microsecond=after.expires_at.microsecond // 1000 * 1000
    )
    assert after.items[0].expires_at == after.expires_at
    assert (after.customer_name, after.customer_email) == ("Ada", ADA)


def test_a_product_for_all_and_the_price_of_the_platform(
    on_medusa: FlaskClient, network: responses.RequestsMock
) -> None:
    asked = make_carts(network)
    number, _resource_id, _dates = reserved(price=None)

    answer = on_medusa.post(PATH, json={"bookingNumber": number})

    assert answer.status_code == 201
    assert asked[0]["items"][0]["variant_id"] == "variant_any"
    assert "unit_price" not in asked[0]["items"][0]


@pytest.mark.parametrize("platform", ["medusa", "stripe"])
def test_asked_twice_there_is_one_and_one_grace(
    request: pytest.FixtureRequest, network: responses.RequestsMock, platform: str
) -> None:
    client = request.getfixturevalue(f"on_{platform}")
    asked: list[Any] = make_carts(network) if platform == "medusa" else make_sessions(network)
    number, _resource_id, _dates = reserved()

    first = client.post(PATH, json={"bookingNumber": number})
    again = client.post(PATH, json={"bookingNumber": number})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert len(asked) == 1


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}], ids=["without a key", "under one key"])
@pytest.mark.parametrize("platform", ["medusa", "stripe"])
def test_asked_at_once_there_is_one(
    request: pytest.FixtureRequest, network: responses.RequestsMock, platform: str, headers: dict[str, str]
) -> None:
    client = request.getfixturevalue(f"on_{platform}")
    asked: list[Any] = make_carts(network, wait=0.5) if platform == "medusa" else make_sessions(network, wait=0.5)
    number, _resource_id, _dates = reserved()
    headers = {name: f"{value} {number}" for name, value in headers.items()}
    answers = []

    def ask() -> None:
        answers.append(client.application.test_client().post(PATH, json={"bookingNumber": number}, headers=headers))
        db.close()

    askers = [threading.Thread(target=ask) for _ in range(5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({orjson.dumps(answer.json) for answer in answers}) == 1
    assert len(asked) == 1


@pytest.mark.parametrize("failure", [requests.ConnectionError("down"), requests.ReadTimeout("slow"), 503, 500])
@pytest.mark.parametrize("platform", ["medusa", "stripe"])
def test_a_platform_that_cannot_be_reached_changes_nothing(
    request: pytest.FixtureRequest, network: responses.RequestsMock, platform: str, failure: Any
) -> None:
    client = request.getfixturevalue(f"on_{platform}")
    url = f"{MEDUSA}/store/carts" if platform == "medusa" else f"{STRIPE}/checkout/sessions"
    answer = {"status": failure} if isinstance(failure, int) else {"body": failure}
    network.add(responses.POST, url, **answer)
    number, _resource_id, _dates = reserved()
    before = look(number)

    failed = client.post(PATH, json={"bookingNumber": number})

    assert (failed.status_code, failed.json["code"]) == (503, "platform_unavailable")
    assert "Retry-After" in failed.headers
    assert replace(look(number), seconds_left=0) == replace(before, seconds_left=0)
    released = client.post("/api/cleanup-expired", json={"bookingNumber": number})
    assert released.json == {"released": 1}


def test_a_key_gets_the_kept_answer_and_is_of_one_request(
    on_medusa: FlaskClient, network: responses.RequestsMock
) -> None:
    asked = make_carts(network)
    (number, *_rest), (other, *_others) = reserved(), reserved()
    headers = {"Idempotency-Key": f"key-{number}"}
    first = on_medusa.post(PATH, json={"bookingNumber": number}, headers=headers)
    with db.transaction() as conn:
        reservations.drop_item(conn, number, look(number).items[0].id, actor="tests")

    again = on_medusa.post(PATH, json={"bookingNumber": number}, headers=headers)
    reused = on_medusa.post(PATH, json={"bookingNumber": other}, headers=headers)

    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (201, first.json, "true")
    assert (reused.status_code, reused.json["code"]) == (409, "idempotency_key_reused")
    assert len(asked) == 1


def test_what_failed_may_be_asked_again(on_medusa: FlaskClient, network: responses.RequestsMock) -> None:
    network.add(responses.POST, f"{MEDUSA}/store/carts", body=requests.ConnectionError("down"))
    number, _resource_id, _dates = reserved()
    on_medusa.post(PATH, json={"bookingNumber": number})
    network.reset()
    make_carts(network)

    assert on_medusa.post(PATH, json={"bookingNumber": number}).status_code == 201


@pytest.mark.parametrize("platform", ["medusa", "stripe"])
def test_what_a_platform_refuses_is_a_conflict(
    request: pytest.FixtureRequest, network: responses.RequestsMock, platform: str
) -> None:
    client = request.getfixturevalue(f"on_{platform}")
    network.add(responses.POST, f"{MEDUSA}/store/carts", status=400, json={"message": "no such variant"})
    refusal = {"error": {"type": "invalid_request_error", "code": "amount_too_small", "message": "too little"}}
    network.add(responses.POST, f"{STRIPE}/checkout/sessions", status=400, json=refusal)
    number, _resource_id, _dates = reserved()

    answer = client.post(PATH, json={"bookingNumber": number})

    assert (answer.status_code, answer.json["code"]) == (409, "checkout_refused")
    assert look(number).grace_given_at is None


def test_without_anybody_to_pay_it_says_so(client: FlaskClient) -> None:
    number, _resource_id, _dates = reserved()

    answer = client.post(PATH, json={"bookingNumber": number})
    unknown = client.post(PATH, json={"bookingNumber": "BK-nothing"})

    assert (answer.status_code, answer.json["code"]) == (409, "checkout_not_configured")
    assert "STRIPE_SECRET_KEY" in answer.json["message"]
    assert (unknown.status_code, unknown.json["code"]) == (404, "reservation_not_found")


def test_a_process_that_died_while_asking_keeps_nobody_waiting_for_good(
    on_medusa: FlaskClient, network: responses.RequestsMock
) -> None:
    asked = make_carts(network)
    number, _resource_id, _dates = reserved()
    with db.transaction() as conn:
        terms = {"platform": "medusa", "customer": payments.Customer(), "grace": timedelta(minutes=10)}
        payments.begin(conn, number, **terms)
        conn.execute(
            "UPDATE checkout SET claimed_until = now() - INTERVAL '1 second' WHERE booking_number = %s", [number]
        )

    assert on_medusa.post(PATH, json={"bookingNumber": number}).status_code == 201
    assert len(asked) == 1


# -- what cannot be paid -----------------------------------------------------------------------------------------------


def test_an_empty_reservation_cannot_be_paid(on_medusa: FlaskClient) -> None:
    number, _resource_id, _dates = reserved()
    on_medusa.delete(f"/api/reservations/{number}/items/{look(number).items[0].id}")

    answer = on_medusa.post(PATH, json={"bookingNumber": number})

    assert (answer.status_code, answer.json["code"]) == (409, "reservation_empty")


def test_stripe_takes_nothing_without_a_price(on_stripe: FlaskClient) -> None:
    number, _resource_id, _dates = reserved(price=None)

    answer = on_stripe.post(PATH, json={"bookingNumber": number})

    assert (answer.status_code, answer.json["code"]) == (409, "not_priced")
    assert answer.json["details"]["items"] == [look(number).items[0].id]


def test_what_has_lapsed_is_not_paid(on_medusa: FlaskClient) -> None:
    number, _resource_id, _dates = reserved()
    with db.transaction() as conn:
        lapse(conn, look(number).items[0].id)

    answer = on_medusa.post(PATH, json={"bookingNumber": number})

    assert (answer.status_code, answer.json["code"]) == (409, "reservation_closed")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bookingNumber": None}, "bookingNumber"),
        ({"success_url": "javascript:alert(1)"}, "success_url"),
        ({"cancel_url": "//shop.test"}, "cancel_url"),
        ({"customer": {"email": "nobody"}}, "customer.email"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_not_right_is_named(client: FlaskClient, change: dict[str, Any], field: str) -> None:
    answer = client.post(PATH, json={"bookingNumber": "BK-1", **change})

    assert answer.status_code == 400
    assert f"{field}:" in answer.json["message"]


# -- on Stripe ---------------------------------------------------------------------------------------------------------


def test_a_session_shows_the_items_and_names_the_holds(on_stripe: FlaskClient, network: responses.RequestsMock) -> None:
    asked = make_sessions(network)
    number, _resource_id, dates = reserved(price=12.35, quantity=2)
    body = {"bookingNumber": number, "success_url": "https://shop.test/thanks", "cancel_url": "http://localhost/basket"}

    answer = on_stripe.post(PATH, json=body)

    made = form(asked[0])
    held = look(number).items[0].id
    assert answer.json["session_id"] == "cs_1"
    assert answer.json["checkout_url"] == "https://pay.test/1"
    assert "cart_id" not in answer.json
    assert made == {
        "mode": "payment",
        "line_items[0][quantity]": "2",
        "line_items[0][price_data][currency]": "aud",
        "line_items[0][price_data][unit_amount]": "3705",
        "line_items[0][price_data][product_data][name]": "A tour",
        "line_items[0][price_data][product_data][description]": f"{dates[0]} to {dates[2]}, 3 days",
        "metadata[booking_number]": number,
        "metadata[booking_holds_0]": f"{held}*2",
        "payment_intent_data[metadata][booking_number]": number,
        "payment_intent_data[metadata][booking_holds_0]": f"{held}*2",
        "client_reference_id": number,
        "customer_email": ADA,
        "success_url": "https://shop.test/thanks",
        "cancel_url": "http://localhost/basket",
        "expires_at": made["expires_at"],
    }
    assert asked[0].headers["Authorization"] == "Bearer sk_test_1"
    assert asked[0].headers["Idempotency-Key"].startswith("chk_")


def test_a_session_lives_as_short_as_stripe_lets_it_and_is_ended_with_the_reservation(
    on_stripe: FlaskClient, network: responses.RequestsMock
) -> None:
    asked = make_sessions(network)
    number, _resource_id, _dates = reserved()

    on_stripe.post(PATH, json={"bookingNumber": number})

    left = datetime.fromtimestamp(int(form(asked[0])["expires_at"]), UTC) - datetime.now(UTC)
    assert timedelta(minutes=30) <= left <= timedelta(minutes=31)
    assert owed(number) == [{"session_id": "cs_1", "booking_number": number, "is_later": True}]


def test_a_page_to_come_back_to_is_found_where_none_is_named(
    on_stripe: FlaskClient, network: responses.RequestsMock
) -> None:
    asked = make_sessions(network)
    number, _resource_id, _dates = reserved()

    on_stripe.post(PATH, json={"bookingNumber": number})

    assert "/manage/" in form(asked[0])["success_url"]


def test_an_item_added_while_paying_ends_the_session_and_asks_for_another(
    on_stripe: FlaskClient, network: responses.RequestsMock
) -> None:
    make_sessions(network)
    number, resource_id, dates = reserved()
    on_stripe.post(PATH, json={"bookingNumber": number})

    item = {"resource_id": resource_id, "dates": [str(dates[0])]}
    added = on_stripe.post("/api/reserve-availability", json={"bookingNumber": number, "items": [item]})
    second = on_stripe.post(PATH, json={"bookingNumber": number})

    assert added.status_code == 201
    assert (second.status_code, second.json["session_id"]) == (201, "cs_2")
    # The first at once; and each when the reservation ends.
    assert [(one["session_id"], one["is_later"]) for one in owed(number)] == [
        ("cs_1", True),
        ("cs_1", False),
        ("cs_2", True),
    ]


def test_a_reservation_changed_while_stripe_was_asked_is_not_paid_by_what_it_was(
    on_stripe: FlaskClient, network: responses.RequestsMock
) -> None:
    number, _resource_id, _dates = reserved()

    def meanwhile(_request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        taken_out = threading.Thread(target=take_out)
        taken_out.start()
        taken_out.join()
        return 200, {}, orjson.dumps({"id": "cs_late", "object": "checkout.session", "url": "https://pay.test/late"})

    def take_out() -> None:
        with db.transaction() as conn:
            item_id = reservations.get_reservation(conn, number).items[0].id
            reservations.drop_item(conn, number, item_id, actor="tests")
        db.close()

    network.add_callback(responses.POST, f"{STRIPE}/checkout/sessions", meanwhile)

    answer = on_stripe.post(PATH, json={"bookingNumber": number})

    assert (answer.status_code, answer.json["code"]) == (409, "reservation_changed")
    assert owed(number) == [{"session_id": "cs_late", "booking_number": number, "is_later": False}]
    assert look(number).grace_given_at is None


# -- and the beacon ----------------------------------------------------------------------------------------------------


def test_on_the_way_to_payment_the_beacon_releases_nothing(
    on_medusa: FlaskClient, network: responses.RequestsMock
) -> None:
    make_carts(network)
    number, resource_id, _dates = reserved()
    on_medusa.post(PATH, json={"bookingNumber": number})

    answer = on_medusa.post("/api/cleanup-expired", json={"bookingNumber": number})

    assert (answer.status_code, answer.json) == (200, {"released": 0})
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(2, 0)] * 3


def test_a_session_that_ran_out_gives_the_items_back_unless_another_stands(
    on_stripe: FlaskClient, network: responses.RequestsMock, expire: Callable[[str, str], str]
) -> None:
    make_sessions(network)
    number, resource_id, dates = reserved()
    on_stripe.post(PATH, json={"bookingNumber": number})
    item = {"resource_id": resource_id, "dates": [str(dates[0])]}
    on_stripe.post("/api/reserve-availability", json={"bookingNumber": number, "items": [item]})
    on_stripe.post(PATH, json={"bookingNumber": number})

    assert "another payment" in expire(number, "cs_1")
    assert look(number).status == "open"
    assert "2 items given back" in expire(number, "cs_2")
    assert look(number).status == "released"
    assert "released" in expire(number, "cs_2")


@pytest.fixture
def expire() -> Callable[[str, str], str]:
    def call(number: str, session_id: str) -> str:
        with db.transaction() as conn:
            facts = CheckoutFacts(source="stripe", reference=session_id, booking_number=number)
            return payments.follow(conn, facts, actor="tests").outcome

    return call
