"""POST /webhooks/medusa."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from bridge import db
from bridge.clients.webhooks import sign
from bridge.config import Config
from bridge.web import create_app
from tests.conftest import WEBHOOK_SECRET

PATH = "/webhooks/medusa"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "medusa"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("[0-9]*.json"))
BODY = b'{"type": "order.placed", "data": {"event_data": {"id": "order_1"}}}'
Headers = dict[str, str]

pytestmark = pytest.mark.usefixtures("database_url")


def captured(name: str) -> bytes:
    body: str = json.loads((FIXTURES / f"{name}.json").read_text())["body"]
    return body.encode()


def post(client: FlaskClient, body: bytes, headers: Headers | None = None) -> TestResponse:
    return client.post(PATH, data=body, headers=sign(WEBHOOK_SECRET, body) if headers is None else headers)


def stored(key: str) -> list[dict[str, Any]]:
    """Every event kept under a webhook-id."""
    with db.transaction() as conn:
        return conn.execute("SELECT * FROM event WHERE source = 'medusa' AND dedupe_key = %s", [key]).fetchall()


# -- what is taken in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_is_taken_in_once(client: FlaskClient, name: str) -> None:
    body = captured(name)
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    events = stored(headers["webhook-id"])
    assert answer.status_code == 202
    assert answer.json == {"event_id": events[0]["id"], "duplicate": False}
    assert answer.json["event_id"].startswith("evt_")
    assert [(event["status"], event["type"], event["raw"]) for event in events] == [
        ("pending", json.loads(body)["type"], body)
    ]


def test_all_46_captures_are_tried() -> None:
    assert len(CAPTURES) == 46


def test_a_repeated_webhook_id_is_told_so_and_changes_nothing(client: FlaskClient) -> None:
    body = captured("07-order.placed")
    headers = sign(WEBHOOK_SECRET, body)
    first = post(client, body, headers)

    again = post(client, body, headers)
    signed_anew = post(client, BODY, sign(WEBHOOK_SECRET, BODY, webhook_id=headers["webhook-id"]))

    events = stored(headers["webhook-id"])
    assert [again.status_code, signed_anew.status_code] == [202, 202]
    assert again.json == signed_anew.json == {"event_id": first.json["event_id"], "duplicate": True}
    assert [(event["raw"], event["status"], event["duplicates"]) for event in events] == [(body, "pending", 2)]


def test_an_event_is_filed_under_its_order_and_request(client: FlaskClient) -> None:
    headers = sign(WEBHOOK_SECRET, BODY) | {"X-Request-Id": "shop-42", "User-Agent": "medusa"}

    post(client, BODY, headers)

    event = stored(headers["webhook-id"])[0]
    assert (event["order_id"], event["request_id"]) == ("order_1", "shop-42")
    assert event["headers"] == {name: headers[name] for name in ("webhook-id", "webhook-timestamp")} | {
        "user-agent": "medusa"
    }


@pytest.mark.parametrize("event_type", ["product.updated", "order.order.updated", "x", "ORDER.PLACED"])
def test_an_unknown_type_is_kept_as_ignored(client: FlaskClient, event_type: str) -> None:
    body = orjson.dumps({"type": event_type, "data": {}})
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    event = stored(headers["webhook-id"])[0]
    assert (answer.status_code, answer.json["duplicate"]) == (202, False)
    assert (event["status"], event["type"]) == ("ignored", event_type)
    assert event_type in event["outcome"]


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        '"text"',
        "7",
        "null",
        "true",
        "{}",
        '{"type": null}',
        '{"type": 7}',
        '{"type": ""}',
        '{"type": ["order.placed"]}',
        '{"type": "order\\u0000placed"}',
        json.dumps({"type": "t" * 201}),
    ],
)
def test_signed_json_that_says_no_type_is_kept_as_failed(client: FlaskClient, document: str) -> None:
    body = document.encode()
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    event = stored(headers["webhook-id"])[0]
    assert (answer.status_code, answer.json) == (202, {"event_id": event["id"], "duplicate": False})
    assert (event["status"], event["error_code"], event["raw"]) == ("failed", "unreadable_event", body)
    assert event["error"]


@pytest.mark.parametrize(
    "data", [None, [], "text", {"order": {"id": 7}}, {"order": {"id": "a\0b"}}, {"order": None}, {"id": "x" * 5000}]
)
def test_a_known_type_is_taken_in_whatever_its_data(client: FlaskClient, data: object) -> None:
    body = orjson.dumps({"type": "order.placed", "data": data})
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    event = stored(headers["webhook-id"])[0]
    assert (answer.status_code, event["status"], event["order_id"]) == (202, "pending", None)


def test_a_nul_in_the_body_is_kept_as_it_came(client: FlaskClient) -> None:
    body = b'{"type": "order.placed", "data": {"id": "order_1", "note": "a\\u0000b"}}'
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    assert answer.status_code == 202
    assert stored(headers["webhook-id"])[0]["raw"] == body


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", ""])
def test_the_signature_counts_and_not_the_content_type(client: FlaskClient, content_type: str) -> None:
    headers = sign(WEBHOOK_SECRET, BODY) | {"content-type": content_type}

    assert post(client, BODY, headers).status_code == 202


def test_a_long_webhook_id_is_taken_in_once(client: FlaskClient) -> None:
    headers = sign(WEBHOOK_SECRET, BODY, webhook_id=secrets.token_hex(128))

    first, again = post(client, BODY, headers), post(client, BODY, headers)

    assert [first.status_code, again.status_code] == [202, 202]
    assert again.json == {"event_id": first.json["event_id"], "duplicate": True}


# -- who may send ------------------------------------------------------------------------------------------------------

REFUSAL = {
    "type": "unauthorized",
    "code": "unauthorized",
    "message": "The webhook's signature or timestamp is not valid.",
    "details": {},
}


def at(moment: datetime, secret: str = WEBHOOK_SECRET) -> Headers:
    """Headers signed at another time than now."""
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, BODY.decode()),
    }


@pytest.mark.parametrize("minutes", [-6, -60 * 24, 6, 60 * 24])
def test_a_stale_or_future_timestamp_is_refused_though_it_is_signed(client: FlaskClient, minutes: int) -> None:
    answer = post(client, BODY, at(datetime.now(UTC) + timedelta(minutes=minutes)))

    assert (answer.status_code, answer.json) == (401, REFUSAL)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_that_is_off_by_minutes_is_forgiven(client: FlaskClient, minutes: int) -> None:
    headers = at(datetime.now(UTC) + timedelta(minutes=minutes))

    assert post(client, BODY, headers).status_code == 202


GARBAGE: list[Headers] = [
    {"webhook-signature": ""},
    {"webhook-signature": "v1"},
    {"webhook-signature": "v1,"},
    {"webhook-signature": ","},
    {"webhook-signature": "v1,not base64!"},
    {"webhook-signature": "v1,AAAA"},
    {"webhook-signature": "v1,====="},
    {"webhook-signature": "v2,AAAA v1a,AAAA"},
    {"webhook-signature": "no-comma no-comma"},
    {"webhook-signature": "v1,a,b,c"},
    {"webhook-signature": "v1,AAAA  v1,AAAA"},
    {"webhook-signature": " "},
    {"webhook-signature": "v1,\xe9\xff"},
    {"webhook-signature": "v1," + "A" * 5000},
    {"webhook-timestamp": ""},
    {"webhook-timestamp": "now"},
    {"webhook-timestamp": "nan"},
    {"webhook-timestamp": "inf"},
    {"webhook-timestamp": "-1"},
    {"webhook-timestamp": "1e400"},
    {"webhook-timestamp": "9" * 30},
    {"webhook-timestamp": "\xb2"},
    {"webhook-id": ""},
    {"webhook-id": "another"},
    {"webhook-id": "\xe9"},
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=ascii)
def test_garbage_in_a_header_gets_the_one_refusal(client: FlaskClient, garbage: Headers) -> None:
    answer = post(client, BODY, sign(WEBHOOK_SECRET, BODY) | garbage)

    assert (answer.status_code, answer.json) == (401, REFUSAL)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_gets_the_one_refusal(client: FlaskClient, missing: str) -> None:
    headers = sign(WEBHOOK_SECRET, BODY)
    del headers[missing]

    answer = post(client, BODY, headers)

    assert (answer.status_code, answer.json) == (401, REFUSAL)


@pytest.mark.parametrize("length", [257, 6000])
def test_an_absurdly_long_webhook_id_gets_the_one_refusal_though_it_is_signed(client: FlaskClient, length: int) -> None:
    headers = sign(WEBHOOK_SECRET, BODY, webhook_id="m" * length)

    answer = post(client, BODY, headers)

    assert (answer.status_code, answer.json) == (401, REFUSAL)
    assert stored(headers["webhook-id"]) == []


def test_another_body_than_the_signed_one_is_refused(client: FlaskClient) -> None:
    headers = sign(WEBHOOK_SECRET, BODY)

    answer = post(client, BODY + b" ", headers)

    assert (answer.status_code, answer.json) == (401, REFUSAL)
    assert stored(headers["webhook-id"]) == []


def test_a_body_that_is_no_text_is_refused(client: FlaskClient) -> None:
    answer = post(client, b"\xff\xfe\x00", sign(WEBHOOK_SECRET, BODY))

    assert (answer.status_code, answer.json) == (401, REFUSAL)


def test_no_credential_stands_in_for_the_signature(client: FlaskClient, admin: Headers) -> None:
    answer = post(client, BODY, admin)

    assert (answer.status_code, answer.json) == (401, REFUSAL)


@pytest.mark.parametrize("others", ["v1,AAAA {}", "v2,AAAA {}", "{} v1,AAAA"])
def test_one_of_several_signatures_is_enough(client: FlaskClient, others: str) -> None:
    headers = sign(WEBHOOK_SECRET, BODY)
    headers["webhook-signature"] = others.format(headers["webhook-signature"])

    assert post(client, BODY, headers).status_code == 202


def test_during_a_rotation_either_secret_is_good_and_a_third_is_not(config: Config) -> None:
    old, new, third = (f"whsec_{secrets.token_hex(16)}" for _ in range(3))
    client = create_app(replace(config, webhook_secrets=(old, new))).test_client()

    statuses = [post(client, BODY, sign(secret, BODY)).status_code for secret in (old, new, third)]

    assert statuses == [202, 202, 401]


# -- what is refused all the same --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"type=order.placed", b"NaN", b'{"type": "order.placed"} and more'])
def test_a_signed_body_that_is_not_json_is_refused(client: FlaskClient, body: bytes) -> None:
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (400, "invalid_data", "malformed_json")
    assert stored(headers["webhook-id"]) == []


def padded(size: int) -> bytes:
    return BODY + b" " * (size - len(BODY))


def test_900_kib_are_taken_in(client: FlaskClient) -> None:
    body = padded(900 * 1024)
    headers = sign(WEBHOOK_SECRET, body)

    answer = post(client, body, headers)

    assert answer.status_code == 202
    assert len(stored(headers["webhook-id"])[0]["raw"]) == 900 * 1024


def test_more_than_1_mib_is_too_large(client: FlaskClient) -> None:
    assert post(client, padded(1024 * 1024)).status_code == 202

    answer = post(client, padded(1024 * 1024 + 1))

    assert (answer.status_code, answer.json["type"]) == (413, "payload_too_large")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_taken(client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method)

    assert (answer.status_code, answer.json["type"]) == (405, "not_allowed")


def test_a_source_nobody_knows_is_not_found(client: FlaskClient) -> None:
    answer = client.post("/webhooks/nobody", data=BODY, headers=sign(WEBHOOK_SECRET, BODY))

    assert (answer.status_code, answer.json["type"]) == (404, "not_found")


@pytest.fixture
def without_database(config: Config) -> Iterator[FlaskClient]:
    """A caller of a bridge whose database is down."""
    yield create_app(replace(config, database_url="postgresql://nobody@127.0.0.1:1/none")).test_client()
    db.configure(config.database_url)


def test_while_the_database_is_down_the_sender_is_asked_to_come_again(without_database: FlaskClient) -> None:
    started = time.monotonic()

    answer = post(without_database, BODY)

    assert (answer.status_code, answer.json["type"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert time.monotonic() - started < 5


def test_a_bad_signature_is_refused_without_asking_the_database(without_database: FlaskClient) -> None:
    assert post(without_database, BODY, {}).status_code == 401
