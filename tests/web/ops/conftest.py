"""Callers of the ops API, and people who use the console."""

from __future__ import annotations

from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bridge import db
from bridge.core import keys, ops_users
from tests.web.ops.browsing import PASSWORD, send


@pytest.fixture
def ops(database_url: str) -> dict[str, str]:
    """Headers of a key with the scope ops, and no other."""
    return _headers("ops")


@pytest.fixture
def not_ops(database_url: str) -> dict[str, str]:
    """Headers of a valid key without the scope ops."""
    return _headers("system")


@pytest.fixture
def operator(database_url: str) -> str:
    """The name of a console account, whose password is PASSWORD."""
    name = f"op_{uuid4().hex[:8]}"
    with db.transaction() as conn:
        ops_users.set_password(conn, name, PASSWORD)
    return name


@pytest.fixture
def address() -> str:
    """An address nobody else signs in from, so that throttling one test does not touch another."""
    return f"10.{uuid4().int % 256}.{uuid4().int % 256}.{uuid4().int % 256}"


@pytest.fixture
def browser(app: Flask, address: str) -> FlaskClient:
    """A browser that is not signed in."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


@pytest.fixture
def console(browser: FlaskClient, operator: str) -> FlaskClient:
    """A browser that is signed in."""
    send(browser, "/ops/sign-in", {"name": operator, "password": PASSWORD}, form_at="/ops/sign-in")
    return browser


def _headers(scope: str) -> dict[str, str]:
    with db.transaction() as conn:
        _key, secret = keys.create_key(conn, name="tests", scopes=[scope])
    return {"Authorization": f"Bearer {secret}"}
