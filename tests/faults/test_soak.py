"""`make soak` itself: it can be stopped at any time, tells what it found until then, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from bridge.supervisor import die_with_parent
from tests.faults.running import ROOT, wait_until
from tests.faults.setups import ALONE

pytestmark = ALONE


def test_a_soak_that_is_interrupted_still_tells_and_leaves_nothing(tmp_path: Path) -> None:
    output, scratch = tmp_path / "output", tmp_path / "scratch"
    scratch.mkdir()
    # Its servers run as another user, who must reach their files.
    for folder in (tmp_path, *tmp_path.parents[:-2], scratch):
        folder.chmod(folder.stat().st_mode | 0o011)
    argv = [sys.executable, "-m", "tests.faults.soak", "--minutes", "30", "--seed", "10"]
    with output.open("wb") as log:
        soak = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=_environment(scratch),
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509  # one system call
        )
    try:
        wait_until(lambda: _has_begun(output), 180, output.read_text)
        time.sleep(2)
        soak.send_signal(signal.SIGINT)
        code = soak.wait(200)
    finally:
        with suppress(ProcessLookupError):
            soak.kill()

    told = output.read_text()
    assert code in {0, 2}, told
    assert "| verdict " in told and "to have the same again: SEED=10" in told
    assert list(scratch.iterdir()) == []
    assert not [process for process in psutil.process_iter(["cmdline"]) if str(scratch) in str(process.info["cmdline"])]


def _has_begun(output: Path) -> bool:
    return "clock an hour off" in output.read_text()  # What this seed begins with.


def _environment(scratch: Path) -> dict[str, str]:
    outside = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
    return {**outside, "TMPDIR": str(scratch)}
