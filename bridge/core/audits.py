"""The auditor: does the ledger add up? What it finds must be nothing."""

from __future__ import annotations

from typing import Any

import structlog
from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.db import Connection

queries = sql.load("audits")
log = structlog.get_logger("bridge.audit")

CHECKS = {
    "counters": queries.find_counter_drift,
    "overbooked": queries.find_overbooked_drift,
    "claims": queries.find_claim_drift,
    "orders": queries.find_order_drift,
    "forgotten": queries.find_forgotten_orders,
}


def audit(conn: Connection) -> list[dict[str, Any]]:
    """Compare counters with claims, claims with holds and allocations, allocations with orders; what does not agree.

    Each check is one statement and takes no lock. The findings are kept for the metric `bridge_audit_drift` and ops.
    """
    conn.execute("SET LOCAL statement_timeout = '10min'")
    findings = [{"check": name, **row} for name, query in CHECKS.items() for row in conn.execute(query)]
    conn.execute(queries.keep_findings, {"drift": len(findings), "findings": Jsonb(findings)})
    if findings:
        log.error("the ledger does not add up", drift=len(findings), findings=findings[:5])
    return findings


def is_due(conn: Connection) -> bool:
    """Whether it is time to audit again: on a large ledger, where it takes long, less often."""
    due: bool = db.one(conn.execute(queries.is_due))["is_due"]
    return due


def last_audit(conn: Connection) -> dict[str, Any] | None:
    """When the ledger was last checked, and what was found; None before the first time."""
    return conn.execute(queries.last_audit).fetchone()
