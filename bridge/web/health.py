"""/healthz, /readyz and /metrics: is the process up, is the bridge well, and by how much."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from bridge import db
from bridge.core import audits, failures, processes, tallies
from bridge.core.tallies import Tally
from bridge.errors import BridgeError
from bridge.web.endpoints import endpoint, settings

# A relay that polls ten times a second and is this far behind is not keeping up.
MAX_RELAY_LAG_SECONDS = 60.0
_BROKER_TIMEOUT_SECONDS = 1.0
_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}

CANCELLERS = ("clock", "customer", "order", "staff", "system")
FATES = ("abandoned", "lapsed", "open", "paid", "withdrawn")
REASONS = ("blackout", "not_open", "outside_business_hours", "slot_cancelled", "slot_unavailable", "sold_out")

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@endpoint()
def healthz() -> Any:
    """Whether this process is up."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@endpoint()
def readyz() -> Any:
    """Whether the bridge is well, part by part; 503 when one is not.

    What the auditor found is shown and takes nobody out of service: whatever is sold meanwhile is sold right.
    """
    checks = {
        "database": _check_database,
        "migrations": _check_migrations,
        "broker": _check_broker,
        "relay": _check_relay,
    }
    parts = {name: _outcome(check) for name, check in checks.items()}
    is_ready = all(state == "ok" for state in parts.values())
    answer = {"status": "ok" if is_ready else "unwell", "checks": parts, "audit_drift": _audit_drift()}
    return (answer, 200) if is_ready else (answer, 503, {"Retry-After": "5"})


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counters of every process of this host, and what the database says now."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    registry.register(_DatabaseCollector())
    text = generate_latest(registry)
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        text = generate_latest(REGISTRY) + text
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class _DatabaseCollector(Collector):
    """Gauges that are one fact for all processes: read when asked, never kept in one of them."""

    def collect(self) -> Iterable[Metric]:
        try:
            with db.transaction() as conn:
                queues = failures.list_queues(conn)
                audit = audits.last_audit(conn)
                lag = processes.relay_lag(conn)
                tally = tallies.take_tally(conn)
        except (BridgeError, psycopg.ProgrammingError):  # The latter before the first migration.
            yield GaugeMetricFamily("bridge_database_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("bridge_database_up", "Whether the database answers.", value=1)
        yield GaugeMetricFamily(
            "bridge_audit_drift", "Findings of the last audit; must be 0.", value=audit["drift"] if audit else 0
        )
        if audit and audit["round_ended_at"]:
            yield GaugeMetricFamily(
                "bridge_audit_round_age_seconds",
                "How long ago all of the ledger had been looked at.",
                value=(datetime.now(UTC) - audit["round_ended_at"]).total_seconds(),
            )
        yield GaugeMetricFamily(
            "bridge_relay_lag_seconds", "Age of the oldest event that is due and not rung.", value=lag
        )
        yield from _tally_metrics(tally)
        yield from _reservation_metrics(tally)
        for name in ("pending", "failed", "oldest_pending_seconds"):
            gauge = GaugeMetricFamily(f"bridge_queue_{name}", f"Events: {name.replace('_', ' ')}.", labels=["queue"])
            for queue in queues:
                gauge.add_metric([queue["name"]], float(queue[name] or 0))
            yield gauge


def _tally_metrics(tally: Tally) -> Iterable[Metric]:
    """What the database counts of tours, by the names their clients know."""
    yield CounterMetricFamily("bookings_created", "Bookings of tours that were made.", value=tally.created)
    cancelled = CounterMetricFamily("bookings_cancelled", "Bookings of tours that are cancelled.", labels=["by"])
    yield _labelled(cancelled, CANCELLERS, tally.cancelled)
    yield CounterMetricFamily("waitlist_conversions", "Offers that became bookings.", value=tally.conversions)
    yield GaugeMetricFamily("bridge_waitlist_active", "Entries that wait.", value=tally.waiting)
    yield GaugeMetricFamily(
        "average_booking_time_seconds",
        "From making a booking to its confirmation, on average of the last day.",
        value=tally.booking_seconds,
    )
    yield GaugeMetricFamily(
        "slot_utilization_percentage",
        "Of the seats of the next 30 days: how many are held or sold.",
        value=tally.utilization,
    )


def _reservation_metrics(tally: Tally) -> Iterable[Metric]:
    """What the database counts of reservations."""
    fates = GaugeMetricFamily(
        "bridge_reservations_last_day",
        "Reservations begun in the last day, by what became of them.",
        labels=["outcome"],
    )
    yield _labelled(fates, FATES, tally.reservations)
    yield GaugeMetricFamily(
        "bridge_reservations_open", "Reservations that hold something.", value=tally.open_reservations
    )
    refusals = CounterMetricFamily(
        "bridge_reservation_refusals", "Items asked for in reservations and not had.", labels=["reason"]
    )
    yield _labelled(refusals, REASONS, tally.refusals)
    yield GaugeMetricFamily(
        "bridge_reservation_payment_seconds",
        "From a reservation's first item to its payment, on average of those begun in the last day.",
        value=tally.payment_seconds,
    )


def _labelled(
    family: CounterMetricFamily | GaugeMetricFamily, known: Sequence[str], counts: Mapping[str, int]
) -> Metric:
    # Also those that nobody has: what appears with its first count is seen one too late.
    for name in sorted({*known, *counts}):
        family.add_metric([name], counts.get(name, 0))
    return family


def _audit_drift() -> int | None:
    """Findings of the last audit; None before the first, and when nobody can tell."""
    with suppress(BridgeError, psycopg.ProgrammingError), db.statement() as conn:
        last = audits.last_audit(conn)
        return last["drift"] if last else None
    return None


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except BridgeError as error:
        return error.message
    except psycopg.ProgrammingError as error:  # Before the first migration.
        return f"cannot be asked: {error.diag.message_primary}"
    except OSError as error:
        return f"cannot be reached: {error}"
    return "ok"


def _check_database() -> None:
    with db.statement() as conn:
        conn.execute("SELECT 1")


def _check_migrations() -> None:
    with db.transaction() as conn:
        if pending := db.pending_migrations(conn):
            raise BridgeError(f"not applied: {', '.join(pending)}; run `python -m bridge migrate`")


def _check_broker() -> None:
    url = urlsplit(settings().broker_url)
    if not url.hostname:
        raise BridgeError("BROKER_URL is not set")
    # A connection is all a web process can check cheaply; whether messages pass is what the relay knows.
    with socket.create_connection((url.hostname, url.port or _PORTS.get(url.scheme, 0)), _BROKER_TIMEOUT_SECONDS):
        pass
    with db.transaction() as conn:
        if trouble := processes.broker_trouble(conn):
            raise BridgeError(trouble)


def _check_relay() -> None:
    with db.transaction() as conn:
        if processes.relay_lag(conn) > MAX_RELAY_LAG_SECONDS:
            raise BridgeError("events are due and nobody hands them to the broker")
