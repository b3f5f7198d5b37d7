"""Many customers at the same instant, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bridge import db


def rush(calls: Sequence[Callable[[], Any]], *, at_once: int = 20) -> list[Any]:
    """Run every call, `at_once` at a time, starting together; each one's answer, or the exception it raised."""
    barrier = threading.Barrier(min(at_once, len(calls)))
    waited = threading.local()

    def run(call: Callable[[], Any]) -> Any:
        if not getattr(waited, "done", False):
            waited.done = True
            barrier.wait(timeout=30)
        try:
            return call()
        except Exception as error:  # the exception is the answer
            return error

    with ThreadPoolExecutor(min(at_once, len(calls)), initializer=db.close) as pool:
        answers = list(pool.map(run, calls))
        list(pool.map(lambda _n: db.close(), range(at_once)))
    return answers


def in_transaction(call: Callable[[db.Connection], Any]) -> Callable[[], Any]:
    """`call` in a transaction of its own."""

    def run() -> Any:
        with db.transaction() as conn:
            return call(conn)

    return run
