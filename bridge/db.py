"""How Python holds PostgreSQL: connections, transactions, migrations."""

from __future__ import annotations

import hashlib
import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads

from bridge import connections, sql
from bridge.errors import InvalidSetting, Unavailable

Connection = connections.Connection

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number does, as long as everybody who migrates takes the same.
_MIGRATION_LOCK = 7_320_117
# A wait for a seat longer than this is answered 503: the customer is better served by trying again.
# Nothing here runs long enough to be worth compiling: where PostgreSQL thinks so, it takes seconds for a millisecond.
_OPTIONS = (
    "-c lock_timeout=3s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s -c TimeZone=UTC -c jit=off"
)
_url = ""
# One connection per thread: measured a tenth faster than a pool, and just as bounded where threads are.
_local = threading.local()

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)


def configure(database_url: str) -> None:
    """Say which database this process uses. Connections are opened when first needed."""
    global _url  # noqa: PLW0603  # the one thing a process knows of its database
    _url = database_url
    close()


def connect(database_url: str | None = None, *, timeout: int = 5) -> Connection:
    """A new connection in autocommit mode. Raises Unavailable when the database cannot be reached, InvalidSetting."""
    try:
        return Connection.connect(
            database_url or _url,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=timeout,
            options=_OPTIONS,
            # A server that is gone without a word (its host lost power, its network is cut) keeps no timeout: who waits
            # for it is told after 20 s, not after the quarter of an hour and more that the system would take.
            keepalives_idle=5,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,
            # Every statement is prepared the first time: a process runs few different ones, very often.
            prepare_threshold=0,
            application_name="bridge",
        )
    except psycopg.OperationalError as error:
        raise Unavailable("The database cannot be reached.") from error
    except psycopg.ProgrammingError as error:
        # Not what the library says of it: that quotes the URL, and a password may stand there.
        raise InvalidSetting("DATABASE_URL: this is not how a PostgreSQL database is named") from error


def close() -> None:
    """Close this thread's connection, if it has one."""
    if connection := getattr(_local, "connection", None):
        connection.close()
    _local.connection = None


@contextmanager
def statement() -> Iterator[Connection]:
    """This thread's connection, where each statement is its own transaction: one round trip for it."""
    with _translated_errors():
        yield _thread_connection()


@contextmanager
def transaction() -> Iterator[Connection]:
    """This thread's connection in a transaction: returning commits, raising rolls back.

    Inside another `transaction()` of the same thread it joins that one.
    """
    with _translated_errors():
        connection = _thread_connection()
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            yield connection
            return
        with connection.transaction():
            yield connection


def migrate(database_url: str) -> list[str]:
    """Bring the database to this version and answer the names of the migrations applied.

    Each migration is one transaction; the functions are made anew whenever their text changed. Safe to run by many
    at once, and beside processes of the version before.
    """
    with connect(database_url) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration"
            " (name text PRIMARY KEY, digest text, applied_at timestamptz DEFAULT now())"
        )
        applied = []
        for name, digest, text in _pending(connection):
            # Waiting longer for a table would make everybody else wait behind us.
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '5s'")
                connection.execute(text.encode(), prepare=False)
                connection.execute(
                    "INSERT INTO migration (name, digest) VALUES (%s, %s)"
                    " ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, applied_at = now()",
                    [name, digest],
                )
            applied.append(name)
        return applied


def pending_migrations(connection: Connection) -> list[str]:
    """Names of what `migrate` would apply; empty when the database is of this version."""
    if connection.execute("SELECT to_regclass('migration') AS found").fetchone() == {"found": None}:
        return ["0001_resources"]
    return [name for name, _digest, _text in _pending(connection)]


def _pending(connection: Connection) -> list[tuple[str, str, str]]:
    known = {row["name"]: row["digest"] for row in connection.execute("SELECT name, digest FROM migration")}
    pending = []
    for path in sorted(MIGRATIONS.glob("[0-9]*.sql")):
        text = path.read_text()
        if path.stem not in known:
            pending.append((path.stem, _digest(text), text))
        elif known[path.stem] != _digest(text):
            raise InvalidSetting(f"migration {path.stem} was changed after it was applied to this database")
    for name, text in sql.read_functions():
        if known.get(f"function {name}") != _digest(text):
            pending.append((f"function {name}", _digest(text), text))
    return pending


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _thread_connection() -> Connection:
    connection: Connection | None = getattr(_local, "connection", None)
    # A connection made before a fork belongs to the parent: two processes on one socket garble both.
    if connection is None or connection.closed or _local.pid != os.getpid() or _was_cut(connection):
        if connection is not None and _local.pid == os.getpid():
            connection.close()
        connection = _local.connection = connect()
        _local.pid = os.getpid()
    return connection


def _was_cut(connection: Connection) -> bool:
    """Whether the server hung up while nobody looked: an idle connection has nothing to read otherwise."""
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return False
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    return bool(readable)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (
        psycopg.errors.LockNotAvailable,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.QueryCanceled,
        psycopg.errors.SerializationFailure,
    ) as error:
        raise Unavailable("Too many people want this right now; try again.", retry_after=1) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        close()
        raise Unavailable("The database cannot be reached.") from error


def one(rows: psycopg.Cursor[DictRow]) -> dict[str, Any]:
    """The one row there must be."""
    row = rows.fetchone()
    assert row is not None, "a statement that always answers a row answered none"
    return row
