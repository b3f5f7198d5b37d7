"""A network inside this machine: hosts in namespaces of their own on one bridge, and servers they reach by its address.

Linux only, and only for root; `why_not` says what stands in the way.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from psycopg.conninfo import make_conninfo

from bridge import embedded
from bridge.config import Config
from bridge.embedded import Urls

_NET = f"10.213.{os.getpid() % 250}"  # Two runs at once shall not meet.
_HERE = f"{_NET}.1"


@dataclass(frozen=True)
class Host:
    """A namespace with one link to the bridge."""

    namespace: str
    link: str
    address: str

    @property
    def prefix(self) -> Sequence[str]:
        """What runs a command on it."""
        return ["ip", "netns", "exec", self.namespace]

    def kill(self) -> None:
        """Kill all that runs on it, without a word."""
        listed = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True)
        for pid in listed.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def cut_off(self) -> None:
        """Take its link down: nobody hears of it any more, nor it of anybody."""
        _run("ip", "link", "set", self.link, "down")


def why_not() -> str | None:
    """Why there can be no such network here; None when there can."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return "it takes Linux, and its command `ip`"
    if os.geteuid() != 0:
        return "it takes root"
    name = f"bench-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"this system makes no network namespaces: {tried.stderr.strip()}"
    _run("ip", "netns", "delete", name)
    return None


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts on a bridge; gone at the end."""
    bridge = f"bench{os.getpid()}"
    made = []
    try:
        _run("ip", "link", "add", bridge, "type", "bridge")
        _run("ip", "address", "add", f"{_HERE}/24", "dev", bridge)
        _run("ip", "link", "set", bridge, "up")
        for n in range(count):
            host = Host(f"bench-{os.getpid()}-{n}", f"b{os.getpid()}v{n}", f"{_NET}.{n + 11}")
            _run("ip", "netns", "add", host.namespace)
            made.append(host)
            _run("ip", "link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
            _run("ip", "link", "set", host.link, "master", bridge, "up")
            _run(*host.prefix, "ip", "address", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run(*host.prefix, "ip", "link", "set", device, "up")
        yield made
    finally:
        for host in made:
            _run("ip", "netns", "delete", host.namespace)
        subprocess.run(["ip", "link", "delete", bridge], capture_output=True, check=False)


@contextmanager
def servers() -> Iterator[Urls]:
    """The embedded servers, as the hosts reach them."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        # As root the servers run as another user, who must reach their files.
        Path(folder).chmod(0o755)
        allowed = Path(folder) / "hba"
        allowed.write_text(f"local all all trust\nhost all all {_NET}.0/24 trust\n")
        with (
            mock.patch.dict(embedded.POSTGRES_SETTINGS, listen_addresses=_HERE, hba_file=str(allowed)),
            mock.patch.dict(embedded.VALKEY_SETTINGS, bind=f"127.0.0.1 {_HERE}"),
            embedded.servers(Config.from_env({"BRIDGE_DATA_DIR": folder})) as urls,
        ):
            database_url = make_conninfo(urls.database_url, host=_HERE)
            yield Urls(database_url, urls.broker_url.replace("127.0.0.1", _HERE))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
