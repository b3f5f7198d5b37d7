"""The five scenarios that the system of real-time reservations was described by, from the page to the letter.

With days, seats and somebody's time, over HTTP, paid on Stripe by signed events.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
import responses
from flask.testing import FlaskClient
from stripe import WebhookSignature

from bridge import db
from bridge.platforms.stripe import session_metadata
from bridge.web import create_app
from tasks.events import apply_event
from tasks.outgoing import do_work
from tests.concurrency.rush import rush
from tests.factories import lapse_reservation
from tests.grains import GRAINS, Thing
from tests.tasks.conftest import look

SECRET = "whsec_of_stripe"
RESERVE = "/api/reserve-availability"

pytestmark = pytest.mark.xdist_group("rush")


@pytest.fixture
def shop(settings: Any) -> FlaskClient:
    """The bridge, where Stripe takes the money."""
    return create_app(settings(stripe_secret_key="sk_test_1", stripe_webhook_secret=SECRET)).test_client()


@pytest.fixture
def sessions() -> Iterator[list[str]]:
    """Stripe, making a session for each checkout; the ids of those it made."""
    made: list[str] = []

    def answer(_request: object) -> tuple[int, dict[str, str], bytes]:
        made.append(f"cs_{uuid4().hex}")
        session = {"id": made[-1], "object": "checkout.session", "url": f"https://pay.test/{made[-1]}"}
        return 200, {}, orjson.dumps(session)

    with responses.RequestsMock(assert_all_requests_are_fired=False) as network:
        network.add_callback(responses.POST, "https://api.stripe.com/v1/checkout/sessions", answer)
        yield made


@pytest.fixture(params=list(GRAINS))
def thing(request: pytest.FixtureRequest, shop: FlaskClient) -> Thing:
    """What can be had once, of each grain."""
    return GRAINS[request.param]()


def reserve(shop: FlaskClient, *items: dict[str, Any], **fields: Any) -> Any:
    return shop.post(RESERVE, json={"items": list(items), **fields})


def look_at(shop: FlaskClient, number: str) -> Any:
    return shop.get(f"/api/reservations/{number}").json


def pay(shop: FlaskClient, sessions: list[str], number: str, email: str) -> None:
    """Go to the checkout, and have Stripe say that it was paid."""
    begun = shop.post(
        "/api/create-checkout-session", json={"bookingNumber": number, "customer": {"name": "Ada", "email": email}}
    )
    assert begun.status_code == 201, begun.json
    assert begun.json["session_id"] == sessions[-1]
    session = {
        "id": sessions[-1],
        "payment_intent": f"pi_{uuid4().hex}",
        "payment_status": "paid",
        "metadata": session_metadata(number, [(item["id"], 1) for item in look_at(shop, number)["items"]]),
    }
    tell(shop, "checkout.session.completed", session)


def tell(shop: FlaskClient, event_type: str, thing: dict[str, Any]) -> dict[str, object]:
    """An event of Stripe's, signed, received and applied; what came of it."""
    body = orjson.dumps({"id": f"evt_{uuid4().hex}", "type": event_type, "data": {"object": thing}})
    header = WebhookSignature.generate_signature_header(body.decode(), SECRET, timestamp=int(time.time()))
    answer = shop.post("/api/webhook", data=body, headers={"Stripe-Signature": header}, content_type="application/json")
    assert answer.status_code == 202, answer.json
    apply_event(answer.json["event_id"])
    return look(answer.json["event_id"])


def letters(email: str) -> list[str]:
    """The subjects of what is written to an address, once all the news are told."""
    with db.transaction() as conn:
        query = (
            "SELECT id FROM event WHERE status = 'pending'"
            " AND type IN ('reservation.notify', 'booking.notify', 'appointment.news')"
        )
        due = [row["id"] for row in conn.execute(query)]
    for event_id in due:
        do_work(event_id)
    with db.transaction() as conn:
        rows = conn.execute("SELECT raw FROM event WHERE type = 'mail' ORDER BY received_at").fetchall()
    return [letter["subject"] for row in rows if (letter := orjson.loads(row["raw"]))["to"] == email]


def somebody() -> str:
    return f"{uuid4().hex[:12]}@example.test"


def test_scenario_single_booking_flow(shop: FlaskClient, sessions: list[str], thing: Thing) -> None:
    """Select, reserve, pay, confirm: blocked throughout."""
    ada = somebody()
    assert thing.is_free(shop)

    made = reserve(shop, thing.item).json
    assert made["timeRemainingSeconds"] == 900
    assert not thing.is_free(shop)
    pay(shop, sessions, made["bookingNumber"], ada)

    assert not thing.is_free(shop)
    assert thing.taken() <= {(0, 1), (0, 2), (0, 0)} and thing.taken() != {(0, 0)}
    shown = look_at(shop, made["bookingNumber"])
    assert (shown["status"], [item["status"] for item in shown["items"]]) == ("paid", ["confirmed"])
    assert reserve(shop, thing.item).status_code == 409
    assert letters(ada) == [f"Confirmed: your booking {made['bookingNumber']}"]


def test_scenario_multiple_booking_flow(shop: FlaskClient, sessions: list[str]) -> None:
    """One, then another, then a third, paid at once: each addition starts the time of all of them again."""
    ada = somebody()
    things = [make() for make in GRAINS.values()]
    number = reserve(shop, things[0].item).json["bookingNumber"]

    for thing in things[1:]:
        with db.transaction() as conn:
            shorten(conn, number)
        assert look_at(shop, number)["timeRemainingSeconds"] <= 300
        added = reserve(shop, thing.item, bookingNumber=number).json
        assert added["timeRemainingSeconds"] > 890
        assert {item["expiresAt"] for item in added["items"]} == {added["expiresAt"]}
    pay(shop, sessions, number, ada)

    assert [item["status"] for item in look_at(shop, number)["items"]] == ["confirmed"] * 3
    assert not any(thing.is_free(shop) for thing in things)
    assert letters(ada) == [f"Confirmed: your booking {number}"]


