"""`python -m benchmarks.noops`: the worker as it is, knowing besides a task that does nothing: what a worker can do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import tasks
from bridge.config import Config
from bridge.core.events import EVENTS
from tasks import worker

FOLDER = "BRIDGE_BENCH_FOLDER"
NAME = "benchmarks.noops.do_nothing"
MARKS = 64  # More than a worker may have in hand, so that the last mark is later than all else.
PATIENCE_SECONDS = 120


@tasks.celery.task(name=NAME)  # type: ignore[untyped-decorator]  # Celery has no types.
def do_nothing(mark: str | None = None) -> None:
    """Nothing; with a mark, say when."""
    if mark is not None:
        (Path(os.environ[FOLDER]) / mark).write_text(str(time.time()))


def run(count: int, folder: Path) -> float:
    """How many a second the worker did, of `count`."""
    marks = [None] * count
    names = [f"{time.time_ns()}-{n}" for n in range(MARKS)]
    with tasks.celery.connection_for_write() as connection, tasks.celery.amqp.Producer(connection) as producer:
        for mark in (names[0], *marks, *names[1:]):
            tasks.celery.send_task(NAME, args=[mark], queue=EVENTS, producer=producer)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all((folder / name).exists() for name in names):
        if time.monotonic() > deadline:
            raise SystemExit("the worker does not even do nothing")
        time.sleep(0.05)
    times = [float((folder / name).read_text()) for name in names]
    return (count + MARKS) / (max(times) - min(times))


if __name__ == "__main__":
    worker.run(Config.from_env())
