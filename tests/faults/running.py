"""`python -m bridge up` as a whole, in a process of its own: started, looked into, hurt, stopped without a trace."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests
from psycopg.rows import dict_row

from bridge.db import Connection
from bridge.supervisor import die_with_parent
from tests.conftest import ADMIN_KEY, WEBHOOK_SECRET

ROOT = Path(__file__).parents[2]
KINDS = ("web", "relay", "worker", "sender", "beat")
START_SECONDS = 120  # On two busy cores a first start makes a database too.
STOP_SECONDS = 60
# For how long after the last fault something may still be on its way; docs/reliability.md says what it is made of.
RECOVERY_SECONDS = 200.0

SETTINGS = {
    "ADMIN_API_KEY": ADMIN_KEY,
    "WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "SECRET_KEY": "faults",
    "MEDUSA_JWT_SECRET": "a-jwt-secret-that-only-the-tests-know-0123456789",
    "MEDUSA_API_KEY": "key",
    "OPS_PASSWORD": "faults-password",
    "RATE_LIMITS": "off",
    "LOG_LEVEL": "warning",
    "SWEEP_SECONDS": "1",
}


@dataclass(slots=True, kw_only=True)
class Bridge:
    """A running bridge, as its keeper sees it."""

    url: str
    data_dir: Path
    env: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def database_url(self) -> str:
        return str(self.env.get("DATABASE_URL") or self._servers()["database_url"])

    @property
    def broker_url(self) -> str:
        return str(self.env.get("BROKER_URL") or self._servers()["broker_url"])

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A connection in autocommit mode, which is no part of the bridge."""
        with psycopg.connect(
            self.database_url, autocommit=True, row_factory=dict_row, connect_timeout=10, application_name="tests"
        ) as connection:
            yield connection

    def find(self, kind: str) -> psutil.Process | None:
        """The one process of a kind that the supervisor keeps, if it runs just now."""
        with suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children():
                with suppress(psutil.Error):
                    if child.cmdline()[-3:] == ["-m", "bridge", kind] and child.status() != psutil.STATUS_ZOMBIE:
                        return child
        return None

    def kill(self, kind: str) -> bool:
        """kill -9 the process and all its children at once; False when none ran."""
        if (child := self.find(kind)) is None:
            return False
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def kill_at_work(self, *, seconds: float = 60) -> None:
        """kill -9 the worker, with all its children, at a moment when one of them has an event in hand."""
        wait_until(lambda: self._is_at_work() and self.kill("worker"), seconds, "no worker had anything in hand")

    def _is_at_work(self) -> bool:
        with suppress(psutil.Error, psycopg.Error), self.database() as conn:
            if (worker := self.find("worker")) is None:
                return False
            # The last part of its name is its number; what a dead one had in hand stays its own for a while.
            own = [f"%:{child.pid}" for child in worker.children()]
            query = "SELECT FROM event WHERE status = 'pending' AND claimed_by LIKE ANY (%s)"
            return conn.execute(query, [own]).fetchone() is not None
        return False

    def readyz(self) -> tuple[int, dict[str, str]]:
        """Its status, and what it says of each part; 0 when nobody answers."""
        try:
            answer = requests.get(f"{self.url}/readyz", timeout=10)
            return answer.status_code, answer.json()["checks"]
        except (requests.RequestException, ValueError):
            return 0, {}

    def start_another(self, kind: str) -> subprocess.Popen[bytes]:
        """One more process of a kind, beside the supervisor's. Whoever asked for it stops it."""
        env = {**os.environ, **self.env, "DATABASE_URL": self.database_url, "BROKER_URL": self.broker_url}
        with self.log_file.open("ab") as log:
            argv = [sys.executable, "-m", "bridge", kind]
            return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def _servers(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.data_dir / "servers.json").read_text())
        return told


@contextmanager
def running_bridge(settings: Mapping[str, str]) -> Iterator[Bridge]:
    """A bridge that is up and well, until the end; nothing of it is left then, whatever happened."""
    with tempfile.TemporaryDirectory(prefix="bridge-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # As root the embedded servers run as another user, who must reach their files.
        folder.chmod(0o755)
        port = free_port()
        env = {**SETTINGS, **settings, "BRIDGE_DATA_DIR": str(folder / "var"), "PORT": str(port)}
        log_file = folder / "bridge.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "up"],
                cwd=ROOT,
                env={**_clean_environment(), **env},
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Should whoever tests be killed, nobody else would stop it.
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  # one system call
            )
        bridge = Bridge(
            url=f"http://127.0.0.1:{port}", data_dir=folder / "var", env=env, process=process, log_file=log_file
        )
        try:
            wait_until(lambda: _is_up(bridge), START_SECONDS, f"the bridge did not come up:\n{bridge.log()[-3000:]}")
            yield bridge
        finally:
            _stop(bridge)


def _is_up(bridge: Bridge) -> bool:
    assert bridge.process.poll() is None, f"the bridge ended:\n{bridge.log()[-3000:]}"
    if bridge.readyz()[0] != 200:
        return False
    with bridge.database() as conn:
        kinds = conn.execute("SELECT DISTINCT kind FROM process").fetchall()
    return {row["kind"] for row in kinds} >= {*KINDS} - {"web"}


def _clean_environment() -> dict[str, str]:
    """Ours, without the servers that other tests use."""
    return {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "BROKER_URL"}}


def _stop(bridge: Bridge) -> None:
    children = _family(bridge.process.pid)
    bridge.process.send_signal(signal.SIGTERM)
    try:
        bridge.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        bridge.process.kill()
        bridge.process.wait()
    left = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    for child in left:
        with suppress(psutil.Error):
            child.kill()
    assert not left, f"the bridge left processes behind: {left}"


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float, problem: str | Callable[[], str] = "") -> None:
    """Return when `condition` is true; fail, saying `problem`, when it does not become so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(problem() if callable(problem) else problem or "it did not happen in time")
        time.sleep(0.05)
