"""Loads by the client: carried out in turns, summed up by their medians, shown as lines of a table.

Turns, because a machine is never quiet: whatever disturbs one load disturbs the next, and the median of rounds
forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import client
from benchmarks.client import Plan, Result
from benchmarks.stage import DAYS, Stage, Web, settle

FEW_USERS = 16  # As many as the web has threads, and as pgbench has clients.
COLUMNS = f"{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'web CPU µs':>12}{'client':>9}"


def compare(
    title: str, cases: Mapping[str, Mapping[str, Any]], ground: Stage, served: Web, *, seconds: float, rounds: int
) -> dict[str, Any]:
    """Carry out each of `cases` in each round; their medians by name."""
    print(f"{title:<28}{'HTTP/s':>9}{COLUMNS}")
    turns: dict[str, list[dict[str, Any]]] = {case: [] for case in cases}
    for n in range(1, rounds + 1):
        for case, plan in cases.items():
            settle(ground.database_url)
            turn = carry_out(ground, served, seconds=seconds, seed=n, **plan)
            turns[case].append(turn)
            print(f"{label(case, n)}{turn['per_second']:>9,.0f}{describe(turn)}")
    report = {case: sum_up(measured) for case, measured in turns.items()}
    for case, medians in report.items():
        print(f"{label(case)}{medians['per_second']:>9,.0f}{describe(medians)}")
    print()
    return report


def carry_out(ground: Stage, served: Web, **plan: Any) -> dict[str, Any]:
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


def sum_up(turns: Sequence[dict[str, Any]], *names: str) -> dict[str, Any]:
    """The medians of rounds, of `names` too, with the rounds themselves."""
    medians: dict[str, Any] = {
        name: median(turn[name] for turn in turns) for name in ("per_second", "web_cpu_us", "client_cpu", *names)
    }
    latency = {p: median(turn["latency"][p] for turn in turns) for p in ("p50", "p95", "p99")}
    return {**medians, "latency": latency, "rounds": list(turns)}


def label(case: str, n: int | None = None) -> str:
    """How a line begins: which load, and which round of it."""
    return f"{case:<16}{f'round {n}' if n else 'median':<12}"


def describe(turn: Mapping[str, Any]) -> str:
    """What stands under COLUMNS."""
    latency = turn["latency"]
    shown = "".join(f"{latency[p]:>9.1f}" for p in ("p50", "p95", "p99"))
    unexpected = f"  UNEXPECTED: {dict(turn['unexpected'])}" if turn.get("errors") else ""
    return f"{shown}{turn['web_cpu_us']:>12,.0f}{turn['client_cpu']:>9.0%}{unexpected}"
