"""What the bridge's database says, read in one snapshot, for the checker to compare."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from bridge.core import audits
from bridge.db import Connection
from bridge.rules.slots import slot_day
from tests.faults.truth import Seat, Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event, with what its attempts came to."""

    id: str
    status: str
    outcome: str | None
    error: str | None
    received_at: datetime
    finished_at: datetime | None
    duplicates: int
    died: int  # Attempts whose worker was killed in the middle.
    retried: int
    ended: int  # Attempts that finished it; must be one.


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What matters of it to a Truth."""

    events: dict[str, EventRow] = field(default_factory=dict)  # By webhook-id.
    counters: dict[Seat, dict[str, int]] = field(default_factory=dict)
    journal: dict[Seat, tuple[int, int]] = field(default_factory=dict)
    allocated: dict[tuple[str, str, Seat], int] = field(default_factory=dict)  # By order, line and seat.
    missing: dict[tuple[str, str, Seat], int] = field(default_factory=dict)  # What open shortfalls say.
    holds: dict[str, tuple[str, bool]] = field(default_factory=dict)  # Status, and whether its time is over.
    unfinished: list[str] = field(default_factory=list)  # Of anybody: pending and failed events.
    findings: list[dict[str, Any]] = field(default_factory=list)  # The auditor's.
    repairs: int = 0  # What people did by hand.


def read_ledger(conn: Connection, truth: Truth) -> Ledger:
    """The ledger, as far as it concerns what `truth` knows. In one transaction of `conn`, which must be open."""
    resources = sorted({resource_id for resource_id, _day in truth.capacity})
    orders = list(truth.orders)
    ledger = Ledger(findings=audits.audit(conn))
    _read_events(conn, truth, ledger)
    _read_counters(conn, resources, ledger)
    _read_orders(conn, orders, ledger)
    for row in conn.execute(
        "SELECT id, status::text AS status, expires_at <= now() AS lapsed FROM hold WHERE id = ANY (%s)",
        [list(truth.holds)],
    ):
        ledger.holds[row["id"]] = (row["status"], row["lapsed"])
    ledger.repairs = conn.execute(
        "SELECT count(*) AS n FROM ops_action WHERE action NOT IN ('pause', 'resume')"
    ).fetchall()[0]["n"]
    return ledger


def _read_events(conn: Connection, truth: Truth, ledger: Ledger) -> None:
    rows = conn.execute(
        "SELECT e.id, e.dedupe_key, e.status::text AS status, e.outcome, e.error, e.received_at, e.finished_at,"
        " e.duplicates, count(*) FILTER (WHERE a.finished_at IS NULL AND a.n IS NOT NULL) AS died,"
        " count(*) FILTER (WHERE a.outcome = 'retry') AS retried,"
        " count(*) FILTER (WHERE a.outcome IN ('applied', 'ignored')) AS ended"
        " FROM event e LEFT JOIN attempt a ON a.event_id = e.id"
        " WHERE e.source = 'medusa' AND e.dedupe_key = ANY (%s) GROUP BY e.id",
        [list(truth.events)],
    )
    for row in rows:
        webhook_id = row.pop("dedupe_key")
        ledger.events[webhook_id] = EventRow(**row)
    ledger.unfinished = [
        f"{row['id']} {row['type']} {row['status']}: {row['error']}"
        for row in conn.execute(
            "SELECT id, type, status::text AS status, error FROM event WHERE status IN ('pending', 'failed')"
        )
    ]


def _read_counters(conn: Connection, resources: list[str], ledger: Ledger) -> None:
    for row in conn.execute(
        "SELECT resource_id, slot_no, max_capacity, held, allocated, overbooked FROM capacity"
        " WHERE resource_id = ANY (%s)",
        [resources],
    ):
        ledger.counters[_seat(row)] = {name: row[name] for name in ("max_capacity", "held", "allocated", "overbooked")}
    for row in conn.execute(
        "SELECT resource_id, slot_no, sum(held_change)::int AS held, sum(allocated_change)::int AS allocated"
        " FROM journal WHERE resource_id = ANY (%s) GROUP BY 1, 2",
        [resources],
    ):
        ledger.journal[_seat(row)] = (row["held"], row["allocated"])


def _read_orders(conn: Connection, orders: list[str], ledger: Ledger) -> None:
    allocated: dict[tuple[str, str, Seat], int] = defaultdict(int)
    for row in conn.execute(
        "SELECT a.order_id, a.line_item_id, k.resource_id, k.slot_no, k.quantity FROM allocation a"
        " JOIN claim k ON k.hold_id = a.hold_id AND k.state = 'allocated' WHERE a.order_id = ANY (%s)",
        [orders],
    ):
        allocated[row["order_id"], row["line_item_id"], _seat(row)] += row["quantity"]
    missing: dict[tuple[str, str, Seat], int] = defaultdict(int)
    for row in conn.execute(
        "SELECT s.order_id, s.line_item_id, s.resource_id, m.slot_no, m.quantity FROM shortfall s,"
        " jsonb_to_recordset(s.missing) AS m (slot_no bigint, quantity integer)"
        " WHERE s.status = 'open' AND s.order_id = ANY (%s)",
        [orders],
    ):
        missing[row["order_id"], row["line_item_id"], _seat(row)] += row["quantity"]
    ledger.allocated, ledger.missing = dict(allocated), dict(missing)


def _seat(row: dict[str, Any]) -> Seat:
    day: date = slot_day(row["slot_no"])
    return row["resource_id"], day
