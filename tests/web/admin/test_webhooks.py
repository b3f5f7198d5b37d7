"""/admin/webhooks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from bridge import db
from bridge.core import announcements
from tasks.webhooks import fan_out

PATH = "/admin/webhooks"
Headers = dict[str, str]
BODY = {"url": "https://shop.example/hook", "types": ["booking.*", "shortfall.opened"], "description": "the shop"}


def _create(client: FlaskClient, admin: Headers, **fields: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={**BODY, **fields}, headers=admin)
    assert answer.status_code == 201, answer.json
    return answer.json["webhook"]


def _announce(type_: str = "booking.created") -> str:
    subject = uuid4().hex
    with db.transaction() as conn:
        announcements.announce(conn, type_, {"id": subject}, key=f"{subject}:{type_}")
    fan_out(limit=1000)
    return subject


def _finish(delivery_id: str, status: str) -> None:
    with db.transaction() as conn:
        conn.execute(
            "UPDATE event SET status = %s, finished_at = now(), attempts_left = 0 WHERE id = %s", [status, delivery_id]
        )


def test_a_webhook_is_made_and_its_secret_shown_once(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)

    got = client.get(f"{PATH}/{made['id']}", headers=admin).json["webhook"]
    listed = client.get(f"{PATH}?limit=100", headers=admin).json["webhooks"]

    assert made["id"].startswith("webhook_")
    Webhook(made["secret"])  # The library takes it.
    assert made["secret"].startswith("whsec_")
    assert "secret" not in got
    assert got | BODY == got
    assert (got["is_enabled"], got["failures"], got["failing_since"]) == (True, 0, None)
    assert {"waiting": 0, "failed": 0}.items() <= next(row for row in listed if row["id"] == made["id"]).items()
    assert made["secret"] not in str(listed)


def test_the_same_creation_twice_makes_one(client: FlaskClient, admin: Headers) -> None:
    headers = {**admin, "Idempotency-Key": uuid4().hex}

    first = client.post(PATH, json=BODY, headers=headers)
    second = client.post(PATH, json=BODY, headers=headers)

    assert first.json == second.json
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": "http://shop.example/hook"}, "url"),
        ({"url": "https://127.0.0.1/hook"}, "url"),
        ({"url": "https://localhost/hook"}, "url"),
        ({"url": "https://[fd00:ec2::254]/"}, "url"),
        ({"url": "not a url"}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://x.example/" + "a" * 2000}, "url"),
        ({"types": []}, "types"),
        ({"types": ["booking.creatd"]}, "types"),
        ({"types": ["b*"]}, "types"),
        ({"types": ["*", "*"]}, "types"),
        ({"types": "*"}, "types"),
        ({"secret": "whsec_x"}, "secret"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(
    client: FlaskClient, admin: Headers, fields: dict[str, Any], named: str
) -> None:
    answer = client.post(PATH, json={**BODY, **fields}, headers=admin)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")
    assert named in answer.json["message"]


def test_some_fields_are_changed_and_the_others_stay(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)

    changed = client.put(f"{PATH}/{made['id']}", json={"types": ["*"]}, headers=admin).json["webhook"]
    refused = client.put(f"{PATH}/{made['id']}", json={"url": "https://10.0.0.1/"}, headers=admin)

    assert (changed["types"], changed["url"]) == (["*"], BODY["url"])
    assert (refused.status_code, refused.json["type"]) == (400, "invalid_data")


def test_a_webhook_is_disabled_and_enabled(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin, types=["*"])

    disabled = client.put(f"{PATH}/{made['id']}", json={"is_enabled": False}, headers=admin).json["webhook"]
    _announce()
    deaf = client.get(f"{PATH}/{made['id']}/deliveries", headers=admin).json["count"]
    enabled = client.put(f"{PATH}/{made['id']}", json={"is_enabled": True}, headers=admin).json["webhook"]

    assert (disabled["is_enabled"], disabled["disabled_reason"]) == (False, "disabled by a person")
    assert deaf == 0
    assert (enabled["is_enabled"], enabled["disabled_at"]) == (True, None)


def test_a_secret_is_rotated(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)

    rotated = client.post(f"{PATH}/{made['id']}/rotate-secret", headers=admin).json["webhook"]

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_until"] is not None


def test_a_webhook_is_deleted(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)

    deleted = client.delete(f"{PATH}/{made['id']}", headers=admin)
    again = client.delete(f"{PATH}/{made['id']}", headers=admin)

    assert deleted.json == {"id": made["id"], "object": "webhook", "deleted": True}
    assert (again.status_code, again.json["code"]) == (404, "webhook_not_found")


def test_a_test_is_sent_whatever_it_subscribed_to(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)

    sent = client.post(f"{PATH}/{made['id']}/test", headers=admin)

    assert sent.status_code == 202
    assert sent.json["delivery"] | {"type": "webhook.test", "status": "pending"} == sent.json["delivery"]
    assert sent.json["delivery"]["payload"]["data"] == {"webhook_id": made["id"]}


def test_deliveries_are_listed_looked_at_and_replayed(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)
    subjects = [_announce(), _announce("booking.confirmed")]
    path = f"{PATH}/{made['id']}/deliveries"
    confirmed, created = client.get(path, headers=admin).json["deliveries"]
    assert [created["type"], confirmed["type"]] == ["booking.created", "booking.confirmed"]

    _finish(created["id"], "failed")
    _finish(confirmed["id"], "applied")

    assert [row["id"] for row in client.get(f"{path}?status=delivered", headers=admin).json["deliveries"]] == [
        confirmed["id"]
    ]
    assert client.get(f"{path}?type=booking.created", headers=admin).json["count"] == 1
    whole = client.get(f"{path}/{created['id']}", headers=admin).json["delivery"]
    assert (whole["status"], whole["payload"]["data"]["id"], whole["attempts"]) == ("failed", subjects[0], [])
    counted = client.post(f"{path}/replay", json={"dry_run": True}, headers=admin).json
    replayed = client.post(f"{path}/replay", json={}, headers=admin).json
    one = client.post(f"{path}/{confirmed['id']}/replay", headers=admin)
    again = client.post(f"{path}/{confirmed['id']}/replay", headers=admin)
    assert counted == {"matched": 1, "replayed": 0, "dry_run": True}
    assert replayed == {"matched": 1, "replayed": 1, "dry_run": False}
    assert (one.status_code, one.json["delivery"]["status"]) == (200, "pending")
    assert (again.status_code, again.json["code"]) == (409, "event_not_retryable")


def test_a_delivery_of_another_webhook_is_not_found(client: FlaskClient, admin: Headers) -> None:
    made, other = _create(client, admin), _create(client, admin)
    delivery = client.post(f"{PATH}/{other['id']}/test", headers=admin).json["delivery"]

    for call in (client.get, client.post):
        path = f"{PATH}/{made['id']}/deliveries/{delivery['id']}" + ("/replay" if call == client.post else "")
        answer = call(path, headers=admin)
        assert (answer.status_code, answer.json["code"]) == (404, "delivery_not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/x"),
        ("PUT", "/x"),
        ("DELETE", "/x"),
        ("POST", "/x/rotate-secret"),
        ("POST", "/x/test"),
        ("GET", "/x/deliveries"),
        ("POST", "/x/deliveries/replay"),
    ],
)
def test_an_unknown_webhook_is_not_found(client: FlaskClient, admin: Headers, method: str, path: str) -> None:
    answer = client.open(PATH + path, method=method, json={}, headers=admin)

    assert (answer.status_code, answer.json["code"]) == (404, "webhook_not_found")


def test_ops_lists_deliveries_by_webhook(client: FlaskClient, admin: Headers) -> None:
    made = _create(client, admin)
    delivery = client.post(f"{PATH}/{made['id']}/test", headers=admin).json["delivery"]

    listed = client.get(f"/ops/api/events?webhook_id={made['id']}", headers=admin).json

    assert [row["id"] for row in listed["events"]] == [delivery["id"]]
    assert (
        listed["events"][0] | {"source": "bridge", "queue": "bridge.webhooks", "webhook_id": made["id"]}
        == (listed["events"][0])
    )


def test_each_webhook_is_documented_as_it_is_dumped(app: Flask, client: FlaskClient) -> None:
    document = client.get("/openapi.json").json

    described = document["webhooks"]["resource_booking.hold.created"]["post"]
    whole, particular = described["requestBody"]["content"]["application/json"]["schema"]["allOf"]

    assert whole == {"$ref": "#/components/schemas/Announcement"}
    assert particular["properties"]["type"] == {"const": "resource_booking.hold.created"}
    assert particular["properties"]["data"] == {"$ref": "#/components/schemas/HoldChanged"}
    assert "slots" in document["components"]["schemas"]["HoldChanged"]["properties"]
    assert {parameter["name"] for parameter in described["parameters"]} == {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
