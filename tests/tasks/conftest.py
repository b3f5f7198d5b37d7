"""A database and a broker that only one test file uses, and the real processes around them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from uuid import uuid4

import orjson
import pytest

import tasks
from bridge import db
from bridge.config import Config
from bridge.core import events, failures
from tests.databases import own_database

MEDUSA = "http://medusa.test"


@pytest.fixture(scope="module")
def own(database_url: str) -> Iterator[str]:
    """A database without other tests' events, which this process uses meanwhile."""
    with own_database(database_url) as url:
        yield url


@pytest.fixture(scope="module", params=["redis", "amqp"])
def broker(request: pytest.FixtureRequest, broker_url: str) -> str:
    """Each kind of broker that is at hand: BROKER_URL, and TEST_REDIS_URL and TEST_AMQP_URL beside it."""
    if broker_url.startswith(request.param):
        return broker_url
    if url := os.environ.get(f"TEST_{request.param.upper()}_URL"):
        return url
    pytest.skip(f"NOT TESTED with {request.param}: set TEST_{request.param.upper()}_URL")


@pytest.fixture
def settings(config: Config, own: str) -> Iterator[Callable[..., Config]]:
    """Has tasks in this process work with these settings instead."""
    values = {name: getattr(config, name) for name in Config.__dataclass_fields__}

    def configure(**changes: object) -> Config:
        changed = Config(**{**values, "database_url": own, "medusa_url": MEDUSA, "medusa_api_key": "key", **changes})
        tasks.configure(changed)
        return changed

    configure()
    yield configure
    tasks.configure(config)


def receive(body: dict[str, object], **fields: object) -> str:
    """An event of the platform; its id."""
    values = {
        "source": "medusa",
        "dedupe_key": uuid4().hex,
        "type": str(body.get("type")),
        "raw": orjson.dumps(body),
        "headers": {},
        "order_id": None,
        **fields,
    }
    with db.statement() as conn:
        return events.receive_event(conn, **values).id  # type: ignore[arg-type]  # As loose as a test likes.


def look(event_id: str) -> dict[str, object]:
    """All there is to know of an event."""
    with db.transaction() as conn:
        return failures.get_event(conn, event_id)


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Return when `condition` is true; fail when it does not become so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def purge(broker_url: str) -> None:
    """Take away what earlier tests left in the broker."""
    with tasks.celery.connection_for_write() as connection:
        for queue in tasks.celery.conf.task_queues:
            bound = queue(connection.default_channel)
            bound.declare()
            bound.purge()


@contextmanager
def running(settings: Config, *kinds: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """`python -m bridge <kind>` for each kind, killed with all its children at the end."""
    with ExitStack() as stack:
        yield {kind: stack.enter_context(started(settings, [sys.executable, "-m", "bridge", kind])) for kind in kinds}


@contextmanager
def started(settings: Config, argv: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with these settings, killed with all its children at the end."""
    names = ("database_url", "broker_url", "admin_api_key", "secret_key", "medusa_jwt_secret", "sweep_seconds")
    names += ("worker_processes", "medusa_url", "medusa_api_key", "smtp_url", "port")
    given = {name.upper(): str(getattr(settings, name)) for name in names}
    secrets = ",".join(settings.webhook_secrets)
    env = {**os.environ, **given, "WEBHOOK_SECRETS": secrets, "LOG_LEVEL": "warning", **environment}
    # A session of its own: signals go to it and all its children, as the supervisor sends them.
    process = subprocess.Popen(argv, env=env, start_new_session=True)
    try:
        yield process
    finally:
        stop(process, signal.SIGKILL)


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    """Signal a process and all its children; its exit code."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    return process.wait(30)
