"""How the processes around the queue say that they are there (see bridge/core/processes.py)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from celery.signals import worker_process_init, worker_process_shutdown

from bridge import db
from bridge.core import events, processes
from bridge.errors import Unavailable

log = structlog.get_logger("tasks")


class Presence:
    """One process's row, written every few seconds."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._name = processes.own_name()
        self._next = 0.0
        self._started = False
        self._ended = False

    def beat(self, *, state: dict[str, Any] | None = None, progressed: bool = False) -> None:
        """Write the row if it is time to. A database that is away is no reason to stop."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + processes.BEAT_SECONDS
        with suppress(Unavailable), db.transaction() as conn:
            if not self._started:
                processes.start(conn, kind=self._kind, name=self._name)
            processes.beat(conn, kind=self._kind, name=self._name, state=state, progressed=progressed)
            self._started = True

    def end(self) -> None:
        """Remove the row. Only the first call does: a second signal may come while it waits for the database."""
        if self._ended:
            return
        self._ended = True
        with suppress(Unavailable), db.statement() as conn:
            processes.stop(conn, kind=self._kind, name=self._name)


class _Work:
    """Whether a worker process has work in hand, as its other thread sees it."""

    def __init__(self) -> None:
        self.depth = 0
        self.done = 0
        self.event_ids: set[str] = set()
        self.left_at: float | None = None  # Since when a claim may be left in the database.
        self._counting = threading.Lock()  # A sender works in many threads.

    def begin(self, event_id: str | None) -> None:
        with self._counting:
            self.depth += 1
            self.event_ids |= {event_id} if event_id else set()

    def end(self, event_id: str | None) -> None:
        with self._counting:
            self.depth -= 1
            self.done += 1
            self.event_ids -= {event_id} if event_id else set()

    def in_hand(self) -> list[str]:
        """The events that are being worked on."""
        with self._counting:
            return list(self.event_ids)


_work = _Work()
_stop = threading.Event()


@contextmanager
def working(event_id: str | None = None) -> Iterator[None]:
    """Have the time inside count as work in hand, of an event if it is one."""
    _work.begin(event_id)
    try:
        yield
    finally:
        _work.end(event_id)


@contextmanager
def kept(kind: str, *, database_url: str) -> Iterator[None]:
    """Say meanwhile that this process is there, one of `kind` which works in threads."""
    db.configure(database_url)
    _begin(kind)
    try:
        yield
    finally:
        _finish(kind)


def leave_claim() -> None:
    """Say that a claim of this process may be left in the database, which could not be told how the attempt went.

    It is given back as soon as the database answers again, long before the lease ends.
    """
    _work.left_at = time.monotonic()


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery has no types.
def _begin_child(**_: object) -> None:
    # A child of a fork: its threads are its own to start, and its connections (bridge/db.py sees to those).
    _begin("worker")


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]  # Celery has no types.
def _finish_child(**_: object) -> None:
    _finish("worker")


def _begin(kind: str) -> None:
    _stop.clear()
    # Without SIGTERM: in this thread it would interrupt what tasks._uninterrupted protects in the other.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_beat_regularly, args=[kind], daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _finish(kind: str) -> None:
    _stop.set()
    Presence(kind).end()


def _beat_regularly(kind: str) -> None:
    presence = Presence(kind)
    seen = 0
    while not _stop.is_set():
        done = _work.done
        # A task that hangs is killed by its time limit, so having one in hand is progress.
        presence.beat(state={"events": done}, progressed=done != seen or _work.depth > 0)
        seen = done
        _free_left_claims()
        _stop.wait(processes.BEAT_SECONDS)
    db.close()


def _free_left_claims() -> None:
    left_at = _work.left_at
    if left_at is None or time.monotonic() - left_at <= events.CLAIM_SETTLES_SECONDS:
        return
    with suppress(Unavailable), db.statement() as conn:
        freed = events.free_own_claims(conn, worker=processes.own_name(), in_hand=_work.in_hand())
        log.warning("the database answers again; freed events that were left behind", events=freed)
        # Unless one more was left meanwhile.
        if _work.left_at == left_at:
            _work.left_at = None
