"""Which processes of the bridge are there, and whether they still work."""

from __future__ import annotations

import os
import socket
from typing import Any

from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.core.events import EVENTS, OUTGOING
from bridge.db import Connection, one

BEAT_SECONDS = 5.0  # How often a process says that it is there.

_QUEUES = [EVENTS, OUTGOING]
_sql = sql.load("processes")


def own_name() -> str:
    """What this process is called among all."""
    return f"{socket.gethostname()}:{os.getpid()}"


def start(conn: Connection, *, kind: str, name: str) -> None:
    """Say that a process has just started. One of the same name was another: in a container all have one number."""
    stop(conn, kind=kind, name=name)
    beat(conn, kind=kind, name=name)


def beat(
    conn: Connection, *, kind: str, name: str, state: dict[str, Any] | None = None, progressed: bool = False
) -> None:
    """Say that a process is there, how it is, and whether it has or had work in hand since it last said so.

    Forgets processes not heard of for ten minutes.
    """
    values = {"kind": kind, "name": name, "state": Jsonb(state or {}), "progressed": progressed}
    conn.execute(_sql.beat, values)


def stop(conn: Connection, *, kind: str, name: str) -> None:
    """Say that a process ends."""
    conn.execute("DELETE FROM process WHERE kind = %s AND name = %s", [kind, name])


def find_stuck(database_url: str) -> list[str]:
    """Kinds of process that live but no longer work, to be started again: of worker, relay and beat.

    For the watchdog, which has no connection of its own. Raises Unavailable: then nobody can tell.
    """
    with db.connect(database_url) as conn:
        return [row["kind"] for row in conn.execute(_sql.find_stuck, {"queues": _QUEUES})]


def broker_trouble(conn: Connection) -> str | None:
    """Why no relay reaches the broker; None when one does, or when there is no relay to know."""
    rows = conn.execute(
        "SELECT state ->> 'broker' AS broker FROM process"
        " WHERE kind = 'relay' AND seen_at > now() - INTERVAL '1 minute' ORDER BY seen_at DESC"
    ).fetchall()
    troubles: list[str] = [row["broker"] for row in rows if row["broker"] not in {None, "ok"}]
    return troubles[0] if troubles and len(troubles) == len(rows) else None


def relay_lag(conn: Connection) -> float:
    """For how many seconds the longest due event has waited for the relay; 0 when there is none."""
    seconds: float = one(conn.execute(_sql.relay_lag, {"queues": _QUEUES}))["seconds"]
    return seconds
