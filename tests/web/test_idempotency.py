"""The Idempotency-Key of every POST that creates something."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge import db
from bridge.core import keys
from bridge.web.endpoints import Description
from tests.factories import make_resource

PATH = "/admin/resource-booking/resources"
Headers = dict[str, str]

pytestmark = pytest.mark.usefixtures("database_url")


def make(client: FlaskClient, headers: Headers, key: str, **fields: Any) -> TestResponse:
    body = {"type": "TOUR", "name": f"Tour of {key[:32]}", **fields}
    return client.post(PATH, json=body, headers={**headers, "Idempotency-Key": key})


def made(key: str) -> int:
    """How many resources the requests under `key` made."""
    with db.transaction() as conn:
        row = conn.execute("SELECT count(*) FROM resource WHERE name = %s", [f"Tour of {key}"]).fetchone()
        return int(row["count"])


@pytest.fixture
def key() -> str:
    return uuid4().hex


def test_the_same_request_again_gets_the_same_answer_and_has_no_effect(
    client: FlaskClient, admin: Headers, key: str
) -> None:
    first = make(client, admin, key)

    again = make(client, admin, key)

    assert [first.status_code, again.status_code] == [201, 201]
    assert again.json == first.json
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content_type == "application/json"
    assert made(key) == 1


def test_another_request_under_the_same_key_is_refused(client: FlaskClient, admin: Headers, key: str) -> None:
    make(client, admin, key)

    answer = make(client, admin, key, description="another one")

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (409, "conflict", "idempotency_key_reused")
    assert made(key) == 1


def test_another_key_makes_another(client: FlaskClient, admin: Headers, key: str) -> None:
    first, second = make(client, admin, key), make(client, admin, uuid4().hex)

    assert first.json["resource"]["id"] != second.json["resource"]["id"]


def test_without_a_key_every_request_counts(client: FlaskClient, admin: Headers, key: str) -> None:
    for _ in range(2):
        client.post(PATH, json={"type": "TOUR", "name": f"Tour of {key}"}, headers=admin)

    assert made(key) == 2


def test_of_two_at_once_one_has_an_effect_and_both_get_its_answer(app: Flask, admin: Headers, key: str) -> None:
    def call(_number: int) -> TestResponse:
        try:
            return make(app.test_client(), admin, key)
        finally:
            db.close()  # Of this thread.

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(call, range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["resource"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert made(key) == 1


def test_a_refused_request_is_not_remembered(client: FlaskClient, admin: Headers, key: str) -> None:
    refused = make(client, admin, key, type="BOAT")

    answer = make(client, admin, key)

    assert [refused.status_code, answer.status_code] == [400, 201]
    assert "Idempotent-Replayed" not in answer.headers


def test_a_failure_inside_the_request_is_not_remembered(client: FlaskClient, admin: Headers, key: str) -> None:
    body = {"resource_id": f"res_{key}", "start_date": "2031-01-01", "end_date": "2031-01-01", "daily_capacity": 3}
    headers = {**admin, "Idempotency-Key": key}
    path = "/admin/resource-booking/capacity/initialize"
    missing = client.post(path, json=body, headers=headers)
    with db.transaction() as conn:
        make_resource(conn, id=f"res_{key}", days=0)

    answer = client.post(path, json=body, headers=headers)

    assert [missing.status_code, answer.status_code] == [404, 201]
    assert answer.json["capacity_records_created"] == 1


def test_the_same_key_at_another_address_is_another(client: FlaskClient, admin: Headers, key: str) -> None:
    make(client, admin, key)

    answer = client.post(
        "/admin/resource-booking/blackouts",
        json={"resource_id": None, "start_date": "2199-01-01", "end_date": "2199-01-01", "dry_run": True},
        headers={**admin, "Idempotency-Key": key},
    )

    assert answer.status_code == 200


def test_the_same_key_of_another_caller_is_another(client: FlaskClient, admin: Headers, key: str) -> None:
    with db.transaction() as conn:
        _key, secret = keys.create_key(conn, name="tests", scopes=["admin"])
    mine = make(client, admin, key)

    theirs = make(client, {"Authorization": f"Bearer {secret}"}, key)

    assert theirs.status_code == 201
    assert theirs.json["resource"]["id"] != mine.json["resource"]["id"]


@pytest.mark.parametrize("absurd", ["", "k" * 201])
def test_an_absurd_key_is_refused(client: FlaskClient, admin: Headers, absurd: str) -> None:
    answer = make(client, admin, absurd)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")
    assert "Idempotency-Key" in answer.json["message"]


def test_a_key_opens_nothing(client: FlaskClient, admin: Headers, key: str) -> None:
    make(client, admin, key)

    assert make(client, {}, key).status_code == 401


def test_every_route_that_answers_201_takes_a_key_or_a_token(app: Flask) -> None:
    described = {
        rule.rule: app.view_functions[rule.endpoint].description
        for rule in app.url_map.iter_rules()
        if isinstance(getattr(app.view_functions[rule.endpoint], "description", None), Description)
    }
    creating = {path for path, description in described.items() if 201 in description.answers}

    takes_a_token = {"/store/resource-booking/holds"}
    assert creating - takes_a_token == {path for path in creating if described[path].creates}
    assert takes_a_token < creating
