"""PostgreSQL 15, RabbitMQ and Redis of our own, from what the machine has installed: in a folder, on free ports.

They share nothing with servers that run already, and leave nothing behind.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from psycopg import OperationalError

from bridge.supervisor import die_with_parent
from tests.faults.running import free_port, wait_until

POSTGRES = Path("/usr/lib/postgresql/15/bin")
# Not /usr/sbin/rabbitmq-server: that is Debian's wrapper, which insists on the machine's own node and user.
RABBITMQ = Path("/usr/lib/rabbitmq/bin")
REDIS = "redis-server"
EPMD = "epmd"
START_SECONDS = 90
STOP_SECONDS = 30


def missing(*programs: str | Path) -> list[str]:
    """Those that this machine does not have."""
    return [str(program) for program in programs if shutil.which(program) is None]


def need(*programs: str | Path) -> None:
    """Skip, loudly, where a program is missing."""
    if absent := missing(*programs):
        pytest.skip(f"NOT TESTED: this machine has no {', '.join(absent)}")


@dataclass(slots=True)
class Process:
    """A server process that is started again and again at one place."""

    argv: list[str]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None  # Who it is when we are root; PostgreSQL refuses to be root.
    process: subprocess.Popen[bytes] | None = None

    def start(self, answers: Callable[[], object]) -> None:
        """Start it, and wait until `answers` does not fail any more."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509  # one system call
                **as_user(self.user),
            )
        wait_until(lambda: _succeeds(answers), START_SECONDS, lambda: f"no answer:\n{self.log()[-2000:]}")

    def signal(self, number: signal.Signals) -> None:
        """Signal it and wait until it is gone; SIGKILL goes to everything it started."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """Whatever it takes."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log(self) -> str:
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""


def _succeeds(answers: Callable[[], object]) -> bool:
    try:
        answers()
    except (OSError, OperationalError, redis.RedisError, subprocess.SubprocessError):
        return False
    return True


def as_user(name: str | None) -> dict[str, Any]:
    """How to start a process as somebody else, which only root can and must."""
    if name is None or os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Postgres:
    """PostgreSQL 15 in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        user = as_user("postgres")
        if user:
            os.chown(folder, user["user"], user["group"])
        port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        subprocess.run(
            [POSTGRES / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            cwd=folder,
            check=True,
            capture_output=True,
            **user,
        )
        settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(POSTGRES / "postgres"), "-D", str(folder / "data"), *options]
        self._process = Process(argv, folder, user="postgres")
        self.start()

    def start(self) -> None:
        self._process.start(lambda: psycopg.connect(self.url, connect_timeout=2).close())

    def shut(self, number: signal.Signals) -> None:
        """SIGINT is fast, SIGQUIT immediate: the latter recovers from its log at the next start."""
        self._process.signal(number)

    def stop(self) -> None:
        self._process.signal(signal.SIGQUIT)
        self._process.stop()


class Redis:
    """Redis in `folder`, which keeps what it is given as embedded Valkey does."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        argv = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        argv += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        self._process = Process(argv, folder)
        self.start()

    def start(self) -> None:
        self._process.start(lambda: self._client().ping())

    def kill(self) -> None:
        self._process.signal(signal.SIGKILL)

    def wipe(self) -> None:
        """Its data, while it is down."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)

    def refuse(self) -> None:
        """Take nothing more, as with a full memory or disk."""
        self._client().config_set("maxmemory", 1)

    def accept(self) -> None:
        self._client().config_set("maxmemory", 0)

    def stop(self) -> None:
        self._process.stop()

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2)


class RabbitMQ:
    """A RabbitMQ node in `folder`, with a port mapper of its own, so that it and others do not know each other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        port, mapper_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        self._env = {
            "HOME": str(folder),  # Where its cookie is.
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"faults{port}@localhost",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # No shell between us and the node, which would otherwise outlive us should we be killed.
            "RUNNING_UNDER_SYSTEMD": "1",
            # Two schedulers and no busy waiting: it shares two cores with everything else.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        (folder / "enabled_plugins").write_text("[].\n")
        mapper_env = {name: value for name, value in self._env.items() if name.startswith("ERL_EPMD")}
        self._mapper = Process([EPMD, "-relaxed_command_check"], folder, env=mapper_env)
        self._mapper.start(
            lambda: subprocess.run([EPMD, "-names"], env=_env(self._env), check=True, capture_output=True)
        )
        self._process = Process([str(RABBITMQ / "rabbitmq-server")], folder, env=self._env)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        self._process.start(lambda: self._control("await_startup", "--timeout", "60"))

    def kill(self) -> None:
        self._process.signal(signal.SIGKILL)

    def wipe(self) -> None:
        """Its data, while it is down."""
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def refuse(self) -> None:
        """Take nothing more: its alarm for a disk that is nearly full blocks whoever publishes."""
        self._control("set_disk_free_limit", "100000GB")

    def accept(self) -> None:
        self._control("set_disk_free_limit", "1MB")

    def stop(self) -> None:
        self._process.stop()
        self._mapper.stop()

    def _control(self, *words: str) -> None:
        argv = [RABBITMQ / "rabbitmqctl", "--quiet", *words]
        subprocess.run(argv, env=_env(self._env), check=True, capture_output=True, timeout=START_SECONDS)


def _env(own: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **own}
