"""What tests of crashes stand on: a database and a broker of their own, and processes that die where they are told."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

import tasks
from bridge import db
from bridge.config import Config
from bridge.core import audits, failures
from tasks.relay import Relay
from tests.crashes import launcher
from tests.crashes.launcher import Death
from tests.crashes.shop import Platform, serving

# The database, the broker and the settings are those of the queue's tests.
from tests.tasks.conftest import broker, own, purge, settings, started, wait_for  # noqa: F401  # fixtures


@pytest.fixture
def platform() -> Iterator[Platform]:
    """The platform that everybody in the test asks."""
    with serving() as shop:
        yield shop


@pytest.fixture
def chosen(settings: Callable[..., Config], broker: str, platform: Platform) -> Config:  # noqa: F811  # the fixtures
    """The settings of every process in the test, with nothing left of the test before."""
    changed = settings(broker_url=broker, medusa_url=platform.url, worker_processes=1)
    purge(broker)
    with db.transaction() as conn:
        conn.execute("DELETE FROM process")
        conn.execute("UPDATE event SET status = 'ignored', finished_at = now() WHERE status = 'pending'")
    return changed


class Doomed:
    """A process that will die by its own hand."""

    def __init__(self, process: subprocess.Popen[bytes], tally: Path) -> None:
        self.process = process
        self._tally = tally

    @property
    def calls(self) -> int:
        """How often the function was called that it dies in."""
        return self._tally.stat().st_size if self._tally.exists() else 0

    def wait_for_death(self) -> None:
        """Return when it is dead, of what it was to die of."""
        assert self.process.wait(60) == -signal.SIGKILL

    def wait_for_presence(self, kind: str) -> None:
        """Return when it has said that it is there: only whom one knew can be missed."""
        wait_for(lambda: kind in kinds_alive(), 60)


@pytest.fixture
def doomed(tmp_path: Path) -> Callable[..., object]:
    """Starts a process of some kind that dies at a call of a function, before or after it."""

    @contextmanager
    def start(config: Config, kind: str, when: str, at: str, **more: object) -> Iterator[Doomed]:
        tally = tmp_path / uuid4().hex
        death = Death(at=at, when=when, tally=str(tally), **more)  # type: ignore[arg-type]  # the test's words
        with started(config, launcher.command(kind, death)) as process:
            yield Doomed(process, tally)

    return start


def kinds_alive() -> list[str]:
    """The kind of each process that says it is there."""
    with db.transaction() as conn:
        return [row["kind"] for row in failures.list_workers(conn) if row["alive"]]


def twenty_seconds_later() -> None:
    """What the clock does to processes that are gone, and to events that were rung in vain."""
    with db.transaction() as conn:
        conn.execute("UPDATE process SET seen_at = seen_at - INTERVAL '21 seconds'")
        conn.execute(
            "UPDATE event SET next_attempt_at = next_attempt_at - INTERVAL '21 seconds' WHERE rung_at IS NOT NULL"
        )


def ring_until(condition: Callable[[], object]) -> None:
    """Ring what is due, as a relay would, until the condition is true."""
    relay = Relay()
    try:
        wait_for(lambda: relay.turn() is not None and condition(), 60)
    finally:
        relay.close()


def send(task: str, *args: str, queue: str) -> None:
    """Put a message into the broker in use: Celery itself would go on using the one of the test before."""
    with tasks.celery.connection_for_write() as connection:
        tasks.celery.send_task(task, args=args, queue=queue, connection=connection)


def drift() -> list[dict[str, object]]:
    """What the auditor finds."""
    with db.transaction() as conn:
        return audits.audit(conn)


def journal_of(hold_id: str) -> list[tuple[str, int, int]]:
    """Every change of a hold's claims: why, and by how much."""
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT cause, held_change, allocated_change FROM journal WHERE hold_id = %s ORDER BY n", [hold_id]
        )
        return [(row["cause"], row["held_change"], row["allocated_change"]) for row in rows]
