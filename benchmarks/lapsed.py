"""Holds that lapsed by the thousand, swept by a worker as beat asks for it while sales go on."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import tasks
from benchmarks.loads import carry_out
from benchmarks.stage import DAYS, RESOURCES, Stage, Web, program, settle
from benchmarks.targets import Target
from bridge import db
from bridge.config import Config
from bridge.core.events import MAINTENANCE
from bridge.rules.slots import day_slot

LAPSED = 100_000
LEAST_RATE = 5000  # Holds a second.
MOST_SLOWER = 2  # Times the sales' p95 without a sweep.
PACE = 200  # Sales a second all the while: slow enough that without a sweep nobody waits.
ASKED_SECONDS = 5  # How often beat asks (sweep_holds in celeryconfig.py).
PATIENCE_SECONDS = 120


def measure_sweep(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """How many lapsed holds a second are swept while their slots are sold on, and what the sales notice of it."""
    tasks.configure(Config(database_url=ground.database_url, broker_url=ground.broker_url))
    print(
        f"{'sweep of ' + format(LAPSED, ','):<28}{'swept/s':>11}{'sales/s':>11}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}"
    )
    alone, beside = [], []
    with (
        tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder,
        program("worker", ground.database_url, Path(folder), BROKER_URL=ground.broker_url),
    ):
        for n in range(1, rounds + 1):
            settle(ground.database_url)
            alone.append(carry_out(ground, served, scenario="place", pace=PACE, seconds=seconds, seed=n))
            _print(f"sales alone, round {n}", alone[-1])
            beside.append(_sweep(ground, served, seconds, n))
            _print(f"with a sweep, round {n}", beside[-1])
    rate = median(turn["swept"] for turn in beside)
    slower = median(b["latency"]["p95"] / a["latency"]["p95"] for a, b in zip(alone, beside, strict=True))
    p95 = median(turn["latency"]["p95"] for turn in beside)
    left = sum(turn["left"] for turn in beside)
    print()
    return {
        "alone": {"rounds": alone},
        "beside": {"rounds": beside, "swept": rate, "slower": slower},
        "targets": [
            Target(
                "lapsed holds swept",
                f"{rate:,.0f}/s" + (f", {left:,} not yet" if left else ""),
                f"≥ {LEAST_RATE:,}/s",
                rate >= LEAST_RATE and not left,
            ),
            Target(
                "sales' p95 with a sweep ÷ without",
                f"{slower:.1f} ({p95:.1f} ms at {PACE}/s)",
                f"≤ {MOST_SLOWER}",
                slower <= MOST_SLOWER,
            ),
        ],
    }


def _sweep(ground: Stage, served: Web, seconds: float, number: int) -> dict[str, Any]:
    """The sales' result, with how many holds a second were swept."""
    prefix = f"hold_lapsed_{number}_{time.time_ns()}_"
    _lapse(ground, prefix)
    settle(ground.database_url)
    _ask()
    with ThreadPoolExecutor(1) as sales:
        sold = sales.submit(carry_out, ground, served, scenario="place", pace=PACE, seconds=seconds, seed=number)
        asked_at = started = time.monotonic()
        with db.connect(ground.database_url) as conn:
            while left := _count(conn, prefix):
                if time.monotonic() > started + PATIENCE_SECONDS:
                    break
                if time.monotonic() > asked_at + ASKED_SECONDS:
                    asked_at = time.monotonic()
                    _ask()
                time.sleep(1)
            row = db.one(
                conn.execute(
                    "SELECT count(*) AS count, extract(epoch FROM max(closed_at) - min(closed_at))::float8 AS seconds"
                    " FROM hold WHERE starts_with(id, %s) AND status = 'EXPIRED'",
                    [prefix],
                )
            )
        return {**sold.result(), "swept": row["count"] / (row["seconds"] or PATIENCE_SECONDS), "left": left}


def _ask() -> None:
    tasks.celery.send_task("tasks.maintenance.sweep_holds", queue=MAINTENANCE)


def _count(conn: db.Connection, prefix: str) -> int:
    """How many lapsed holds nobody has swept yet."""
    query = "SELECT count(*) AS count FROM hold WHERE status = 'ACTIVE' AND expires_at < now() AND starts_with(id, %s)"
    count: int = db.one(conn.execute(query, [prefix]))["count"]
    return count


def _lapse(ground: Stage, prefix: str) -> None:
    """Make LAPSED holds whose time ran out one after the other, over all slots, as they would stand in the ledger."""
    with db.connect(ground.database_url) as conn:
        conn.execute("SET statement_timeout = 0")
        conn.execute(
            """
            WITH made AS (
                SELECT %(prefix)s || n AS id, n, 'res_bench_' || n %% %(resources)s AS resource_id,
                    %(first)s + n / %(resources)s %% %(days)s AS slot_no,
                    now() - INTERVAL '1 hour' + n * INTERVAL '10 milliseconds' AS expires_at
                FROM generate_series(1, %(count)s) AS n
            ), placed AS (
                INSERT INTO hold (id, idempotency_scope, idempotency_key, request_hash, resource_id, quantity,
                    customer_email, term, created_at, expires_at, hard_expires_at)
                SELECT id, 'store', id, '\\x00', resource_id, 1, 'user' || n || '@example.test', INTERVAL '30 minutes',
                    expires_at - INTERVAL '30 minutes', expires_at, expires_at
                FROM made
            ), claimed AS (
                INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state, expires_at)
                SELECT id, resource_id, slot_no, 1, 'held', expires_at FROM made
            ), noted AS (
                INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
                SELECT id, resource_id, slot_no, 1, 0, 'place', 'store' FROM made
            )
            UPDATE capacity c SET held = c.held + m.count
            FROM (SELECT resource_id, slot_no, count(*)::integer AS count FROM made GROUP BY 1, 2) m
            WHERE c.resource_id = m.resource_id AND c.slot_no = m.slot_no
            """,
            {
                "prefix": prefix,
                "resources": RESOURCES,
                "first": day_slot(ground.first_date),
                "days": DAYS,
                "count": LAPSED,
            },
        )
        conn.execute("ANALYZE hold, claim")


def _print(name: str, turn: dict[str, Any]) -> None:
    swept = f"{turn['swept']:>11,.0f}" if "swept" in turn else " " * 11
    latency = "".join(f"{turn['latency'][p]:>9.1f}" for p in ("p50", "p95", "p99"))
    print(f"{name:<28}{swept}{turn['per_second']:>11,.0f}{latency}")
