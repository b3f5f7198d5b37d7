"""Does the supervisor keep processes running, and does it leave none behind?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bridge.supervisor import ECHO_SECONDS

ROOT = Path(__file__).parents[1]

# Starts a child that ignores SIGTERM, does so itself, and tells both pids.
STUBBORN = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
                              "print('ready', flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
    child.stdout.readline()
    print(f"pids {os.getpid()} {child.pid}")
    time.sleep(60)
"""
POLITE = """
    import os, time
    print(f"pids {os.getpid()}")
    time.sleep(60)
"""


# Waits, when told to stop, for a child that would die of the same signal.
FINISHES_WORK = """
    import signal, subprocess, sys
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1); print('the work is done')"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(child.wait()))
    print(f"pids {child.pid}")
    signal.pause()
"""


class Run:
    """A supervisor in a process of its own, and what it prints."""

    def __init__(self, folder: Path, *, options: str = "", **scripts: str) -> None:
        commands = {name: [sys.executable, "-c", textwrap.dedent(script)] for name, script in scripts.items()}
        program = f"""
            import os, sys
            from bridge.supervisor import Supervisor
            sys.exit(Supervisor({commands!r}, env=os.environ, {options}).run())
        """
        self.output = folder / "output"
        with self.output.open("wb") as output:
            argv = [sys.executable, "-c", textwrap.dedent(program)]
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)

    def printed(self) -> str:
        return self.output.read_text()

    def pids(self) -> list[int]:
        words = [word for line in self.printed().splitlines() if "pids" in line for word in line.split()]
        return [int(word) for word in words if word.isdigit()]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def _start(*, options: str = "", **scripts: str) -> Run:
        runs.append(Run(tmp_path, options=options, **scripts))
        return runs[-1]

    yield _start
    for run in runs:
        for pid in [run.process.pid, *run.pids()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.process.wait()


def test_output_carries_the_name_line_by_line(start: Callable[..., Run]) -> None:
    run = start(web="print('one'); print('two'); import time; time.sleep(60)", worker=POLITE)

    wait_for(lambda: "two" in run.printed() and run.pids())

    assert "web    | one\nweb    | two\n" in run.printed()
    assert "worker | pids" in run.printed()


def test_a_process_that_dies_is_started_again(start: Callable[..., Run]) -> None:
    run = start(web=POLITE)
    wait_for(lambda: len(run.pids()) == 1)

    os.kill(run.pids()[0], signal.SIGKILL)
    wait_for(lambda: len(run.pids()) == 2)

    assert "web was killed by SIGKILL; starting it again in 1 s" in run.printed()


def test_a_process_that_keeps_dying_is_started_ever_later(start: Callable[..., Run]) -> None:
    run = start(web="raise SystemExit(3)")

    wait_for(lambda: "again in 2 s" in run.printed())

    assert "web exited with 3; starting it again in 1 s" in run.printed()


def test_what_a_dead_process_left_is_gone_before_the_next_starts(start: Callable[..., Run]) -> None:
    run = start(web=STUBBORN)
    wait_for(lambda: len(run.pids()) == 2)
    parent, child = run.pids()

    os.kill(parent, signal.SIGKILL)
    wait_for(lambda: len(run.pids()) == 4)

    assert not is_alive(child)


def test_sigterm_stops_everything(start: Callable[..., Run]) -> None:
    run = start(web=POLITE, worker=POLITE)
    wait_for(lambda: len(run.pids()) == 2)

    run.process.send_signal(signal.SIGTERM)

    assert run.process.wait(5) == 0
    assert not any(map(is_alive, run.pids()))


def test_stubborn_children_and_grandchildren_are_killed_when_patience_ends(start: Callable[..., Run]) -> None:
    run = start(web=STUBBORN, options="stop_seconds=0.5")
    wait_for(lambda: len(run.pids()) == 2)

    run.process.send_signal(signal.SIGTERM)
    run.process.wait(5)

    assert "web did not stop; killing it" in run.printed()
    assert not any(map(is_alive, run.pids()))


def test_a_process_stops_its_own_children(start: Callable[..., Run]) -> None:
    """As Celery's worker, which lets them finish the tasks at hand."""
    run = start(worker=FINISHES_WORK)
    wait_for(lambda: "pids" in run.printed())

    run.process.send_signal(signal.SIGTERM)

    assert run.process.wait(5) == 0
    assert "worker | the work is done" in run.printed()


def test_a_second_ctrl_c_kills_at_once(start: Callable[..., Run]) -> None:
    run = start(web=STUBBORN)
    wait_for(lambda: len(run.pids()) == 2)

    run.process.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping" in run.printed())
    time.sleep(ECHO_SECONDS + 0.1)
    run.process.send_signal(signal.SIGINT)

    run.process.wait(5)
    assert not any(map(is_alive, run.pids()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_children_stop_when_the_supervisor_is_killed(start: Callable[..., Run]) -> None:
    run = start(web=POLITE)
    wait_for(lambda: len(run.pids()) == 1)

    run.process.kill()
    run.process.wait()

    wait_for(lambda: not is_alive(run.pids()[0]))


def test_a_stuck_process_is_restarted_and_a_broken_check_is_survived(start: Callable[..., Run], tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    check = f"check=lambda: open({str(stuck)!r}).read().split()"
    run = start(worker=STUBBORN, options=f"{check}, check_seconds=0.2, settle_seconds=0, stop_seconds=0.2")
    wait_for(lambda: len(run.pids()) == 2 and "the check for stuck processes failed" in run.printed())

    stuck.write_text("worker nobody")
    wait_for(lambda: len(run.pids()) >= 4)

    assert "worker runs but no longer reports that it works" in run.printed()
    assert not any(map(is_alive, run.pids()[:2]))


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
