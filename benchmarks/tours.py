"""Tours: a year of departures of a thousand of them, and what a month of one costs to read."""

from __future__ import annotations

import time as clock
from datetime import time, timedelta
from statistics import median
from typing import Any

from benchmarks import client
from benchmarks.client import Plan
from benchmarks.stage import Stage, Web, settle
from bridge import db
from bridge.core import departures, schedules

TOURS = 1000
BUSY = 20  # Tours that depart three times a day: those whose months are read.
DAYS = 365
USERS = 16  # As many as the web has threads.
HOURS = (9, 12, 15)


def measure_tours(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """How long it takes to make a year of departures, and how often a second a month of them is read."""
    tours = [f"res_bench_tour_{n}" for n in range(TOURS)]
    schedule_ids, busy_ids = _schedules(ground, tours)
    took = _generate(ground, schedule_ids)
    print(f"{DAYS} departures of each of {TOURS:,} schedules: {took:.1f} s, {TOURS * DAYS / took:,.0f} departures/s")
    _generate(ground, busy_ids)
    with db.connect(ground.database_url) as conn:
        conn.execute("SET statement_timeout = 0")
        conn.execute("VACUUM ANALYZE slot, capacity")
    turns = [_read(ground, served, tours[:BUSY], seconds=seconds, seed=n) for n in range(1, rounds + 1)]
    per_second = median(turn["per_second"] for turn in turns)
    latency = {p: median(turn["latency"][p] for turn in turns) for p in ("p50", "p95", "p99")}
    print(f"a month with three departures a day: {per_second:,.0f}/s, p95 {latency['p95']:.1f} ms\n")
    return {
        "generate": {"seconds": took, "departures_per_second": TOURS * DAYS / took},
        "month": {"per_second": per_second, "latency": latency, "rounds": turns},
    }


def _schedules(ground: Stage, tours: list[str]) -> tuple[list[str], list[str]]:
    """A daily schedule of each tour, and two more of the busy ones."""
    usual, more = [], []
    with db.connect(ground.database_url) as conn, conn.transaction():
        for number, tour_id in enumerate(tours):
            conn.execute(
                "INSERT INTO resource (id, type, name, time_zone, price_per_person)"
                " VALUES (%s, 'TOUR', 'A tour', 'Australia/Brisbane', 75)",
                [tour_id],
            )
            for hour in HOURS if number < BUSY else HOURS[:1]:
                schedule = schedules.create_schedule(
                    conn,
                    tour_id=tour_id,
                    name=f"At {hour}",
                    start_time=time(hour),
                    duration_minutes=120,
                    recurrence="daily",
                    weekdays=[],
                    custom_rule=None,
                    max_capacity=15,
                    min_capacity=1,
                    valid_from=ground.first_date,
                    valid_until=None,
                    price_override=None,
                    is_active=True,
                )
                (usual if hour == HOURS[0] else more).append(schedule.id)
    return usual, more


def _generate(ground: Stage, schedule_ids: list[str]) -> float:
    end = ground.first_date + timedelta(days=DAYS - 1)
    started = clock.monotonic()
    with db.connect(ground.database_url) as conn:
        for schedule_id in schedule_ids:
            with conn.transaction():
                departures.generate(conn, schedule_id, start_date=ground.first_date, end_date=end)
    return clock.monotonic() - started


def _read(ground: Stage, served: Web, tours: list[str], *, seconds: float, seed: int) -> dict[str, Any]:
    settle(ground.database_url)
    plan = Plan(
        scenario="month",
        port=served.port,
        connections=USERS,
        seconds=seconds,
        resources=tours,
        first_date=ground.first_date.isoformat(),
        days=DAYS - 31,
        seed=seed,
    )
    turn = vars(client.run(plan))
    print(f"  round {seed}: {turn['per_second']:,.0f}/s, p95 {turn['latency']['p95']:.1f} ms")
    return turn
