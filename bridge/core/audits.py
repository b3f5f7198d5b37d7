"""The auditor: does the ledger add up? What it finds must be nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.db import Connection

queries = sql.load("audits")
log = structlog.get_logger("bridge.audit")

Finding = dict[str, Any]

# A part takes well under a second, so that a run ends soon after its time is over.
PART = 10_000
_BEYOND = chr(0x10FFFF)  # Sorts after every id.


@dataclass(frozen=True, slots=True)
class _Walk:
    """Checks that go through the ledger in the order of one key, a part at a time."""

    name: str
    key: tuple[str, ...]
    first: tuple[Any, ...]
    last: tuple[Any, ...]
    end_of_part: str
    checks: Mapping[str, str]

    def look(self, conn: Connection, after: tuple[Any, ...]) -> _Part:
        """Look at the next part."""
        bounds = {f"after_{name}": value for name, value in zip(self.key, after, strict=True)}
        with conn.transaction():
            # By indexes: a plan that was made while a table was small reads all of it for each row.
            conn.execute("SET LOCAL enable_seqscan = off")
            end = conn.execute(self.end_of_part, {**bounds, "size": PART}).fetchone()
            until = tuple(end[name] for name in self.key) if end else self.last
            bounds |= {f"until_{name}": value for name, value in zip(self.key, until, strict=True)}
            found = [
                {"check": name, **row} for name, query in self.checks.items() for row in conn.execute(query, bounds)
            ]
        return _Part(self, after, until, found)


@dataclass(frozen=True, slots=True)
class _Part:
    """What was looked at: everything after one place until another, and what was found there."""

    walk: _Walk
    after: tuple[Any, ...]
    until: tuple[Any, ...]
    found: Sequence[Finding]

    def covers(self, finding: Finding) -> bool:
        """Whether an earlier finding would have been found here again."""
        place = tuple(finding.get(name) for name in self.walk.key)
        return finding["check"] in self.walk.checks and self.after < place <= self.until


SLOTS = _Walk(
    "slots",
    ("resource_id", "slot_no"),
    ("", -(2**63)),
    (_BEYOND, 2**63 - 1),
    queries.end_of_slots,
    {"counters": queries.find_counter_drift, "overbooked": queries.find_overbooked_drift},
)
HOLDS = _Walk(
    "holds",
    ("hold_id",),
    ("",),
    (_BEYOND,),
    queries.end_of_holds,
    {
        "claims": queries.find_claim_drift,
        "holds": queries.find_hold_drift,
        "orders": queries.find_order_drift,
        "history": queries.find_history_drift,
    },
)
# Holds first: what puts them right counts their slots in the same act, and keeps what is theirs from being sold.
WALKS = (HOLDS, SLOTS)


_Place = tuple[_Walk, tuple[Any, ...]]
_START: _Place = (HOLDS, HOLDS.first)


def audit(conn: Connection, *, seconds: float | None = None) -> list[Finding]:
    """Compare counters with claims, claims with holds and journal, allocations with orders; what does not agree.

    With `seconds` it goes on where the last run got to and stops soon after they are over: what it did not come to is
    as it was last found. Without, it looks at everything. Each check is one statement and takes no lock. The findings
    are kept for the metric `bridge_audit_drift` and ops.
    """
    begun = time.monotonic()
    place: _Place | None = _place(conn) if seconds is not None else _START
    parts: list[_Part] = []
    while place is not None:
        walk, after = place
        parts.append(walk.look(conn, after))
        place = _next(parts[-1])
        if seconds is not None and time.monotonic() - begun >= seconds:
            break
    forgotten = [{"check": "forgotten", **row} for row in conn.execute(queries.find_forgotten_orders)]

    earlier = [row for row in _kept(conn) if row["check"] != "forgotten" and not any(p.covers(row) for p in parts)]
    findings = [*earlier, *(row for part in parts for row in part.found), *forgotten]
    values = {
        "seconds": time.monotonic() - begun,
        "drift": len(findings),
        "findings": Jsonb(findings),
        "goes_on_at": place and Jsonb([place[0].name, *place[1]]),
    }
    conn.execute(queries.keep_findings, values)
    if findings:
        log.error("the ledger does not add up", drift=len(findings), findings=findings[:5], is_partial=bool(place))
    return findings


def keep_comparison(conn: Connection, found: Iterable[Finding], *, order_ids: Iterable[str]) -> None:
    """Keep what comparing these orders with their platform found, instead of what it found of them before."""
    compared = set(order_ids)
    findings = [row for row in _kept(conn) if row["check"] != "platform" or row["order_id"] not in compared]
    new = list(found)
    findings += new
    conn.execute(queries.keep_comparison, {"drift": len(findings), "findings": Jsonb(findings)})
    if new:
        log.error("the ledger and the platform do not agree", drift=len(findings), findings=new[:5])


def compared_badly(conn: Connection) -> list[str]:
    """Orders of which comparing them with their platform found something."""
    last = last_audit(conn)
    return [row["order_id"] for row in last["findings"] if row["check"] == "platform"] if last else []


def identify(finding: Finding) -> tuple[Any, ...]:
    """What a finding is about, however much it changes."""
    names = ("check", "what", "resource_id", "slot_no", "hold_id", "source", "order_id")
    return tuple(finding.get(name) for name in names)


def is_due(conn: Connection) -> bool:
    """Whether it is time to audit again: on a large ledger, where it takes long, less often."""
    due: bool = db.one(conn.execute(queries.is_due))["is_due"]
    return due


def last_audit(conn: Connection) -> dict[str, Any] | None:
    """When the ledger was last checked, whether only in part, and what was found; None before the first time."""
    return conn.execute(queries.last_audit).fetchone()


def _place(conn: Connection) -> _Place:
    """Where the last run stopped; at the beginning when it ended a round."""
    last = last_audit(conn)
    if last is None or last["goes_on_at"] is None:
        return _START
    name, *after = last["goes_on_at"]
    return next(walk for walk in WALKS if walk.name == name), tuple(after)


def _next(part: _Part) -> _Place | None:
    if part.until != part.walk.last:
        return part.walk, part.until
    return (SLOTS, SLOTS.first) if part.walk is HOLDS else None


def _kept(conn: Connection) -> list[Finding]:
    row = conn.execute(queries.lock_findings).fetchone()
    return row["findings"] if row else []
