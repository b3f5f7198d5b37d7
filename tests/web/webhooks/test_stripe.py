"""POST /webhooks/stripe and /api/webhook."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
import pytest
from flask.testing import FlaskClient
from stripe import WebhookSignature
from werkzeug.test import TestResponse

from bridge import db
from bridge.config import Config
from bridge.web import create_app

SECRET, NEXT_SECRET = "whsec_of_stripe", "whsec_the_next"
PATHS = ("/webhooks/stripe", "/api/webhook")

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture(scope="module")
def stripe(config: Config) -> FlaskClient:
    return create_app(replace(config, stripe_webhook_secret=f"{SECRET}, {NEXT_SECRET}")).test_client()


def completed(**changes: Any) -> dict[str, Any]:
    session = {"id": f"cs_{uuid4().hex}", "payment_intent": f"pi_{uuid4().hex}", "payment_status": "paid"}
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "checkout.session.completed",
        "data": {"object": session},
        **changes,
    }


def sign(body: bytes, *, secret: str = SECRET, at: float = 0) -> dict[str, str]:
    header = WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=int(time.time() + at))
    return {"Stripe-Signature": header}


def post(client: FlaskClient, body: bytes, headers: dict[str, str] | None = None, path: str = PATHS[0]) -> TestResponse:
    headers = sign(body) if headers is None else headers
    return client.post(path, data=body, headers=headers, content_type="application/json")


def stored(event_id: str) -> list[dict[str, Any]]:
    with db.transaction() as conn:
        return conn.execute("SELECT * FROM event WHERE source = 'stripe' AND dedupe_key = %s", [event_id]).fetchall()


@pytest.mark.parametrize("path", PATHS)
def test_an_event_is_taken_in_once_however_often_it_comes(stripe: FlaskClient, path: str) -> None:
    document = completed()
    body = orjson.dumps(document)

    first = post(stripe, body, path=path)
    again = post(stripe, body, path=path)

    rows = stored(document["id"])
    assert (first.status_code, first.json["duplicate"]) == (202, False)
    assert (again.status_code, again.json) == (202, {"event_id": first.json["event_id"], "duplicate": True})
    assert [(row["status"], row["type"], row["order_id"], row["raw"]) for row in rows] == [
        ("pending", "checkout.session.completed", document["data"]["object"]["payment_intent"], body)
    ]


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_of_two_secrets_either_is_good(stripe: FlaskClient, secret: str) -> None:
    body = orjson.dumps(completed())

    assert post(stripe, body, sign(body, secret=secret)).status_code == 202


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _body: {},
        lambda _body: {"Stripe-Signature": ""},
        lambda _body: {"Stripe-Signature": "nonsense"},
        lambda _body: {"Stripe-Signature": "t=,v1="},
        lambda _body: {"Stripe-Signature": "t=1e9,v1=abc"},
        lambda _body: {"Stripe-Signature": "t=" + "9" * 5000 + ",v1=abc"},
        lambda _body: {"Stripe-Signature": "t=٣,v1=é"},
        lambda body: sign(body, secret="whsec_another"),
        lambda body: sign(body + b" "),
        lambda body: sign(body, at=-301),
        lambda body: sign(body, at=301),
        lambda body: {"Stripe-Signature": sign(body)["Stripe-Signature"].replace("v1=", "v0=")},
    ],
)
def test_whatever_is_wrong_with_a_signature_has_one_answer(stripe: FlaskClient, spoil: Any) -> None:
    document = completed()
    body = orjson.dumps(document)

    answer = post(stripe, body, spoil(body))

    assert answer.status_code == 401
    assert answer.json["message"] == "The webhook's signature or timestamp is not valid."
    assert stored(document["id"]) == []


@pytest.mark.parametrize("at", [-290, 290])
def test_a_clock_may_be_off_by_five_minutes(stripe: FlaskClient, at: int) -> None:
    body = orjson.dumps(completed())

    assert post(stripe, body, sign(body, at=at)).status_code == 202


def test_without_a_secret_nobody_is_believed(client: FlaskClient) -> None:
    body = orjson.dumps(completed())

    assert post(client, body).status_code == 401
    assert post(client, body, sign(body, secret=" ")).status_code == 401


def test_bytes_that_are_no_text_are_refused(stripe: FlaskClient) -> None:
    assert post(stripe, b"\xff\xfe{}", {"Stripe-Signature": "t=1,v1=a"}).status_code == 401


def test_what_is_not_json_is_refused(stripe: FlaskClient) -> None:
    answer = post(stripe, b"{not json")

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")


def test_what_is_too_large_is_refused(stripe: FlaskClient) -> None:
    assert post(stripe, b'"' + b"x" * 1024 * 1024 + b'"').status_code == 413


@pytest.mark.parametrize("spoiled", [{"type": "invoice.paid"}, {"type": "payment_intent.succeeded"}])
def test_what_the_bridge_does_not_act_on_is_kept_aside(stripe: FlaskClient, spoiled: dict[str, Any]) -> None:
    document = completed(**spoiled)

    assert post(stripe, orjson.dumps(document)).status_code == 202
    assert [row["status"] for row in stored(document["id"])] == ["ignored"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'{"type": 7}', b'{"id": {"a": 1}, "type": ""}'])
def test_what_cannot_be_read_is_kept_for_people(stripe: FlaskClient, body: bytes) -> None:
    answer = post(stripe, body)

    assert answer.status_code == 202
    with db.transaction() as conn:
        row = conn.execute("SELECT status FROM event WHERE id = %s", [answer.json["event_id"]]).fetchone()
    assert row == {"status": "failed"}
