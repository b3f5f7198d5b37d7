"""What is measured on: a database, a catalogue in it, and the web as in production."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from bridge import db, embedded
from bridge.config import Config
from bridge.core import keys
from bridge.rules.slots import day_slot

RESOURCES = 10
DAYS = 100  # Times RESOURCES: the slots of the spread load.
PLACES = 1_000_000  # A slot never fills up: what is measured is taking, not refusing.
NO_BROKER = "redis://127.0.0.1:9/0"  # The web needs none.
START_SECONDS = 30
# So much that nobody is refused, counted all the same.
RATE_LIMITS = "10000000/minute"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A migrated database with a catalogue, the broker beside it, and the key of a system."""

    database_url: str
    broker_url: str
    resources: Sequence[str]
    first_date: date
    api_key: str


@dataclass(frozen=True)
class Web:
    """The web's processes, while they run."""

    port: int
    process: subprocess.Popen[bytes]
    webhook_secret: str

    def memory_mb(self) -> dict[str, float]:
        """Resident megabytes of the process that starts the others, and of each that answers."""
        named = {"parent": psutil.Process(self.process.pid)}
        named |= {f"web {n}": child for n, child in enumerate(self._answering(), 1)}
        return {name: round(process.memory_info().rss / 1e6, 1) for name, process in named.items()}

    def cpu_seconds(self) -> float:
        """What those that answer have computed so far: on a busy machine a better measure than the clock."""
        return sum(sum(child.cpu_times()[:2]) for child in self._answering())

    def _answering(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        # Python's own helper for processes answers nobody.
        return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


@contextmanager
def stage(servers: AbstractContextManager[tuple[str, str]] | None = None) -> Iterator[Stage]:
    """A database of our own and a broker: on these servers, where DATABASE_URL and BROKER_URL say, or embedded."""
    with servers or _servers() as (server_url, broker_url), database(server_url) as url:
        db.migrate(url)
        first = date.today() + timedelta(days=30)
        resources = [f"res_bench_{n}" for n in range(RESOURCES)]
        with db.connect(url) as conn:
            for resource_id in resources:
                open_resource(conn, resource_id, first)
            _key, secret = keys.create_key(conn, name="benchmarks", scopes=["system", "ops"])
            conn.execute("ANALYZE resource, capacity")
        yield Stage(database_url=url, broker_url=broker_url, resources=resources, first_date=first, api_key=secret)


def open_resource(
    conn: db.Connection, resource_id: str, first: date, *, places: int = PLACES, days: int = DAYS
) -> None:
    """Put a resource on sale for so many days."""
    conn.execute(
        "INSERT INTO resource (id, type, name, time_zone) VALUES (%s, 'TOUR', 'A tour', %s)",
        [resource_id, "Australia/Brisbane"],
    )
    conn.execute(
        "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)"
        " SELECT %s, n, DATE '1970-01-01' + n, %s FROM generate_series(%s::int, %s::int) AS n",
        [resource_id, places, day_slot(first), day_slot(first) + days - 1],
    )


@contextmanager
def web(
    database_url: str, *, host: str = "127.0.0.1", port: int = 0, prefix: Sequence[str] = (), **settings: str
) -> Iterator[Web]:
    """`python -m bridge web` with everything on: validation, limits, metrics, one log line a request into a file.

    `prefix` is a command that runs it somewhere else; `settings` are those it has besides.
    """
    secret = settings.pop("WEBHOOK_SECRETS", new_webhook_secret())
    with tempfile.TemporaryDirectory(prefix="bridge-bench-web-") as folder, _free_port(port) as chosen:
        own = {"HOST": host, "PORT": str(chosen), "WEBHOOK_SECRETS": secret, "BROKER_URL": NO_BROKER} | settings
        with program("web", database_url, Path(folder), prefix=prefix, **own) as process:
            _wait_until_it_answers(process, host, chosen, Path(folder) / "web.log")
            yield Web(chosen, process, secret)


@contextmanager
def program(
    name: str, database_url: str, folder: Path, *, prefix: Sequence[str] = (), **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m bridge <name>`, or a module of ours by its full name, until the end; what it says is in the folder."""
    own = {
        "DATABASE_URL": database_url,
        "BRIDGE_DATA_DIR": str(folder),
        "RATE_LIMITS": RATE_LIMITS,
        "LOG_LEVEL": "info",
        "ADMIN_API_KEY": "bk_" + secrets.token_urlsafe(32),
        "SECRET_KEY": secrets.token_urlsafe(32),
    }
    argv = ["-m", name] if "." in name else ["-m", "bridge", name]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, sys.executable, *argv],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **own, **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def new_webhook_secret() -> str:
    """A secret as a platform would share it with us."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def settle(database_url: str) -> None:
    """Write out what the load before left behind, so that each load starts alike."""
    with db.connect(database_url) as conn, suppress(psycopg.errors.InsufficientPrivilege):
        conn.execute("SET statement_timeout = 0")
        conn.execute("VACUUM ANALYZE capacity")
        conn.execute("CHECKPOINT")


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """A database that is dropped at the end."""
    name = f"bridge_bench_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(server_url, dbname=name)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _servers() -> Iterator[tuple[str, str]]:
    named = {name: url for name in ("DATABASE_URL", "BROKER_URL") if (url := os.environ.get(name))}
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        # As root the servers run as another user, who must reach their files.
        Path(folder).chmod(0o755)
        config = Config.from_env({"BRIDGE_DATA_DIR": folder, **named})
        with embedded.servers(config) as urls:
            yield urls.database_url, urls.broker_url


@contextmanager
def _free_port(wanted: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", wanted)) as probe:
        port = int(probe.getsockname()[1])
    yield port


def _wait_until_it_answers(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((host, port), 2) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                time.sleep(1)  # The other process may still be importing.
                return
        time.sleep(0.1)
    raise SystemExit(f"the web does not answer:\n{log.read_text(errors='replace')[-2000:]}")
