"""What goes wrong, one thing at a time: each does its harm under load, undoes it, and notes when it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psutil

from bridge.rules.slots import day_slot
from tests.faults.load import Load
from tests.faults.running import wait_until
from tests.faults.setups import Stage

HEALED_SECONDS = 90.0  # Within this /readyz says 200 again.


@dataclass(frozen=True, slots=True)
class Faults:
    """All that can be done to a stage while a load is on."""

    stage: Stage
    load: Load
    while_it_lasts: Callable[[], None] = lambda: None  # Called where a fault is at its height.
    over: threading.Event = field(default_factory=threading.Event)  # Set: undo what is done, and do no more.

    def kill(self, kind: str, *, seconds: float = 60) -> None:
        """kill -9 a process and all its children; a worker at a moment when it has an event in hand."""
        bridge = self.stage.bridge
        if kind == "worker":
            bridge.kill_at_work(seconds=seconds)
        else:
            wait_until(lambda: bridge.kill(kind), seconds, f"no {kind} ran")
        self.load.kills[kind] += 1

    def run_two_beats(self, seconds: float) -> None:
        """A second beat beside the first, for a while."""
        another = self.stage.bridge.start_another("beat")
        try:
            self.over.wait(seconds)
        finally:
            _end(another)
        self.load.kills["second beat"] += 1

    def take_broker_away(self, seconds: float, *, empty: bool = False) -> None:
        """Kill the broker, leave it dead for a while, and start it again: with what it had, or with nothing."""
        with self._outage():
            self.stage.servers.shut_broker()
            try:
                self._last(seconds)
            finally:
                self.stage.servers.open_broker(empty=empty)
        self.load.kills["broker"] += 1

    def fill_broker(self, seconds: float) -> None:
        """Have the broker refuse to take anything, as with a full disk."""
        with self._outage():
            self.stage.servers.fill_broker()
            try:
                self._last(seconds)
            finally:
                self.stage.servers.clear_broker()

    def restart_database(self, number: signal.Signals, seconds: float = 0) -> None:
        """Shut PostgreSQL down (SIGINT: fast, SIGQUIT: immediate) and start it again after a while."""
        with self._outage():
            self.stage.servers.restart_database(number, away_seconds=seconds)
        self.load.kills["database"] += 1

    def cut_connections(self) -> None:
        """pg_terminate_backend for every connection of the bridge at once."""
        with self.stage.bridge.database() as conn:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bridge'")
        self.load.kills["connections"] += 1

    def hold_a_lock(self, seconds: float) -> None:
        """Keep the rows that everybody wants locked, as somebody's forgotten transaction would."""
        seats = self.load.traffic.wanted_seats()
        resources, slots = [resource for resource, _day in seats], [day_slot(day) for _resource, day in seats]
        with self._outage(), self.stage.bridge.database() as conn, conn.transaction():
            conn.execute(
                "SELECT FROM capacity c WHERE EXISTS (SELECT FROM unnest(%s::text[], %s::bigint[]) AS w (id, no)"
                " WHERE w.id = c.resource_id AND w.no = c.slot_no) ORDER BY resource_id, slot_no FOR UPDATE",
                [resources, slots],
            )
            self._last(seconds)

    def trouble_platform(self, trouble: str, seconds: float) -> None:
        """Have the platform misbehave: see tests/faults/platform.py."""
        with self._outage():
            self.stage.shop.trouble = trouble
            try:
                self._last(seconds)
            finally:
                self.stage.shop.trouble = None

    def pause_queue(self, seconds: float) -> None:
        """Have somebody pause the events for a while."""
        with self._outage():
            self._ops("queues/bridge.events/pause")
            try:
                self._last(seconds)
            finally:
                self._ops("queues/bridge.events/resume")

    def send_with_a_wrong_clock(self) -> None:
        """Have a sender whose clock is an hour off try: it must be refused, and leave no trace."""
        sent_at = datetime.now(UTC) + timedelta(hours=random.choice([-1, 1]))
        self.load.traffic.send_refused(sent_at)

    def wait_until_well(self, seconds: float = HEALED_SECONDS) -> None:
        """/readyz says 200 again. Until then what was away is still coming back, and that counts as outage."""
        with self._outage():
            wait_until(
                lambda: self.stage.bridge.readyz()[0] == 200, seconds, lambda: f"not well: {self.stage.bridge.readyz()}"
            )

    def _ops(self, path: str) -> None:
        # The web may be away just then.
        wait_until(lambda: self.load.traffic.ops(path), 60, f"nobody took {path}")

    def _last(self, seconds: float) -> None:
        over = time.monotonic() + seconds
        self.while_it_lasts()
        self.over.wait(max(0.0, over - time.monotonic()))

    @contextmanager
    def _outage(self) -> Iterator[None]:
        begin = datetime.now(UTC)
        try:
            yield
        finally:
            self.load.outages.append((begin, datetime.now(UTC)))


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(psutil.Error, ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
