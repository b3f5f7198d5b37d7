"""How Python holds PostgreSQL: transactions, connections that are lost, waits that end."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bridge import db, sql
from bridge.errors import InvalidSetting, Unavailable

pytestmark = pytest.mark.usefixtures("database_url")


class OnPurposeError(Exception):
    """What a test raises."""


@pytest.fixture
def name() -> str:
    """A name that no other test's row has."""
    return uuid4().hex


def write(conn: db.Connection, name: str) -> None:
    conn.execute("INSERT INTO ops_user (name, password_hash) VALUES (%s, '')", [name])


def is_written(name: str) -> bool:
    """Whether the row is there for everybody: asked on another connection."""
    with db.connect() as other:
        return other.execute("SELECT FROM ops_user WHERE name = %s", [name]).fetchone() is not None


def pid() -> int:
    with db.statement() as conn:
        return conn.info.backend_pid


# -- transactions ------------------------------------------------------------------------------------------------------


def test_returning_commits(name: str) -> None:
    with db.transaction() as conn:
        write(conn, name)
        assert not is_written(name)

    assert is_written(name)


def test_raising_rolls_back(name: str) -> None:
    with pytest.raises(OnPurposeError), db.transaction() as conn:
        write(conn, name)
        raise OnPurposeError

    assert not is_written(name)


def test_a_transaction_inside_another_joins_it(name: str) -> None:
    with pytest.raises(OnPurposeError), db.transaction() as outer:
        with db.transaction() as inner:
            write(inner, name)
        assert inner is outer
        raise OnPurposeError

    assert not is_written(name)


def test_a_statement_inside_a_transaction_is_part_of_it(name: str) -> None:
    with pytest.raises(OnPurposeError), db.transaction():
        with db.statement() as conn:
            write(conn, name)
        raise OnPurposeError

    assert not is_written(name)


def test_a_statement_by_itself_is_its_own_transaction(name: str) -> None:
    with pytest.raises(OnPurposeError), db.statement() as conn:
        write(conn, name)
        raise OnPurposeError

    assert is_written(name)


def test_a_broken_rule_of_the_database_is_raised_as_it_is_and_rolls_back(name: str) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation), db.transaction() as conn:
        write(conn, name)
        write(conn, name)

    assert not is_written(name)


def test_a_thread_keeps_its_connection_and_shares_it_with_no_other() -> None:
    def two_pids(_number: int) -> tuple[int, int]:
        barrier.wait(10)
        try:
            return pid(), pid()
        finally:
            db.close()

    barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3) as threads:
        pids = list(threads.map(two_pids, range(3)))

    assert all(first == second for first, second in pids)
    assert len({first for first, _second in pids} | {pid()}) == 4


def test_a_child_of_a_fork_does_not_use_its_parents_connection() -> None:
    mine = pid()
    read, write_end = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(write_end, str(pid()).encode())
        os._exit(0)  # Without the cleaning up that is the parent's to do.
    os.waitpid(child, 0)

    assert int(os.read(read, 20)) != mine
    assert pid() == mine
    os.close(read)
    os.close(write_end)


def test_the_session_is_in_utc_and_waits_for_nothing_for_ever() -> None:
    with db.statement() as conn:
        settings = {
            setting: conn.execute(f"SHOW {setting}").fetchone()[setting]
            for setting in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "jit")
        }
        zone = conn.execute("SHOW timezone").fetchone()

    assert settings == {
        "lock_timeout": "3s",
        "statement_timeout": "15s",
        "idle_in_transaction_session_timeout": "30s",
        "jit": "off",  # Of a plan that seems dear it makes one that is: seconds of compiling for a millisecond.
    }
    assert zone == {"TimeZone": "UTC"}


@pytest.fixture
def over_tcp() -> Iterator[str]:
    """The database by TCP, whose server here listens on a socket in a folder."""
    known = conninfo_to_dict(db._url)
    folder, port = str(known["host"]), known.get("port", 5432)
    if not folder.startswith("/"):
        yield db._url
        return

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while sent := source.recv(65536):
                target.sendall(sent)

    def serve(listener: socket.socket) -> None:
        near, _address = listener.accept()
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(f"{folder}/.s.PGSQL.{port}")
            back = threading.Thread(target=pump, args=(far, near), daemon=True)
            back.start()
            pump(near, far)
            far.shutdown(socket.SHUT_RDWR)
            back.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield make_conninfo(db._url, host="127.0.0.1", port=listener.getsockname()[1])


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such limits")
def test_a_server_that_is_gone_without_a_word_is_given_up_after_twenty_seconds(over_tcp: str) -> None:
    """By the system, which then asks whether the other host is there, and waits no longer for what it does not take."""
    limits = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)

    with db.connect(over_tcp) as conn, socket.socket(fileno=os.dup(conn.fileno())) as end:
        set_to = [end.getsockopt(socket.IPPROTO_TCP, limit) for limit in limits]

    assert set_to == [5, 5, 3, 20_000]


# -- connections that are lost -----------------------------------------------------------------------------------------


def cut(backend: int) -> None:
    """Have the server hang up on a connection, as a restart would."""
    with db.connect() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_a_connection_cut_while_idle_is_replaced_unnoticed(name: str) -> None:
    before = pid()
    cut(before)

    with db.transaction() as conn:
        write(conn, name)

    assert is_written(name)
    assert pid() != before


