"""The three set-ups that are hurt: servers of the bridge's own, and two of those it meets in production."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
import pytest
import redis

from tests.faults.platform import Platform, platform
from tests.faults.private import EPMD, POSTGRES, RABBITMQ, REDIS, Postgres, RabbitMQ, Redis, missing
from tests.faults.running import Bridge, running_bridge

SETUPS = ("embedded", "rabbitmq", "redis")
NEEDED = {
    "embedded": (),
    "rabbitmq": (POSTGRES / "postgres", RABBITMQ / "rabbitmq-server", EPMD),
    "redis": (POSTGRES / "postgres", REDIS),
}


# None of these tests runs beside another: each wants a machine's attention, and they share a bridge.
ALONE = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(300)]


def on(*names: str) -> pytest.MarkDecorator:
    """Runs a test on each of these set-ups, by the fixture `stage`."""
    return pytest.mark.parametrize("stage", names, indirect=True, scope="session")


class Servers(Protocol):
    """What can be done to a database and a broker. Every harm has its remedy."""

    def shut_broker(self) -> None: ...
    def open_broker(self, *, empty: bool) -> None: ...
    def fill_broker(self) -> None: ...
    def clear_broker(self) -> None: ...
    def restart_database(self, number: signal.Signals, *, away_seconds: float = 0) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A bridge that runs, the platform it looks orders up on, and the servers below it."""

    name: str
    bridge: Bridge
    shop: Platform
    servers: Servers


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    """One of SETUPS, up and well; nothing of it is left at the end."""
    with ExitStack() as stack:
        shop = stack.enter_context(platform())
        settings = {"MEDUSA_URL": shop.url}
        servers: Servers
        if name == "embedded":
            bridge = stack.enter_context(running_bridge(settings))
            servers = EmbeddedServers(bridge)
        else:
            servers = own = stack.enter_context(_own_servers(name))
            urls = {"DATABASE_URL": own.database.url, "BROKER_URL": own.broker.url}
            bridge = stack.enter_context(running_bridge(settings | urls))
        yield Stage(name=name, bridge=bridge, shop=shop, servers=servers)


def absent(name: str) -> list[str]:
    """Programs that the set-up needs and this machine does not have."""
    return missing(*NEEDED[name])


@contextmanager
def _own_servers(name: str) -> Iterator[OwnServers]:
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bridge-faults-", ignore_cleanup_errors=True))
        )
        folder.chmod(0o755)  # PostgreSQL's user must reach its files.
        database = Postgres(folder / "postgres")
        stack.callback(database.stop)
        broker = RabbitMQ(folder / "rabbitmq") if name == "rabbitmq" else Redis(folder / "redis")
        stack.callback(broker.stop)
        yield OwnServers(database, broker)


class OwnServers:
    """PostgreSQL 15 and a broker that the tests started."""

    def __init__(self, database: Postgres, broker: RabbitMQ | Redis) -> None:
        self.database, self.broker = database, broker

    def shut_broker(self) -> None:
        self.broker.kill()

    def open_broker(self, *, empty: bool) -> None:
        if empty:
            self.broker.wipe()
        self.broker.start()

    def fill_broker(self) -> None:
        self.broker.refuse()

    def clear_broker(self) -> None:
        self.broker.accept()

    def restart_database(self, number: signal.Signals, *, away_seconds: float = 0) -> None:
        self.database.shut(number)
        time.sleep(away_seconds)
        self.database.start()


class EmbeddedServers:
    """Those of `python -m bridge up`, which starts each that dies again: kept away, they find no folder to work in."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._valkey = bridge.data_dir / "valkey"
        self._away = bridge.data_dir / "valkey.away"

    def shut_broker(self) -> None:
        self._valkey.rename(self._away)
        for process in self._processes("valkey-server", self._away):
            process.kill()
            process.wait(30)

    def open_broker(self, *, empty: bool) -> None:
        if empty:
            shutil.rmtree(self._away / "appendonlydir")
        self._away.rename(self._valkey)

    def fill_broker(self) -> None:
        self._client().config_set("maxmemory", 1)

    def clear_broker(self) -> None:
        self._client().config_set("maxmemory", 0)

    def restart_database(self, number: signal.Signals, *, away_seconds: float = 0) -> None:
        folder, away = self._bridge.data_dir / "postgres", self._bridge.data_dir / "postgres.away"
        server = int((folder / "postmaster.pid").read_text().splitlines()[0])
        if away_seconds:
            folder.rename(away)
        os.kill(server, number)
        with suppress(psutil.NoSuchProcess):
            psutil.Process(server).wait(60)
        if away_seconds:
            time.sleep(away_seconds)
            away.rename(folder)

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self._bridge.broker_url, socket_timeout=5)

    def _processes(self, name: str, folder: Path) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == name and process.cwd() == str(folder):
                    found.append(process)
        return found
