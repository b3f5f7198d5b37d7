"""Servers that an earlier start left behind, in whatever way it ended."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

STOP_SECONDS = 20


def stop_processes_in(folder: Path) -> None:
    """Stop the servers that work in `folder`, whoever started them: we hold the lock, so nobody needs them."""
    found = [process for process in psutil.process_iter() if _works_in(process, folder)]
    for process in found:
        with suppress(psutil.Error):
            # The first of each tree stops the others in good order.
            if process.ppid() not in {other.pid for other in found}:
                process.send_signal(signal.SIGINT)
    for process in _wait_until_gone(found, folder):
        with suppress(psutil.Error):
            process.kill()
    _wait_until_gone(found, folder)


def _wait_until_gone(processes: list[psutil.Process], folder: Path) -> list[psutil.Process]:
    """Those that are still there after STOP_SECONDS. A zombie is gone: who reaps it is not our business."""
    deadline = time.monotonic() + STOP_SECONDS
    while (left := [process for process in processes if _works_in(process, folder)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name() in {"postgres", "initdb", "valkey-server"} and process.cwd() == str(folder)
    except psutil.Error:
        return False