def test_scenario_concurrent_users(shop: FlaskClient, thing: Thing) -> None:
    """Whoever asks at the same instant: only the first succeeds."""
    app = shop.application

    answers = rush([lambda: reserve(app.test_client(), thing.item) for _ in range(8)], at_once=8)

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert not thing.is_free(shop)


def test_scenario_abandonment(shop: FlaskClient, thing: Thing) -> None:
    """Select, close the browser: free after the beacon."""
    number = reserve(shop, thing.item).json["bookingNumber"]
    assert not thing.is_free(shop)

    beacon = shop.post("/api/cleanup-expired", data=f'{{"bookingNumber": "{number}"}}', content_type="text/plain")

    assert beacon.json == {"released": 1}
    assert thing.is_free(shop)
    assert reserve(shop, thing.item).status_code == 201


def test_scenario_expiry(shop: FlaskClient, thing: Thing) -> None:
    """Select, wait longer than the time: free by itself."""
    number = reserve(shop, thing.item).json["bookingNumber"]
    assert not thing.is_free(shop)

    with db.transaction() as conn:
        lapse_reservation(conn, number)

    assert thing.is_free(shop)
    assert look_at(shop, number)["status"] == "expired"
    assert reserve(shop, thing.item).status_code == 201


# -- and what else Stripe may say of each ------------------------------------------------------------------------------


def test_a_bank_debit_confirms_when_the_money_has_come(shop: FlaskClient, sessions: list[str], thing: Thing) -> None:
    number, session = begun(shop, sessions, thing)

    waiting = tell(shop, "checkout.session.completed", session | {"payment_status": "unpaid"})
    before = look_at(shop, number)["status"]
    beacon = shop.post("/api/cleanup-expired", json={"bookingNumber": number})
    tell(shop, "checkout.session.async_payment_succeeded", session)

    assert (waiting["status"], before, beacon.json) == ("ignored", "open", {"released": 0})
    assert look_at(shop, number)["status"] == "paid"


def test_a_bank_debit_that_failed_gives_back(shop: FlaskClient, sessions: list[str], thing: Thing) -> None:
    number, session = begun(shop, sessions, thing)
    unpaid = session | {"payment_status": "unpaid"}

    tell(shop, "checkout.session.completed", unpaid)
    tell(shop, "checkout.session.async_payment_failed", unpaid)

    assert look_at(shop, number)["status"] == "released"
    assert thing.is_free(shop)


@pytest.mark.parametrize("last", ["checkout.session.expired", "checkout.session.async_payment_failed"])
def test_what_is_paid_is_not_given_back_by_an_older_word(
    shop: FlaskClient, sessions: list[str], thing: Thing, last: str
) -> None:
    number, session = begun(shop, sessions, thing)

    tell(shop, "checkout.session.completed", session)
    tell(shop, last, session | {"payment_status": "unpaid"})

    assert look_at(shop, number)["status"] == "paid"
    assert not thing.is_free(shop)


def test_what_was_given_back_and_is_paid_after_all_is_had_again(
    shop: FlaskClient, sessions: list[str], thing: Thing
) -> None:
    number, session = begun(shop, sessions, thing)

    tell(shop, "checkout.session.expired", session | {"payment_status": "unpaid"})
    assert thing.is_free(shop)
    tell(shop, "checkout.session.completed", session)

    assert look_at(shop, number)["status"] == "paid"
    assert not thing.is_free(shop)


def test_a_refund_in_two_parts_cancels_with_the_second(shop: FlaskClient, sessions: list[str], thing: Thing) -> None:
    number, session = begun(shop, sessions, thing)
    tell(shop, "checkout.session.completed", session)
    charge = {"id": f"ch_{uuid4().hex}", "payment_intent": session["payment_intent"], "amount": 9000}

    part = tell(shop, "charge.refunded", charge | {"amount_refunded": 4000, "refunded": False})
    kept = thing.is_free(shop)
    tell(shop, "charge.refunded", charge | {"amount_refunded": 9000, "refunded": True})
    tell(shop, "charge.refunded", charge | {"amount_refunded": 4000, "refunded": False})

    assert (part["status"], kept) == ("ignored", False)
    assert look_at(shop, number)["status"] == "cancelled"
    assert thing.is_free(shop)


def begun(shop: FlaskClient, sessions: list[str], thing: Thing) -> tuple[str, dict[str, Any]]:
    """A number whose customer is on Stripe's page, and the session, paid."""
    number = reserve(shop, thing.item, customer_email=somebody()).json["bookingNumber"]
    assert shop.post("/api/create-checkout-session", json={"bookingNumber": number}).status_code == 201
    items = [(item["id"], 1) for item in look_at(shop, number)["items"]]
    return number, {
        "id": sessions[-1],
        "payment_intent": f"pi_{uuid4().hex}",
        "payment_status": "paid",
        "metadata": session_metadata(number, items),
    }


def shorten(conn: db.Connection, number: str) -> None:
    """Have five minutes left of a number's time."""
    for statement in (
        "UPDATE reservation SET expires_at = now() + INTERVAL '5 minutes' WHERE booking_number = %s",
        "UPDATE hold SET expires_at = now() + INTERVAL '5 minutes' WHERE booking_number = %s",
        "UPDATE claim SET expires_at = now() + INTERVAL '5 minutes' WHERE state = 'held'"
        " AND hold_id IN (SELECT id FROM hold WHERE booking_number = %s)",
    ):
        conn.execute(statement, [number])
