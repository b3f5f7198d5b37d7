"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from bridge import db
from bridge.config import Config
from bridge.core import audits
from bridge.web import create_app
from tests.databases import own_database

DEAD = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def own(config: Config) -> Iterator[Config]:
    """Settings that name a database without other tests' events, which this process uses meanwhile."""
    with own_database(config.database_url) as url:
        yield replace(config, database_url=url)


@pytest.fixture
def dead_port() -> int:
    """A port nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def without_database(config: Config) -> Iterator[FlaskClient]:
    """A caller of a bridge whose database is down."""
    yield create_app(replace(config, database_url=DEAD)).test_client()
    db.configure(config.database_url)


def metrics_of(client: FlaskClient) -> dict[str, float]:
    """Every sample without labels, by name."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


# -- /healthz ----------------------------------------------------------------------------------------------------------


def test_the_process_is_up(client: FlaskClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_the_process_is_up_while_the_database_is_down(without_database: FlaskClient) -> None:
    assert without_database.get("/healthz").status_code == 200


# -- /readyz -----------------------------------------------------------------------------------------------------------


def test_the_bridge_is_ready_part_by_part(own: Config) -> None:
    answer = create_app(own).test_client().get("/readyz")

    assert answer.json == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "broker": "ok", "relay": "ok"},
        "audit_drift": None,
    }
    assert answer.status_code == 200


def unwell(app: Flask) -> dict[str, str]:
    """The parts that are not well, of an application that is not."""
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unwell")
    assert int(answer.headers["Retry-After"]) > 0
    return {name: state for name, state in answer.json["checks"].items() if state != "ok"}


def test_a_database_that_is_down_is_named(without_database: FlaskClient) -> None:
    parts = unwell(without_database.application)

    assert parts["database"] == "The database cannot be reached."
    assert set(parts) >= {"database", "migrations", "relay"}


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/0", "amqp://guest:secret@127.0.0.1:{}//"])
def test_a_broker_that_is_down_is_named_without_its_password(own: Config, dead_port: int, url: str) -> None:
    parts = unwell(create_app(replace(own, broker_url=url.format(dead_port))))

    assert set(parts) == {"broker"}
    assert "refused" in parts["broker"]
    assert "secret" not in parts["broker"]


def test_a_broker_without_a_url_is_named(own: Config) -> None:
    assert unwell(create_app(replace(own, broker_url=""))) == {"broker": "BROKER_URL is not set"}


def test_a_broker_that_no_relay_reaches_is_named(own: Config) -> None:
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO process (kind, name, state) VALUES ('relay', 'host:1', %s)",
            [Jsonb({"broker": "connection refused"})],
        )

    assert unwell(create_app(own)) == {"broker": "connection refused"}


def test_a_migration_that_is_pending_is_named(own: Config) -> None:
    with db.transaction() as conn:
        conn.execute("DELETE FROM migration WHERE name = '0006_keys'")

    parts = unwell(create_app(own))

    assert set(parts) == {"migrations"}
    assert "0006_keys" in parts["migrations"]
    assert "python -m bridge migrate" in parts["migrations"]


def test_a_database_that_was_never_migrated_is_named(config: Config) -> None:
    name = f"bridge_empty_{uuid4().hex[:12]}"
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        url = make_conninfo(**{**conninfo_to_dict(config.database_url), "dbname": name})
        app = create_app(replace(config, database_url=url))
        parts, metrics = unwell(app), metrics_of(app.test_client())
    finally:
        db.configure(config.database_url)
        with psycopg.connect(config.database_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert "0001_resources" in parts["migrations"]
    assert "database" not in parts
    assert metrics["bridge_database_up"] == 0


def test_events_that_nobody_hands_on_are_named(own: Config) -> None:
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO event (id, source, dedupe_key, type, queue, raw, next_attempt_at)"
            " VALUES ('evt_1', 'medusa', '1', 'order.placed', 'bridge.events', '{}', now() - INTERVAL '2 min')"
        )

    parts = unwell(create_app(own))

    assert set(parts) == {"relay"}


# -- /metrics ----------------------------------------------------------------------------------------------------------


def test_metrics_are_what_prometheus_reads(client: FlaskClient) -> None:
    answer = client.get("/metrics")

    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    assert names >= {
        "bridge_http_requests",
        "bridge_http_request_seconds",
        "bridge_database_up",
        "bridge_audit_drift",
        "bridge_relay_lag_seconds",
        "bridge_queue_pending",
        "bridge_queue_failed",
    }


def test_an_answer_is_counted_under_its_route_not_its_address(client: FlaskClient) -> None:
    for number in range(3):
        client.get(f"/store/resource-booking/holds/hold_{number}")
        client.get(f"/nowhere/{number}")

    text = client.get("/metrics").text
    assert 'route="/store/resource-booking/holds/<hold_id>"' in text
    assert 'route="unknown"' in text
    assert "hold_1" not in text
    assert "/nowhere" not in text


def test_drift_is_what_the_last_audit_found(own: Config) -> None:
    client = create_app(own).test_client()
    before = metrics_of(client)
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO resource (id, type, grain, name, time_zone) VALUES ('res_1', 'TOUR', 'day', 'A tour', 'UTC')"
        )
        conn.execute(
            "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity, held)"
            " VALUES ('res_1', 20000, '2024-10-04', 5, 1)"
        )
        audits.audit(conn)

    after = metrics_of(client)

    assert (before["bridge_audit_drift"], after["bridge_audit_drift"]) == (0, 1)
    assert after["bridge_database_up"] == 1


def test_metrics_are_answered_while_the_database_is_down(without_database: FlaskClient) -> None:
    metrics = metrics_of(without_database)

    assert metrics["bridge_database_up"] == 0
    assert "bridge_audit_drift" not in metrics
