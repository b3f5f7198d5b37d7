"""`python -m benchmarks`: measure, print a table, write JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import ceiling, parts, summary
from benchmarks.stage import Stage, stage, web
from bridge import db
from bridge.core import audits

RESULTS = Path(__file__).with_name("results") / "latest.json"
CEILING_SECONDS = 2


def main() -> int:
    """Run the parts asked for. The exit code is 1 when anything was answered as it should not be."""
    options = _options()
    measures = {name: getattr(options, name) for name in ("seconds", "rounds", "count", "rows", "events")}
    report: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    with stage() as ground:
        report["versions"] = _versions(ground)
        print(" · ".join(f"{name} {value}" for name, value in report["versions"].items()))
        report["client"] = vars(ceiling.measure(CEILING_SECONDS))
        print(
            f"the client alone, against a server that does nothing: {report['client']['per_second']:,.0f} requests/s\n"
        )
        for name in options.only:
            # Each part has a web of its own: what one leaves in memory is not the next one's.
            with web(ground.database_url) as served:
                report[name] = parts.PARTS[name](ground, served, **measures)
                report[name]["memory_mb"] = served.memory_mb()
        report["audit_findings"] = _audit(ground)
    summary.show(report)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwritten to {options.json}")
    return 1 if summary.count_errors(report) or report["audit_findings"] else 0


def _options() -> Namespace:
    parser = ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="Runs on an embedded PostgreSQL, or in a database of its own on the server that DATABASE_URL names.",
        formatter_class=ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=4, metavar="N", help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each load is repeated")
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="how many events a worker is given")
    parser.add_argument("--rows", type=int, default=20_000_000, metavar="N", help="slots that `scale` makes")
    parser.add_argument("--events", type=int, default=5_000_000, metavar="N", help="events that `scale` makes")
    usual = ",".join(name for name in parts.PARTS if name not in parts.SLOW)
    parser.add_argument(
        "--only", type=_names, default=usual, metavar="PART[,PART]", help=f"which parts to run, of {usual} and scale"
    )
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where the figures are written")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in parts.PARTS]:
        raise ArgumentTypeError(f"no part called {unknown[0]!r}: there are {', '.join(parts.PARTS)}")
    return names


def _versions(ground: Stage) -> dict[str, str]:
    with db.connect(ground.database_url) as conn:
        postgres = db.one(conn.execute("SHOW server_version"))["server_version"].split()[0]
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    libraries = {name: version(name) for name in ("granian", "Flask", "psycopg")}
    return {"cores": str(cores), "Python": platform.python_version(), "PostgreSQL": postgres, **libraries}


def _audit(ground: Stage) -> int:
    with db.connect(ground.database_url) as conn:
        # Every hold of every round is read.
        conn.execute("SET statement_timeout = 0")
        return len(audits.audit(conn))


if __name__ == "__main__":
    sys.exit(main())
