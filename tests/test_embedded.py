"""Do the embedded servers come up whatever happened before, keep what they were given, and go away?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from bridge import embedded
from bridge.config import Config
from bridge.embedded import CannotStart
from bridge.errors import InvalidSetting

ROOT = Path(__file__).parents[1]

# What `up` does, in a process that can be killed.
OWNER = """
    import sys, time
    from pathlib import Path
    from bridge import embedded, supervisor
    from bridge.config import Config
    if sys.argv[2] == "leave":
        supervisor._prctl = None  # As on systems that do not tell a child that its parent died.
    with embedded.servers(Config(bridge_data_dir=Path(sys.argv[1]))):
        print("up", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(bridge_data_dir=tmp_path / "var")


def test_the_servers_work_tell_where_they_are_and_leave_nothing_running(config: Config) -> None:
    told_at = config.bridge_data_dir / "servers.json"

    with embedded.servers(config) as urls:
        told, mode = json.loads(told_at.read_text()), told_at.stat().st_mode & 0o777
        zone = query(urls.database_url, "SHOW timezone")
        commit = query(urls.database_url, "SHOW synchronous_commit")
        policy = redis.Redis.from_url(urls.broker_url).config_get("maxmemory-policy")
        running = servers_of(config)

    assert told == urls._asdict()
    assert mode == 0o600
    assert (zone, commit, policy) == ("UTC", "on", {"maxmemory-policy": "noeviction"})
    assert running
    assert not servers_of(config)
    assert not told_at.exists()


def test_a_second_start_finds_what_the_first_one_kept(config: Config) -> None:
    with embedded.servers(config) as urls:
        query(urls.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
        redis.Redis.from_url(urls.broker_url).set("kept", "7")

    with embedded.servers(config) as urls:
        assert query(urls.database_url, "SELECT number FROM kept") == 7
        assert redis.Redis.from_url(urls.broker_url).get("kept") == b"7"


def test_a_start_works_after_the_owner_was_killed(config: Config) -> None:
    with owner_of(config) as owner:
        owner.kill()
        owner.wait()

        with embedded.servers(config) as urls:
            assert query(urls.database_url, "SELECT 1") == 1


def test_servers_left_running_are_stopped_and_replaced(config: Config) -> None:
    with owner_of(config, "leave") as owner:
        owner.kill()
        owner.wait()
        left = servers_of(config)
        assert {"postgres", "valkey-server"} <= {process.name() for process in left}

        with embedded.servers(config) as urls:
            assert query(urls.database_url, "SELECT 1") == 1
            assert not set(left) & set(servers_of(config))


def test_a_server_that_is_killed_is_started_again_at_its_address(config: Config) -> None:
    with embedded.servers(config) as urls:
        for process in servers_of(config):
            process.kill()

        wait_for(urls)

        assert query(urls.database_url, "SELECT 1") == 1
    assert not servers_of(config)


def test_a_pid_file_that_names_an_innocent_process_is_no_obstacle(config: Config) -> None:
    start_and_stop(config)
    stale = config.bridge_data_dir / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n{stale.parent}\n1700000000\n5432\n{stale.parent}\n\n  1234567 1\nready\n")

    with embedded.servers(config) as urls:
        assert query(urls.database_url, "SELECT 1") == 1


def test_an_interrupted_first_start_is_simply_repeated(config: Config) -> None:
    half_made = config.bridge_data_dir / "postgres.new"
    (half_made / "base").mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    with embedded.servers(config) as urls:
        assert query(urls.database_url, "SELECT 1") == 1

    assert not half_made.exists()


def test_a_folder_that_is_no_database_is_named_and_left_alone(config: Config) -> None:
    precious = config.bridge_data_dir / "postgres" / "precious"
    precious.parent.mkdir(parents=True)
    precious.touch()

    with pytest.raises(CannotStart, match=r"postgres has files but is no database .*: move it away"):
        start_and_stop(config)

    assert precious.exists()


def test_a_second_owner_is_told_who_the_first_is(config: Config) -> None:
    with owner_of(config) as owner, pytest.raises(InvalidSetting, match=rf"another .* \(pid {owner.pid}\)"):
        start_and_stop(config)


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InvalidSetting, match=r"BRIDGE_DATA_DIR: .*/file/var cannot be written"):
        start_and_stop(Config(bridge_data_dir=tmp_path / "file" / "var"))


def test_a_path_that_no_socket_address_can_hold_still_works(tmp_path: Path) -> None:
    config = Config(bridge_data_dir=tmp_path / ("long" * 30) / "with, comma" / "var")

    with embedded.servers(config) as urls:
        assert query(urls.database_url, "SELECT 1") == 1


def test_only_what_the_settings_do_not_name_is_started(tmp_path: Path) -> None:
    config = Config(bridge_data_dir=tmp_path / "var", database_url="postgresql://elsewhere/bridge")

    with embedded.servers(config) as urls:
        assert urls.database_url == "postgresql://elsewhere/bridge"
        assert json.loads((tmp_path / "var" / "servers.json").read_text()) == {"broker_url": urls.broker_url}


def test_secrets_are_made_once_and_only_where_none_is_set(tmp_path: Path) -> None:
    env = {"BRIDGE_DATA_DIR": str(tmp_path), "ADMIN_API_KEY": "bk_mine"}

    made = embedded.ensure_secrets(Config.from_env(env))
    again = embedded.ensure_secrets(Config.from_env(env))

    kept = embedded.kept_secrets(Config.from_env(env))
    assert (made, again) == (True, False)
    assert set(kept) == {"webhook_secrets", "secret_key", "medusa_jwt_secret", "ops_password"}
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert Config.from_env(env).webhook_secrets == (kept["webhook_secrets"],)
    assert Config.from_env(env).admin_api_key == "bk_mine"


def start_and_stop(config: Config) -> None:
    with embedded.servers(config):
        pass


@contextmanager
def owner_of(config: Config, at_its_death: str = "stop") -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", textwrap.dedent(OWNER), str(config.bridge_data_dir), at_its_death]
    owner = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        yield owner
    finally:
        owner.send_signal(signal.SIGINT)
        owner.wait()


def servers_of(config: Config) -> list[psutil.Process]:
    """Every process that works below the data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(config.bridge_data_dir)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def query(database_url: str, sql: str) -> object:
    with psycopg.connect(database_url, autocommit=True) as conn:
        cursor = conn.execute(sql.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def wait_for(urls: embedded.Urls, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            query(urls.database_url, "SELECT 1")
            redis.Redis.from_url(urls.broker_url).ping()
            return
        except (psycopg.OperationalError, redis.RedisError):
            assert time.monotonic() < deadline, "the servers did not come back"
            time.sleep(0.05)
