"""One slot that everybody wants: how many are served, and how many are told that it is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from benchmarks.loads import compare
from benchmarks.stage import Stage, Web, open_resource
from benchmarks.targets import Target
from bridge import db
from bridge.core import holds

CROWDS = (16, 64, 256)
GONE = "res_bench_gone"
LEAST_RATIO = 0.8  # What the largest crowd is served at, of what the smallest is.
LEAST_REFUSALS = 3000  # A second.


def measure_hot(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """Crowds of three sizes that take one slot's places, and two that ask for a slot with none left."""
    _sell_out(ground)
    crowd = {"resources": ground.resources[:1], "days": 1}
    cases: dict[str, dict[str, Any]] = {
        f"{users} users": {"scenario": "place", "connections": users, **crowd} for users in CROWDS
    }
    cases |= {
        f"gone, {users} users": {"scenario": "sold out", "connections": users, "resources": [GONE], "days": 1}
        for users in CROWDS[:2]
    }
    report = compare("one slot", cases, ground, served, seconds=seconds, rounds=rounds)
    few, many = (report[f"{users} users"]["per_second"] for users in (CROWDS[0], CROWDS[-1]))
    refused = max(report[f"gone, {users} users"]["per_second"] for users in CROWDS[:2])
    return report | {
        "targets": [
            Target(
                f"one slot, {CROWDS[-1]} users ÷ {CROWDS[0]}",
                f"{many / few:.2f} ({many:,.0f}/s)",
                f"≥ {LEAST_RATIO}",
                many >= LEAST_RATIO * few,
            ),
            Target("sold out", f"{refused:,.0f}/s", f"≥ {LEAST_REFUSALS:,}/s", refused >= LEAST_REFUSALS),
        ]
    }


def _sell_out(ground: Stage) -> None:
    """A slot of one place, which somebody has."""
    with db.connect(ground.database_url) as conn:
        open_resource(conn, GONE, ground.first_date, places=1, days=1)
        holds.place_hold(
            conn,
            resource_id=GONE,
            dates=[ground.first_date],
            quantity=1,
            customer_email="first@example.test",
            idempotency_token="bench-gone-first",
            metadata={},
            term=timedelta(minutes=120),
            hard_term=timedelta(minutes=120),
        )
