"""`python -m bridge up`: everything the bridge needs, on one machine, with one command."""

from __future__ import annotations

import errno
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from bridge import db, demo, embedded
from bridge.config import SECRETS_FILE, Config
from bridge.core import ops_users, processes
from bridge.errors import BridgeError, InvalidSetting
from bridge.supervisor import Supervisor

PROCESSES = ("web", "relay", "worker", "sender", "beat")
REQUIRED = ("webhook_secrets", "admin_api_key", "secret_key", "medusa_jwt_secret")
HEALTHY_SECONDS = 30
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def run(config: Config) -> int:
    """Start everything, serve until a signal, stop everything. Returns the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(config)
    except BridgeError as error:
        print(f"error: {error.message}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("stopped before everything was up", file=sys.stderr, flush=True)
        return 130


def _run(config: Config) -> int:
    _check_port(config.host, config.port)
    with embedded.servers(config) as urls:
        first_start = _settle_secrets(config)
        env = _environment(config, urls)
        _prepare(config, urls.database_url)
        supervisor = Supervisor(
            {name: [sys.executable, "-m", "bridge", name] for name in PROCESSES},
            env=env,
            check=lambda: processes.find_stuck(urls.database_url),
        )
        announce = threading.Thread(
            target=_announce, args=[supervisor, config, env], kwargs={"first_start": first_start}, daemon=True
        )
        announce.start()
        code = supervisor.run()
        # The databases now close their files; that is short, and must not be torn.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    return code


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections that ended a moment ago do not matter; a listener does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(f"port {port} on {host} is in use; set PORT=…") from error
        raise InvalidSetting(f"cannot listen on {host} port {port} ({error.strerror}); set HOST=… or PORT=…") from error


def _settle_secrets(config: Config) -> bool:
    if config.embedded:
        return embedded.ensure_secrets(config)
    config.require(*REQUIRED)
    return False


def _environment(config: Config, urls: embedded.Urls) -> dict[str, str]:
    """What every process gets: ours, and where to find the rest."""
    kept = embedded.kept_secrets(config) if config.embedded else {}
    return {
        **{name.upper(): value for name, value in kept.items()},
        **{name: value for name, value in os.environ.items() if value},
        "HOST": config.host,
        "PORT": str(config.port),
        "DATABASE_URL": urls.database_url,
        "BROKER_URL": urls.broker_url,
        "BRIDGE_DATA_DIR": str(config.bridge_data_dir.resolve()),
        "PROMETHEUS_MULTIPROC_DIR": str(config.metrics_dir),
    }


def _prepare(config: Config, database_url: str) -> None:
    # Counters of processes that are no more.
    shutil.rmtree(config.metrics_dir, ignore_errors=True)
    config.metrics_dir.mkdir(parents=True)
    if applied := db.migrate(database_url):
        functions = sum(name.startswith("function ") for name in applied)
        _print(f"migrated the database (migrations: {len(applied) - functions}, functions: {functions})")
    if config.embedded and demo.load(database_url):
        _print("loaded a demo catalogue")
    password = config.ops_password or embedded.kept_secrets(config).get("ops_password", "")
    with db.connect(database_url) as connection, connection.transaction():
        ops_users.ensure_first(connection, config.ops_user, password)


def _announce(supervisor: Supervisor, config: Config, env: Mapping[str, str], *, first_start: bool) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while _get(config, "/healthz") is None:
        if time.monotonic() > deadline:
            supervisor.say(
                f"the web did not answer {_base_url(config)}/healthz within {HEALTHY_SECONDS} s; "
                "its lines above say why. Stopping"
            )
            return supervisor.stop(exit_code=1)
        time.sleep(0.1)
    supervisor.say(_banner(config, env, first_start=first_start))


def _banner(config: Config, env: Mapping[str, str], *, first_start: bool) -> str:
    base = _base_url(config)
    key = env.get("ADMIN_API_KEY", "")
    lines = [
        "",
        "The bridge is up.",
        f"  API documentation  {base}/docs",
        f"  ops console        {base}/ops    (user {config.ops_user})",
        f"  health             {base}/readyz",
        "",
        "Try:",
        f"  curl '{base}/admin/resource-booking/resources' -H 'Authorization: Bearer {key if first_start else '…'}'",
    ]
    if resource_id := _find_resource(config, key):
        today = date.today()
        query = f"resource_id={resource_id}&start_date={today}&end_date={today + timedelta(days=6)}"
        lines.append(f"  curl '{base}/store/resource-booking/availability?{query}'")
    lines += ["", *_describe_secrets(config, first_start=first_start), "", "Ctrl-C stops everything.", ""]
    return "\n".join(lines)


def _describe_secrets(config: Config, *, first_start: bool) -> list[str]:
    place = config.bridge_data_dir / SECRETS_FILE
    if not config.embedded:
        return ["Keys and passwords are those of the environment."]
    if not first_start:
        return [f"Keys and passwords are in {place}."]
    made = [f"  {name.upper():<18} {value}" for name, value in embedded.kept_secrets(config).items()]
    return [f"Made for you, shown only now, kept in {place}:", *made]


def _find_resource(config: Config, key: str) -> str | None:
    """A resource whose days can be asked for: not a tour with departures, nor somebody whose time is."""
    answer = _get(config, "/admin/resource-booking/resources?limit=100", key) or {}
    by_day = [each["id"] for each in answer.get("resources", []) if each["grain"] == "day" and each["is_active"]]
    return by_day[0] if by_day else None


def _get(config: Config, path: str, key: str = "") -> dict[str, Any] | None:
    """The JSON at `path` of our own web, {} if it is something else, None if it does not answer 200."""
    connection = http.client.HTTPConnection(ANY_ADDRESS.get(config.host, config.host), config.port, timeout=2)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        content = json.loads(response.read() or "{}") if response.status == http.HTTPStatus.OK else None
    except ValueError:
        return {}
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return content if isinstance(content, dict) or content is None else {}


def _base_url(config: Config) -> str:
    host = ANY_ADDRESS.get(config.host, config.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}"


def _print(line: str) -> None:
    # Into a pipe, Python would keep it back until a block is full.
    print(line, flush=True)
