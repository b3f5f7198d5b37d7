"""How the bridge is doing, in the few numbers that say whether somebody must get up."""

from __future__ import annotations

from typing import Any

from bridge.core import audits, failures, processes, shortfalls
from bridge.core.events import WEBHOOKS
from bridge.db import Connection


def get_overview(conn: Connection) -> dict[str, Any]:
    """The numbers of queues, relay, processes, auditor and shortfalls; `audit_drift` is None before the first audit."""
    queues = failures.list_queues(conn)
    alive = [process["kind"] for process in failures.list_workers(conn) if process["alive"]]
    audit = audits.last_audit(conn)
    _first, open_shortfalls = shortfalls.list_shortfalls(conn, status="open", limit=1)
    return {
        "failed": sum(queue["failed"] for queue in queues),
        "pending": sum(queue["pending"] for queue in queues),
        "pending_deliveries": sum(queue["pending"] for queue in queues if queue["name"] == WEBHOOKS),
        "oldest_pending_seconds": _oldest(queues),
        "relay_lag_seconds": processes.relay_lag(conn),
        "paused_queues": [queue["name"] for queue in queues if queue["paused"]],
        "alive": {kind: alive.count(kind) for kind in ("relay", "worker", "sender", "beat")},
        "audit_drift": audit["drift"] if audit else None,
        "audit_checked_at": audit["checked_at"] if audit else None,
        "audit_round_ended_at": audit["round_ended_at"] if audit else None,
        "audit_is_partial": audit["is_partial"] if audit else None,
        "open_shortfalls": open_shortfalls,
    }


def _oldest(queues: list[dict[str, Any]]) -> float:
    # A receiver that is away makes its deliveries wait for days: that is its own trouble, and stands with its webhook.
    ours = [queue["oldest_pending_seconds"] or 0.0 for queue in queues if queue["name"] != WEBHOOKS]
    return max(ours, default=0.0)
