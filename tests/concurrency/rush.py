"""Many customers at the same instant, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from bridge import db


def rush(calls: Sequence[Callable[[], Any]], *, at_once: int = 20) -> list[Any]:
    """Run every call, `at_once` at a time, starting together; each one's answer, or the exception it raised."""
    answers: list[Any] = [None] * len(calls)
    waiting: SimpleQueue[int] = SimpleQueue()
    for n in range(len(calls)):
        waiting.put(n)
    start = threading.Barrier(min(at_once, len(calls)))

    def customer() -> None:
        with db.statement() as conn:  # Connected before the start, so that all really come at once.
            conn.execute("SELECT 1")
        start.wait(timeout=30)
        try:
            while True:
                n = waiting.get_nowait()
                try:
                    answers[n] = calls[n]()
                except Exception as error:
                    answers[n] = error  # The exception is the answer.
        except Empty:
            db.close()

    customers = [threading.Thread(target=customer) for _ in range(start.parties)]
    for thread in customers:
        thread.start()
    for thread in customers:
        thread.join()
    return answers


def in_transaction(call: Callable[[db.Connection], Any]) -> Callable[[], Any]:
    """`call` in a transaction of its own."""

    def run() -> Any:
        with db.transaction() as conn:
            return call(conn)

    return run
