"""`python -m benchmarks`: measure, print a table, write JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, Namespace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import ceiling, client, pgbench
from benchmarks.client import Plan, Result
from benchmarks.stage import DAYS, RESOURCES, Stage, Web, settle, stage, web
from bridge import db
from bridge.core import audits

PARTS = ("holds", "availability", "mixed")
RESULTS = Path(__file__).with_name("results") / "latest.json"
FEW_USERS = 16  # As many as the web has threads, and as pgbench has clients.
MANY_USERS = 100
# Under what is measured, above what any commerce platform in front of the bridge sends.
PACE = 1500
LEAST_RATIO = {"spread": 0.28, "hot": 0.55}
MOST_P95_MS = 60
MOST_MEMORY_MB = 120


def main() -> int:
    """Run the parts asked for. The exit code is 1 when anything was answered as it should not be."""
    options = _options()
    report: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    with stage() as ground:
        report["versions"] = _versions(ground)
        print(" · ".join(f"{name} {value}" for name, value in report["versions"].items()))
        report["client"] = measure_client(options)
        for part in options.only:
            # Each part has a web of its own: what one leaves in memory is not the next one's.
            with web(ground.database_url) as served:
                report[part] = MEASURES[part](ground, served, options)
                report[part]["memory_mb"] = served.memory_mb()
        report["audit_findings"] = _audit(ground)
    print_summary(report)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwritten to {options.json}")
    return 1 if _errors(report) or report["audit_findings"] else 0


def measure_client(options: Namespace) -> dict[str, Any]:
    """What the client can do, so that no figure below is its own limit unnoticed."""
    result = ceiling.measure(min(options.seconds, 3))
    print(f"the client alone, against a server that does nothing: {result.per_second:,.0f} requests/s\n")
    return {"per_second": result.per_second, "cpu": result.client_cpu}


def measure_holds(ground: Stage, served: Web, options: Namespace) -> dict[str, Any]:
    """Holds a second over HTTP ÷ the same take by pgbench, in turns: a noisy minute hits both."""
    print("holds/s               pgbench    HTTP   ratio   p50 ms  p95 ms  client")
    cases = {"spread": (RESOURCES, DAYS), "hot": (1, 1)}
    report: dict[str, Any] = {}
    for case, (resources, days) in cases.items():
        rounds = []
        for n in range(1, options.rounds + 1):
            settle(ground.database_url)
            by_pgbench = pgbench.measure(ground, resources=resources, days=days, seconds=options.seconds)
            settle(ground.database_url)
            result = client.run(
                _plan(
                    ground, served, options, scenario="place", seed=n, resources=ground.resources[:resources], days=days
                )
            )
            rounds.append(
                {"pgbench": by_pgbench, "http": vars(result), "ratio": round(result.per_second / by_pgbench, 3)}
            )
            print(
                f"{case:<8} round {n:<6} {by_pgbench:>8,.0f} {result.per_second:>7,.0f}   {rounds[-1]['ratio']:.3f}"
                f" {_latency(result)}{_unexpected(result)}"
            )
        report[case] = {
            "slots": resources * days,
            "ratio": median(turn["ratio"] for turn in rounds),
            "pgbench": median(turn["pgbench"] for turn in rounds),
            "http": median(turn["http"]["per_second"] for turn in rounds),
            "rounds": rounds,
        }
        print(f"{case:<8} median       {_medians(report[case])}\n")
    return report


def measure_availability(ground: Stage, served: Web, options: Namespace) -> dict[str, Any]:
    """30 days of one resource: read, and asked for again with the ETag of an answer that still stands."""
    print("availability of 30 days  requests/s   p50 ms  p95 ms  client")
    report: dict[str, Any] = {}
    for n in range(1, options.rounds + 1):
        for scenario in ("read", "revalidate"):
            result = client.run(_plan(ground, served, options, scenario=scenario, seed=n))
            report.setdefault(scenario, {"rounds": []})["rounds"].append(vars(result))
            print(f"{scenario:<10} round {n:<6} {result.per_second:>12,.0f}   {_latency(result)}{_unexpected(result)}")
    for scenario in report:
        report[scenario]["per_second"] = median(turn["per_second"] for turn in report[scenario]["rounds"])
        print(f"{scenario:<10} median       {report[scenario]['per_second']:>12,.0f}")
    print()
    return report


def measure_mixed(ground: Stage, served: Web, options: Namespace) -> dict[str, Any]:
    """A hundred users at once: at a set pace, and each as fast as it is answered."""
    print(f"mixed, {MANY_USERS} users        requests/s   p50 ms  p95 ms  p99 ms  client")
    report: dict[str, Any] = {}
    for n in range(1, options.rounds + 1):
        for name, pace in (("paced", PACE), ("flat_out", 0)):
            settle(ground.database_url)
            plan = _plan(
                ground, served, options, scenario="mixed", connections=MANY_USERS, pace=pace, seed=n,
                seconds=options.seconds * 2, warmup_seconds=2,
            )  # fmt: skip
            result = client.run(plan)
            report.setdefault(name, {"rounds": []})["rounds"].append(vars(result))
            print(
                f"{name:<10} round {n:<6} {result.per_second:>12,.0f}   {result.latency['p50']:>6.1f}"
                f"  {result.latency['p95']:>6.1f}  {result.latency['p99']:>6.1f}  {result.client_cpu:>5.0%}{_unexpected(result)}"
            )
    for case in report.values():
        case["per_second"] = median(turn["per_second"] for turn in case["rounds"])
        for p in ("p50", "p95", "p99"):
            case[p] = median(turn["latency"][p] for turn in case["rounds"])
    print()
    return report


MEASURES = {"holds": measure_holds, "availability": measure_availability, "mixed": measure_mixed}


def print_summary(report: dict[str, Any]) -> None:
    """The medians, each beside what it should be."""
    lines: list[tuple[str, str, str, bool]] = []
    for case, least in LEAST_RATIO.items():
        if "holds" in report:
            ratio = report["holds"][case]["ratio"]
            shown = f"{ratio:.2f} ({report['holds'][case]['http']:,.0f}/s)"
            lines.append((f"holds, HTTP ÷ pgbench, {case}", shown, f"≥ {least}", ratio >= least))
    for name, case in report.get("mixed", {}).items():
        if name != "memory_mb":
            shown = f"{case['p95']:.1f} ms at {case['per_second']:,.0f}/s"
            is_met = case["p95"] < MOST_P95_MS and case["per_second"] >= PACE * 0.99
            lines.append((f"mixed, {name}, p95", shown, f"< {MOST_P95_MS} ms at ≥ {PACE:,}/s", is_met))
    sizes = [size for part in PARTS if part in report for size in report[part]["memory_mb"].values()]
    lines.append(
        ("largest web process", f"{max(sizes):.0f} MB", f"< {MOST_MEMORY_MB} MB", max(sizes) < MOST_MEMORY_MB)
    )
    lines.append(("unexpected answers", str(_errors(report)), "0", not _errors(report)))
    lines.append(("audit findings afterwards", str(report["audit_findings"]), "0", not report["audit_findings"]))
    print(f"{'median of rounds':<32} {'measured':<22} {'target':<22}")
    for what, shown, target, is_met in lines:
        print(f"{what:<32} {shown:<22} {target:<22} {'met' if is_met else 'MISSED'}")


def _options() -> Namespace:
    parser = ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5, metavar="N", help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each is repeated")
    parser.add_argument(
        "--only", type=_parts, default=PARTS, metavar="PART,…", help=f"some of {', '.join(PARTS)}"
    )  # fmt: skip
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where the figures are written")
    parser.epilog = "Runs on an embedded PostgreSQL, or in a database of its own on the server DATABASE_URL names."
    return parser.parse_args()


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if unknown := set(parts) - set(PARTS):
        raise ValueError(unknown)
    return parts


def _plan(ground: Stage, served: Web, options: Namespace, **changes: Any) -> Plan:
    values: dict[str, Any] = {
        "port": served.port,
        "connections": FEW_USERS,
        "seconds": options.seconds,
        "resources": list(ground.resources),
        "first_date": ground.first_date.isoformat(),
        "days": DAYS,
        "api_key": ground.api_key,
        **changes,
    }
    return Plan(**values)


def _versions(ground: Stage) -> dict[str, str]:
    with db.connect(ground.database_url) as conn:
        postgres = db.one(conn.execute("SHOW server_version"))["server_version"].split()[0]
    libraries = {name: version(name) for name in ("granian", "flask", "psycopg")}
    cores = str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count())
    return {"cores": cores, "Python": platform.python_version(), "PostgreSQL": postgres, **libraries}


def _audit(ground: Stage) -> int:
    with db.connect(ground.database_url) as conn:
        conn.execute("SET statement_timeout = 0")
        return len(audits.audit(conn))


def _errors(report: dict[str, Any]) -> int:
    results = [turn for part in PARTS for case in report.get(part, {}).values() for turn in case.get("rounds", [])]
    return sum(turn.get("http", turn)["errors"] for turn in results)


def _latency(result: Result) -> str:
    return f"{result.latency['p50']:>8.1f}  {result.latency['p95']:>6.1f}  {result.client_cpu:>5.0%}"


def _medians(case: dict[str, Any]) -> str:
    return f"{case['pgbench']:>8,.0f} {case['http']:>7,.0f}   {case['ratio']:.3f}"


def _unexpected(result: Result) -> str:
    return f"  UNEXPECTED: {dict(result.unexpected)}" if result.errors else ""


if __name__ == "__main__":
    sys.exit(main())