def test_a_connection_cut_in_a_transaction_is_unavailable_and_then_replaced(name: str) -> None:
    with pytest.raises(Unavailable), db.transaction() as conn:
        write(conn, name)
        cut(conn.info.backend_pid)
        conn.execute("SELECT 1")

    assert not is_written(name)
    with db.transaction() as conn:
        write(conn, name)
    assert is_written(name)


def test_a_commit_that_is_cut_off_is_not_taken_for_done(name: str) -> None:
    with pytest.raises(Unavailable), db.transaction() as conn:
        write(conn, name)
        cut(conn.info.backend_pid)

    assert not is_written(name)


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[None]:
    """Whatever the test configures, the others' database afterwards."""
    yield
    db.configure(database_url)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@127.0.0.1:1/none",
        "postgresql://nobody@host.invalid/none",
        "postgresql:///none?host=/nowhere",
    ],
)
def test_a_database_that_cannot_be_reached_is_unavailable(url: str) -> None:
    db.configure(url)

    with pytest.raises(Unavailable, match="cannot be reached"), db.transaction():
        pass


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("url", ["postgres:s3cret@db", "postgresql://ada:s3cret@db/x?y=1", "s3cret=1"])
def test_a_url_that_is_none_is_a_setting_that_cannot_be_used_and_is_not_repeated(url: str) -> None:
    db.configure(url)

    with pytest.raises(InvalidSetting, match="DATABASE_URL") as refusal, db.transaction():
        pass

    assert "s3cret" not in refusal.value.message


# -- waits that end ----------------------------------------------------------------------------------------------------


def test_a_wait_for_a_lock_ends_as_unavailable(name: str) -> None:
    with db.transaction() as conn:
        write(conn, name)

    with db.connect() as other, other.transaction():
        other.execute("SELECT FROM ops_user WHERE name = %s FOR UPDATE", [name])
        with pytest.raises(Unavailable) as refusal, db.transaction() as conn:
            conn.execute("SET LOCAL lock_timeout = '50ms'")
            conn.execute("SELECT FROM ops_user WHERE name = %s FOR UPDATE", [name])

    assert refusal.value.retry_after == 1


def test_a_statement_that_takes_too_long_ends_as_unavailable() -> None:
    with pytest.raises(Unavailable), db.transaction() as conn:
        conn.execute("SET LOCAL statement_timeout = '50ms'")
        conn.execute("SELECT pg_sleep(5)")

    with db.statement() as conn:
        assert conn.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_of_two_that_wait_for_each_other_one_is_unavailable(name: str) -> None:
    both_have_one = threading.Barrier(2)

    def lock(names: list[str]) -> str:
        try:
            with db.transaction() as conn:
                conn.execute("SET LOCAL deadlock_timeout = '50ms'")
                conn.execute("UPDATE ops_user SET password_hash = 'x' WHERE name = %s", [names[0]])
                both_have_one.wait(10)
                conn.execute("UPDATE ops_user SET password_hash = 'x' WHERE name = %s", [names[1]])
        except Unavailable:
            return "unavailable"
        else:
            return "done"
        finally:
            db.close()

    names = [name, f"{name}2"]
    with db.transaction() as conn:
        for each in names:
            write(conn, each)
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lock, [names, names[::-1]]))

    assert sorted(outcomes) == ["done", "unavailable"]


# -- migrations --------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(database_url: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    name = f"bridge_empty_{uuid4().hex[:12]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(**{**conninfo_to_dict(database_url), "dbname": name})
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrating_applies_each_once_in_order(empty: str) -> None:
    first, again = db.migrate(empty), db.migrate(empty)

    assert first == [
        *(path.stem for path in sorted(db.MIGRATIONS.glob("*.sql"))),
        *(f"function {name}" for name, _text in sql.read_functions()),
    ]
    assert again == []


def test_what_is_pending_is_what_migrating_would_apply(empty: str) -> None:
    with db.connect(empty) as conn:
        before = db.pending_migrations(conn)
    db.migrate(empty)

    with db.connect(empty) as conn:
        assert (before, db.pending_migrations(conn)) == (["0001_resources"], [])


def test_many_at_once_migrate_once(empty: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _number: db.migrate(empty), range(4)))

    assert sorted(map(bool, applied)) == [False, False, False, True]


def test_a_migration_changed_after_the_fact_is_refused(empty: str) -> None:
    db.migrate(empty)
    with db.connect(empty) as conn:
        conn.execute("UPDATE migration SET digest = 'another' WHERE name = '0002_capacity'")

    with pytest.raises(InvalidSetting, match="0002_capacity was changed"):
        db.migrate(empty)


def test_a_function_whose_text_changed_is_made_anew(empty: str) -> None:
    db.migrate(empty)
    with db.connect(empty) as conn:
        conn.execute("UPDATE migration SET digest = 'another' WHERE name = 'function 2_lock_slots'")

    assert db.migrate(empty) == ["function 2_lock_slots"]


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_broken.sql").write_text("CREATE TABLE half (); CREATE TABLE half ();")
    monkeypatch.setattr(db, "MIGRATIONS", tmp_path)

    with pytest.raises(psycopg.errors.DuplicateTable):
        db.migrate(empty)

    with db.connect(empty) as conn:
        assert conn.execute("SELECT to_regclass('half') AS found").fetchone() == {"found": None}
        assert conn.execute("SELECT count(*) FROM migration").fetchone() == {"count": 0}
