"""The parts of a run by name. Here: holds beside pgbench, availability, a mixed crowd, appointments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import events, pgbench
from benchmarks.crew import make_crew
from benchmarks.departures import measure_cancellations
from benchmarks.hosts import measure_hosts
from benchmarks.hot import measure_hot
from benchmarks.lapsed import measure_sweep
from benchmarks.loads import COLUMNS, carry_out, compare, describe, label, sum_up
from benchmarks.scale import measure_scale
from benchmarks.stage import DAYS, PLACES, RESOURCES, Stage, Web, settle
from benchmarks.tours import measure_tours

MANY_USERS = 100
# Requests a second. The last is more than the least that a hundred users must be served at (summary.LEAST_RATE); the
# others show what a machine that misses it can do.
PACES = (400, 800, 1600)

Part = Callable[..., dict[str, Any]]


def measure_holds(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """Holds a second over HTTP, beside the same take by pgbench: on a thousand slots, and all on one."""
    print(f"{'holds':<28}{'pgbench/s':>10}{'HTTP/s':>9}{'ratio':>8}{COLUMNS}")
    report: dict[str, Any] = {}
    for case, (resources, days) in {"spread": (RESOURCES, DAYS), "hot": (1, 1)}.items():
        turns = []
        for n in range(1, rounds + 1):
            settle(ground.database_url)
            alone = pgbench.measure(ground, resources=resources, days=days, seconds=seconds)
            settle(ground.database_url)
            slots = {"resources": ground.resources[:resources], "days": days}
            result = carry_out(ground, served, scenario="place", seconds=seconds, seed=n, **slots)
            turns.append({"pgbench": alone, "ratio": round(result["per_second"] / alone, 3), **result})
            _print(case, turns[-1], n)
        report[case] = {"slots": resources * days, **sum_up(turns, "pgbench", "ratio")}
        _print(case, report[case])
        print()
    return report


def measure_availability(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """30 days of one resource: read, and asked for again with the ETag of an answer that still stands."""
    cases = {"read": {"scenario": "read"}, "304": {"scenario": "revalidate"}}
    return compare("availability, 30 days", cases, ground, served, seconds=seconds, rounds=rounds)


def measure_mixed(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """A hundred users at once: at set paces, and each as fast as it is answered."""
    crowd = {"scenario": "mixed", "connections": MANY_USERS, "warmup_seconds": 2}
    cases = {f"at {pace:,}/s": {**crowd, "pace": pace} for pace in PACES} | {"flat out": crowd}
    return compare(f"mixed, {MANY_USERS} users", cases, ground, served, seconds=seconds, rounds=rounds)


def measure_appointments(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """A day of fifty staff, half of it booked; and half an hour held, beside a day of a resource."""
    crew, chairs = make_crew(ground.database_url), make_crew(ground.database_url, places=PLACES, booked=False)
    cases = {
        "day of 50": {"scenario": "slots", "service": crew.service, "days": 1, "first_date": crew.day},
        "days": {"scenario": "place"},
        "half hours": {"scenario": "book", "service": chairs.service, "resources": chairs.staff, "days": 3},
    }
    return compare("appointments", cases, ground, served, seconds=seconds, rounds=rounds)


PARTS: Mapping[str, Part] = {
    "holds": measure_holds,
    "hot": measure_hot,
    "availability": measure_availability,
    "mixed": measure_mixed,
    "appointments": measure_appointments,
    "tours": measure_tours,
    "webhooks": events.measure_webhooks,
    "confirmations": events.measure_confirmations,
    "sweep": measure_sweep,
    "cancellations": measure_cancellations,
    "hosts": measure_hosts,
    "scale": measure_scale,
}
SLOW = ("scale",)  # Filling tables takes minutes: only when asked for.


def _print(case: str, turn: Mapping[str, Any], n: int | None = None) -> None:
    print(f"{label(case, n)}{turn['pgbench']:>10,.0f}{turn['per_second']:>9,.0f}{turn['ratio']:>8.3f}{describe(turn)}")
