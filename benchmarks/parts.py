"""What is measured: holds beside pgbench, availability, a mixed crowd. Each load is repeated, in turns with the others.

Turns, because a machine is never quiet: whatever disturbs one load disturbs the next, and the median of rounds
forgets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import client, events, pgbench
from benchmarks.client import Plan, Result
from benchmarks.crew import make_crew
from benchmarks.stage import DAYS, PLACES, RESOURCES, Stage, Web, settle
from benchmarks.tours import measure_tours

FEW_USERS = 16  # As many as the web has threads, and as pgbench has clients.
MANY_USERS = 100
# Requests a second. The last is more than the least that a hundred users must be served at (summary.LEAST_RATE); the
# others show what a machine that misses it can do.
PACES = (400, 800, 1600)

Part = Callable[..., dict[str, Any]]


def measure_holds(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """Holds a second over HTTP, beside the same take by pgbench: on a thousand slots, and all on one."""
    print(f"{'holds':<28}{'pgbench/s':>10}{'HTTP/s':>9}{'ratio':>8}{_COLUMNS}")
    report: dict[str, Any] = {}
    for case, (resources, days) in {"spread": (RESOURCES, DAYS), "hot": (1, 1)}.items():
        turns = []
        for n in range(1, rounds + 1):
            settle(ground.database_url)
            alone = pgbench.measure(ground, resources=resources, days=days, seconds=seconds)
            settle(ground.database_url)
            slots = {"resources": ground.resources[:resources], "days": days}
            result = _load(ground, served, scenario="place", seconds=seconds, seed=n, **slots)
            turn = {"pgbench": alone, "ratio": round(result["per_second"] / alone, 3), **result}
            turns.append(turn)
            print(f"{_name(case, n)}{alone:>10,.0f}{turn['per_second']:>9,.0f}{turn['ratio']:>8.3f}{_latencies(turn)}")
        report[case] = {"slots": resources * days, **_medians(turns, "pgbench", "ratio")}
        print(f"{_name(case)}{report[case]['pgbench']:>10,.0f}{_line(report[case], report[case]['ratio'])}\n")
    return report


def measure_availability(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """30 days of one resource: read, and asked for again with the ETag of an answer that still stands."""
    cases = {"read": {"scenario": "read"}, "304": {"scenario": "revalidate"}}
    return _compare("availability, 30 days", cases, ground, served, seconds=seconds, rounds=rounds)


def measure_mixed(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """A hundred users at once: at set paces, and each as fast as it is answered."""
    crowd = {"scenario": "mixed", "connections": MANY_USERS, "warmup_seconds": 2}
    cases = {f"at {pace:,}/s": {**crowd, "pace": pace} for pace in PACES} | {"flat out": crowd}
    return _compare(f"mixed, {MANY_USERS} users", cases, ground, served, seconds=seconds, rounds=rounds)


def measure_appointments(ground: Stage, served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """A day of fifty staff, half of it booked; and half an hour held, beside a day of a resource."""
    crew, chairs = make_crew(ground.database_url), make_crew(ground.database_url, places=PLACES, booked=False)
    cases = {
        "day of 50": {"scenario": "slots", "service": crew.service, "days": 1, "first_date": crew.day},
        "days": {"scenario": "place"},
        "half hours": {"scenario": "book", "service": chairs.service, "resources": chairs.staff, "days": 3},
    }
    return _compare("appointments", cases, ground, served, seconds=seconds, rounds=rounds)


PARTS: Mapping[str, Part] = {
    "holds": measure_holds,
    "availability": measure_availability,
    "mixed": measure_mixed,
    "appointments": measure_appointments,
    "tours": measure_tours,
    "webhooks": events.measure_webhooks,
    "confirmations": events.measure_confirmations,
}


def _compare(
    title: str, cases: Mapping[str, Mapping[str, Any]], ground: Stage, served: Web, *, seconds: float, rounds: int
) -> dict[str, Any]:
    print(f"{title:<28}{'HTTP/s':>9}{_COLUMNS}")
    turns: dict[str, list[dict[str, Any]]] = {case: [] for case in cases}
    for n in range(1, rounds + 1):
        for case, plan in cases.items():
            settle(ground.database_url)
            turn = _load(ground, served, seconds=seconds, seed=n, **plan)
            turns[case].append(turn)
            print(f"{_name(case, n)}{turn['per_second']:>9,.0f}{_latencies(turn)}")
    report = {case: _medians(measured) for case, measured in turns.items()}
    for case, medians in report.items():
        print(f"{_name(case)}{_line(medians)}")
    print()
    return report


def _load(ground: Stage, served: Web, **plan: Any) -> dict[str, Any]:
    """Carry out a plan on the stage; its result, with what each request cost the web."""
    spent = served.cpu_seconds()
    values: dict[str, Any] = {
        "port": served.port,
        "connections": FEW_USERS,
        "resources": list(ground.resources),
        "first_date": ground.first_date.isoformat(),
        "days": DAYS,
        "api_key": ground.api_key,
    }
    result: Result = client.run(Plan(**(values | plan)))
    spent = served.cpu_seconds() - spent
    return {**vars(result), "web_cpu_us": round(1e6 * spent / max(1, result.requests_in_all))}


def _medians(turns: Sequence[dict[str, Any]], *names: str) -> dict[str, Any]:
    medians: dict[str, Any] = {
        name: median(turn[name] for turn in turns) for name in ("per_second", "web_cpu_us", "client_cpu", *names)
    }
    latency = {p: median(turn["latency"][p] for turn in turns) for p in ("p50", "p95", "p99")}
    return {**medians, "latency": latency, "rounds": list(turns)}


_COLUMNS = f"{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'web CPU µs':>12}{'client':>9}"


def _name(case: str, n: int | None = None) -> str:
    return f"{case:<16}{f'round {n}' if n else 'median':<12}"


def _line(medians: Mapping[str, Any], ratio: float | None = None) -> str:
    return f"{medians['per_second']:>9,.0f}{'' if ratio is None else f'{ratio:>8.3f}'}{_latencies(medians)}"


def _latencies(turn: Mapping[str, Any]) -> str:
    latency = turn["latency"]
    shown = "".join(f"{latency[p]:>9.1f}" for p in ("p50", "p95", "p99"))
    unexpected = f"  UNEXPECTED: {dict(turn['unexpected'])}" if turn.get("errors") else ""
    return f"{shown}{turn['web_cpu_us']:>12,.0f}{turn['client_cpu']:>9.0%}{unexpected}"
