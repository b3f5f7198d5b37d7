"""That the walk-through of docs/appointments.md works as it is written."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.faults.running import ROOT, free_port, running_bridge

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.timeout(300)
def test_the_walk_through_books_and_pays(tmp_path: Path) -> None:
    start, walk = _BLOCK.findall((ROOT / "docs" / "appointments.md").read_text())
    port = str(free_port())
    settings = dict(re.findall(r"(MEDUSA_\w+)=(\S+)", start))
    settings["MEDUSA_URL"] = f"http://127.0.0.1:{port}"

    with running_bridge(settings) as bridge:
        env = {**os.environ, **bridge.env, "FAKE_PLATFORM_PORT": port}
        env = {name: value for name, value in env.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
        done = subprocess.run(
            # Whatever happens, the platform it starts is not left behind.
            ["bash", "-eu", "-c", f"trap 'kill $(jobs -p) || true' EXIT\n{walk}"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["confirmed", "confirmed", "10.0"]
