"""The servers and the application every test runs on: real ones, embedded unless the environment names others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bridge import db, embedded
from bridge.config import Config
from bridge.web import create_app

ADMIN_KEY = "test-admin-key"
WEBHOOK_SECRET = "whsec_dGVzdC1zZWNyZXQtZm9yLXdlYmhvb2tzLTEyMw=="
JWT_SECRET = "a-jwt-secret-that-only-the-tests-know-0123456789"
SETTINGS = {
    "ADMIN_API_KEY": ADMIN_KEY,
    "SECRET_KEY": "tests",
    "WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "MEDUSA_JWT_SECRET": JWT_SECRET,
    "RATE_LIMITS": "off",
    "WEB_PROCESSES": "1",  # Limits are shared out among the processes.
    "LOG_LEVEL": "error",
}

_servers = ExitStack()

# A busy machine is slow, and a whole captured event is large: neither says anything about the code.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Start the embedded servers once, in the process that starts the others, unless real ones are given."""
    os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
    if hasattr(config, "workerinput") or (os.environ.get("DATABASE_URL") and os.environ.get("BROKER_URL")):
        return
    folder = Path(_servers.enter_context(tempfile.TemporaryDirectory(prefix="bridge-tests-")))
    folder.chmod(0o755)
    urls = _servers.enter_context(embedded.servers(Config.from_env({**os.environ, "BRIDGE_DATA_DIR": str(folder)})))
    os.environ.update(DATABASE_URL=urls.database_url, BROKER_URL=urls.broker_url)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop them again."""
    if not hasattr(config, "workerinput"):
        _servers.close()


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A fresh, migrated database of this test process."""
    server = os.environ["DATABASE_URL"]
    name = f"bridge_test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(**{**conninfo_to_dict(server), "dbname": name})
    db.migrate(url)
    db.configure(url)
    yield url
    db.close()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def broker_url(worker_id: str) -> str:
    """The broker; on Redis each test process has a database of its own."""
    url = os.environ["BROKER_URL"]
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 1
    return url.rstrip("/").removesuffix("/0") + f"/{number}" if url.startswith("redis") else url


@pytest.fixture
def conn(database_url: str) -> Iterator[db.Connection]:
    """A transaction, committed when the test ends well."""
    with db.transaction() as connection:
        yield connection


@pytest.fixture(scope="session")
def config(database_url: str, broker_url: str) -> Config:
    """The settings of the application under test."""
    return Config.from_env({**os.environ, "DATABASE_URL": database_url, "BROKER_URL": broker_url})


@pytest.fixture(scope="session")
def app(config: Config) -> Flask:
    """The application under test."""
    return create_app(config)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A caller without credentials."""
    return app.test_client()


@pytest.fixture(scope="session")
def admin() -> dict[str, str]:
    """Headers of a caller with every scope."""
    return {"Authorization": f"Bearer {ADMIN_KEY}"}
