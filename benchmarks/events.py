"""Events: how many are taken in, how soon their effect is there, and how many a worker does beside doing nothing."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import tasks
from benchmarks import client, noops
from benchmarks.client import Plan
from benchmarks.stage import DAYS, Stage, Web, program, settle
from benchmarks.targets import Target
from bridge import db
from bridge.config import Config
from bridge.core import events, holds
from bridge.core.events import EVENTS

USERS = 16
PACE = 100  # Webhooks a second that the delay is measured at,
MOST_P95_MS = 250  # and the longest that one in twenty may take.
LEAST_RATIO = 0.5  # Of what the same worker does of tasks that do nothing.
PATIENCE_SECONDS = 90


def measure_webhooks(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """Webhooks accepted a second; and, at a steady pace, from receipt to allocation with relay, broker and worker."""
    print(f"{'webhooks':<28}{'answered/s':>11}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    accepted = [_accept(ground, served, seconds=seconds, number=n) for n in range(1, rounds + 1)]
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder, ExitStack() as stack:
        with db.connect(ground.database_url) as conn:
            # What was taken in so far is not what is measured now.
            conn.execute("DELETE FROM event WHERE status = 'pending'")
        for name in ("relay", "worker"):
            stack.enter_context(program(name, ground.database_url, Path(folder), BROKER_URL=ground.broker_url))
        _deliver(ground, served, seconds=1, number=0)  # Until then the worker is starting.
        delays = [_deliver(ground, served, seconds=seconds, number=n) for n in range(1, rounds + 1)]
    per_second = median(turn["per_second"] for turn in accepted)
    p95 = median(turn["delay"]["p95"] for turn in delays)
    missing, late = (sum(turn[name] for turn in delays) for name in ("missing", "late"))
    return {
        "accepted": {"per_second": per_second, "rounds": accepted},
        "receipt to allocation": {"p95": p95, "rounds": delays},
        "errors": missing,
        "targets": [
            Target("webhooks accepted", f"{per_second:,.0f}/s", "", True),
            Target(
                f"receipt to allocation at {PACE}/s, p95",
                f"{p95:.0f} ms" + (f", {late} not yet" if late else ""),
                f"< {MOST_P95_MS} ms",
                p95 < MOST_P95_MS and not late,
            ),
        ],
    }


def measure_confirmations(ground: Stage, served: Web, *, rounds: int, count: int, **_options: Any) -> dict[str, Any]:
    """Events that confirm a hold, a second and worker process, beside tasks that do nothing."""
    tasks.configure(Config(database_url=ground.database_url, broker_url=ground.broker_url))
    print(f"{'confirmations':<28}{'no-ops/s':>11}{'events/s':>11}{'ratio':>8}")
    turns: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        settings = {"BROKER_URL": ground.broker_url, noops.FOLDER: folder}
        with program("benchmarks.noops", ground.database_url, Path(folder), **settings):
            noops.run(count // 4, Path(folder))
            for n in range(1, rounds + 1):
                settle(ground.database_url)
                nothing = noops.run(count, Path(folder))
                confirmed, late = _confirm(ground, count)
                turns.append({"nothing": nothing, "confirmed": confirmed, "ratio": confirmed / nothing, "late": late})
                print(f"{f'round {n}':<28}{nothing:>11,.0f}{confirmed:>11,.0f}{turns[-1]['ratio']:>8.2f}")
    ratio = median(turn["ratio"] for turn in turns)
    rate = median(turn["confirmed"] for turn in turns)
    late = round(sum(turn["late"] for turn in turns))
    print()
    return {
        "rounds_of_events": turns,
        "targets": [
            Target(
                "confirmations ÷ no-op tasks",
                f"{ratio:.2f} ({rate:,.0f}/s)" + (f", {late} not yet" if late else ""),
                f"≥ {LEAST_RATIO}",
                ratio >= LEAST_RATIO and not late,
            )
        ],
    }


def _accept(ground: Stage, served: Web, *, seconds: float, number: int) -> dict[str, Any]:
    settle(ground.database_url)
    result = client.run(
        Plan(
            scenario="webhook",
            port=served.port,
            connections=USERS,
            seconds=seconds,
            webhook_secret=served.webhook_secret,
            seed=number,
        )
    )
    _print(f"taken in, round {number}", result.per_second, dict(result.latency))
    return vars(result)


def _deliver(ground: Stage, served: Web, *, seconds: float, number: int) -> dict[str, Any]:
    hold_ids = place_holds(ground, round(PACE * (seconds + 1)))
    result = client.run(
        Plan(
            scenario="webhook",
            port=served.port,
            connections=USERS,
            seconds=seconds,
            pace=PACE,
            webhook_secret=served.webhook_secret,
            hold_ids=hold_ids,
            seed=number,
        )
    )
    late = _wait_until_applied(ground)
    with db.connect(ground.database_url) as conn:
        # Between two rows of one database: one clock.
        row = db.one(
            conn.execute(
                "SELECT count(*) AS count, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY"
                " extract(epoch FROM a.created_at - e.received_at) * 1000) AS delays"
                " FROM allocation a JOIN event e ON e.order_id = a.order_id WHERE a.hold_id = ANY (%s)",
                [hold_ids],
            )
        )
    delay = dict(zip(("p50", "p95", "p99"), row["delays"] or [1000.0 * PATIENCE_SECONDS] * 3, strict=True))
    if number:
        _print(f"applied, round {number}", result.per_second, delay)
    missing = min(len(hold_ids), result.requests_in_all) - row["count"] - late
    return {**vars(result), "delay": delay, "late": late, "missing": missing}


def _confirm(ground: Stage, count: int) -> tuple[float, int]:
    """How many events a second a worker applied, of `count` that it was rung for in one go; and how many it did not."""
    hold_ids = place_holds(ground, count)
    body = (
        b'{"type":"order.placed","data":{"order":{"id":"order_%b","status":"pending","version":1,"updated_at":'
        b'"2030-01-01T00:00:00Z","items":[{"id":"item_1","quantity":1,"metadata":{"booking_hold_id":"%b"}}]}}}'
    )
    ids = []
    with db.connect(ground.database_url) as conn:
        for hold_id in hold_ids:
            receipt = events.receive_event(
                conn,
                source="medusa",
                dedupe_key=hold_id,
                type="order.placed",
                raw=body % (hold_id.encode(), hold_id.encode()),
                headers={},
                order_id=f"order_{hold_id}",
            )
            ids.append(receipt.id)
        with tasks.celery.connection_for_write() as connection, tasks.celery.amqp.Producer(connection) as producer:
            for event_id in ids:
                tasks.celery.send_task("tasks.events.apply_event", args=[event_id], queue=EVENTS, producer=producer)
        late = _wait_until_applied(ground)
        row = db.one(
            conn.execute(
                "SELECT count(*) AS count, extract(epoch FROM max(finished_at) - min(started_at))::float8 AS seconds"
                " FROM attempt WHERE event_id = ANY (%s) AND outcome = 'applied'",
                [ids],
            )
        )
    assert row["count"] >= count - late, f"only {row['count']} of {count} events were applied, {late} wait"
    return row["count"] / (row["seconds"] or PATIENCE_SECONDS), late


def place_holds(ground: Stage, count: int) -> list[str]:
    """As many live holds, over all slots; their ids."""
    ids = []
    with db.connect(ground.database_url) as conn:
        for n in range(count):
            placed = holds.place_hold(
                conn,
                resource_id=ground.resources[n % len(ground.resources)],
                dates=[ground.first_date + timedelta(days=n % DAYS)],
                quantity=1,
                customer_email="user@example.test",
                idempotency_token=f"{time.time_ns()}-{n}",
                metadata={},
                term=timedelta(minutes=30),
                hard_term=timedelta(minutes=120),
            )
            ids.append(placed.hold.id)
    return ids


def _wait_until_applied(ground: Stage) -> int:
    """How many events nobody applied in time; they are deleted, so that the next round begins like the first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with db.connect(ground.database_url) as conn:
        while (
            conn.execute("SELECT FROM event WHERE status = 'pending' AND queue = %s LIMIT 1", [EVENTS]).fetchone()
            is not None
        ):
            if time.monotonic() > deadline:
                return conn.execute("DELETE FROM event WHERE status = 'pending' AND queue = %s", [EVENTS]).rowcount
            time.sleep(0.2)
    return 0


def _print(name: str, per_second: float, latency: dict[str, float]) -> None:
    print(f"{name:<28}{per_second:>11,.0f}" + "".join(f"{latency[p]:>9.1f}" for p in ("p50", "p95", "p99")))
