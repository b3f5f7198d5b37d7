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
from contextlib import contextmanager, suppress
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
NO_BROKER = "redis://127.0.0.1:9/0"  # The web needs none, so none is started.
START_SECONDS = 30
# So much that nobody is refused, counted all the same.
RATE_LIMITS = "10000000/minute"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A migrated database with a catalogue, and the key of a system."""

    database_url: str
    resources: Sequence[str]
    first_date: date
    api_key: str


@dataclass(frozen=True)
class Web:
    """The web's processes, while they run."""

    port: int
    process: subprocess.Popen[bytes]

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
def stage() -> Iterator[Stage]:
    """A database of our own: on an embedded server that ends with us, or on the one DATABASE_URL names."""
    with _server() as server_url, _database(server_url) as url:
        db.migrate(url)
        first = date.today() + timedelta(days=30)
        resources = [f"res_bench_{n}" for n in range(RESOURCES)]
        with db.connect(url) as conn:
            for resource_id in resources:
                conn.execute(
                    "INSERT INTO resource (id, type, name, time_zone) VALUES (%s, 'TOUR', 'A tour', %s)",
                    [resource_id, "Australia/Brisbane"],
                )
                conn.execute(
                    "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)"
                    " SELECT %s, n, DATE '1970-01-01' + n, %s FROM generate_series(%s::int, %s::int) AS n",
                    [resource_id, PLACES, day_slot(first), day_slot(first) + DAYS - 1],
                )
            _key, secret = keys.create_key(conn, name="benchmarks", scopes=["system"])
            conn.execute("ANALYZE resource, capacity")
        yield Stage(database_url=url, resources=resources, first_date=first, api_key=secret)


@contextmanager
def web(database_url: str) -> Iterator[Web]:
    """`python -m bridge web` with everything on: validation, limits, metrics, one log line a request into a file."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-web-") as folder, _free_port() as port:
        settings = {
            "DATABASE_URL": database_url,
            "BROKER_URL": NO_BROKER,
            "PORT": str(port),
            "BRIDGE_DATA_DIR": folder,
            "RATE_LIMITS": RATE_LIMITS,
            "LOG_LEVEL": "info",
            "ADMIN_API_KEY": "bk_" + secrets.token_urlsafe(32),
            "SECRET_KEY": secrets.token_urlsafe(32),
            "WEBHOOK_SECRETS": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        }
        with (Path(folder) / "web.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "web"],
                cwd=Path(__file__).parents[1],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait_until_it_answers(process, port, Path(folder) / "web.log")
            yield Web(port, process)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def settle(database_url: str) -> None:
    """Write out what the load before left behind, so that each load starts alike."""
    with db.connect(database_url) as conn, suppress(psycopg.errors.InsufficientPrivilege):
        conn.execute("SET statement_timeout = 0")
        conn.execute("VACUUM ANALYZE capacity")
        conn.execute("CHECKPOINT")


@contextmanager
def _server() -> Iterator[str]:
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        # As root the server runs as another user, who must reach its files.
        Path(folder).chmod(0o755)
        config = Config.from_env({"BRIDGE_DATA_DIR": folder, "BROKER_URL": NO_BROKER})
        with embedded.servers(config) as urls:
            yield urls.database_url


@contextmanager
def _database(server_url: str) -> Iterator[str]:
    name = f"bridge_bench_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(server_url, dbname=name)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    yield port


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                time.sleep(1)  # The other process may still be importing.
                return
        time.sleep(0.1)
    raise SystemExit(f"the web does not answer:\n{log.read_text(errors='replace')[-2000:]}")
