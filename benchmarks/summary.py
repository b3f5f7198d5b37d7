"""Was it fast enough: the medians, each beside what it should be."""

from __future__ import annotations

from typing import Any

from benchmarks.parts import PACES, PARTS
from benchmarks.targets import Target

LEAST_RATIO = {"spread": 0.38, "hot": 0.55}
LEAST_RATE = 1500
MOST_P95_MS = 60
MOST_MEMORY_MB = 120
MOST_YEAR_SECONDS = 60
LEAST_MONTHS = 1000
LEAST_STAFF_DAYS = 300
LEAST_HALF_HOURS = 0.8


def show(report: dict[str, Any]) -> None:
    """Print one line per target."""
    print(f"{'median of rounds':<44}{'measured':<26}{'target':<26}")
    parts = (
        _holds(report.get("holds", {})),
        _mixed(report.get("mixed", {})),
        _tours(report.get("tours", {})),
        _appointments(report.get("appointments", {})),
        [Target(*line) for name in PARTS for line in report.get(name, {}).get("targets", [])],
    )
    for line in (*(line for part in parts for line in part), *_always(report)):
        verdict = ("met" if line.is_met else "MISSED") if line.target else ""
        print(f"{line.what:<44}{line.measured:<26}{line.target:<26}{verdict}")


def count_errors(report: dict[str, Any]) -> int:
    """How many answers were not what they should be."""
    measured = [report[name] for name in PARTS if name in report]
    cases = [case for part in measured for case in part.values() if isinstance(case, dict)]
    turns = [turn for case in cases for turn in case.get("rounds", [])]
    return sum(turn["errors"] for turn in turns) + sum(part.get("errors", 0) for part in measured)


def _holds(part: dict[str, Any]) -> list[Target]:
    return [
        Target(
            f"holds, HTTP ÷ pgbench, {case}",
            f"{part[case]['ratio']:.2f} ({part[case]['per_second']:,.0f}/s)",
            f"≥ {least}",
            part[case]["ratio"] >= least,
        )
        for case, least in LEAST_RATIO.items()
        if case in part
    ]


def _mixed(part: dict[str, Any]) -> list[Target]:
    return [
        Target(
            f"mixed, {name}, p95",
            f"{case['latency']['p95']:.1f} ms at {case['per_second']:,.0f}/s",
            f"< {MOST_P95_MS} ms at ≥ {LEAST_RATE:,}/s",
            case["latency"]["p95"] < MOST_P95_MS and case["per_second"] >= LEAST_RATE,
        )
        # The slower paces are for reading, not for judging.
        for name, case in [*part.items()][len(PACES) - 1 :]
        if name != "memory_mb"
    ]


def _tours(part: dict[str, Any]) -> list[Target]:
    if not part:
        return []
    seconds, rate = part["generate"]["seconds"], part["month"]["per_second"]
    return [
        Target(
            "a year of 1,000 schedules", f"{seconds:.0f} s", f"< {MOST_YEAR_SECONDS} s", seconds < MOST_YEAR_SECONDS
        ),
        Target("a month of a tour", f"{rate:,.0f}/s", f"≥ {LEAST_MONTHS:,}/s", rate >= LEAST_MONTHS),
    ]


def _appointments(part: dict[str, Any]) -> list[Target]:
    if not part:
        return []
    day, ratio = part["day of 50"]["per_second"], part["half hours"]["per_second"] / part["days"]["per_second"]
    return [
        Target("a day of fifty staff", f"{day:,.0f}/s", f"≥ {LEAST_STAFF_DAYS}/s", day >= LEAST_STAFF_DAYS),
        Target("half hours held ÷ days held", f"{ratio:.2f}", f"≥ {LEAST_HALF_HOURS}", ratio >= LEAST_HALF_HOURS),
    ]


def _always(report: dict[str, Any]) -> list[Target]:
    largest = max(size for name in PARTS if name in report for size in report[name]["memory_mb"].values())
    errors, findings = count_errors(report), report["audit_findings"]
    return [
        Target("largest web process", f"{largest:.0f} MB", f"< {MOST_MEMORY_MB} MB", largest < MOST_MEMORY_MB),
        Target("unexpected answers", str(errors), "0", errors == 0),
        Target("audit findings afterwards", str(findings), "0", findings == 0),
    ]
