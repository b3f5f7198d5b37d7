"""Who stands on days that are being closed, and how they are let go without missing anybody who comes meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import psycopg

from bridge import db, sql
from bridge.core import ledger
from bridge.db import Connection
from bridge.errors import Unavailable

queries = sql.load("closures")

# A try fails only when somebody works, this instant, on a hold that came between two of its statements.
_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days being closed, both ends included, of one resource or of all."""

    resource_id: str | None
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class LetGo:
    """How many holds and allocations gave their capacity back."""

    holds: int
    allocations: int


def lock_resources(conn: Connection, resource_id: str | None) -> list[str]:
    """Lock the resource, or all of them: their ids. Come here before locking anything else of theirs."""
    return [row["id"] for row in conn.execute(queries.lock_resources, {"resource_id": resource_id})]


def lock_slots(conn: Connection, days: Days) -> None:
    """Lock the days: until the transaction ends nobody can take or give back anything on them."""
    conn.execute(queries.lock_slots, {**asdict(days), "hold_ids": []})


def list_live_holds(conn: Connection, days: Days, *, booked: bool = False) -> list[str]:
    """Ids of the holds that have something on the days this second; with `booked`, the holds of allocations too."""
    rows = conn.execute(queries.list_live_holds, {**asdict(days), "booked": booked})
    return [row["hold_id"] for row in rows]


def list_live_allocations(conn: Connection, days: Days, *, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first `limit` allocations that have something on the days, and how many there are in all."""
    rows = conn.execute(queries.list_live_allocations, {**asdict(days), "limit": limit}).fetchall()
    return rows, rows[0]["total"] if rows else 0


def lock_live_holds(conn: Connection, days: Days, *, booked: bool = False) -> list[str]:
    """Lock the days and every hold that is live on them; the holds' ids. None can join them until the transaction ends.

    Locks orders, then holds, then slots, as everybody does. Raises Unavailable when others do not let it finish.
    """
    for _ in range(_TRIES):
        with conn.transaction() as attempt:
            holds = _try_to_lock(conn, days, booked=booked)
            if holds is not None:
                return holds
            # Back to before the first lock: whoever has the missing one may be waiting for ours.
            raise psycopg.Rollback(attempt)
    raise Unavailable("Too many people want these days right now; try again.")


def lock_holds(conn: Connection, hold_ids: Sequence[str]) -> None:
    """Lock these holds, and before them the orders they became part of, each in the order of everybody."""
    conn.execute(queries.lock_orders, {"hold_ids": list(hold_ids)})
    conn.execute(queries.lock_holds, {"hold_ids": list(hold_ids)})


def let_go(conn: Connection, hold_ids: Sequence[str], *, cause: str, actor: str) -> LetGo:
    """Release these holds whole and cancel their allocations. The caller has locked them with `lock_live_holds`."""
    ledger.settle(conn, hold_ids, cause=cause, actor=actor)
    named = {"hold_ids": list(hold_ids), "reason": cause}
    return LetGo(
        holds=conn.execute(queries.release_holds, named).rowcount,
        allocations=conn.execute(queries.cancel_allocations, named).rowcount,
    )


def _try_to_lock(conn: Connection, days: Days, *, booked: bool) -> list[str] | None:
    """The live holds, locked; None when one of them came late and is in somebody else's hands."""
    known = list_live_holds(conn, days, booked=booked)
    if booked:
        conn.execute(queries.lock_orders, {"hold_ids": known})
    conn.execute(queries.lock_holds, {"hold_ids": known})
    conn.execute(queries.lock_slots, {**asdict(days), "hold_ids": known})
    # Only now does nobody come or go: what is live here is what will be let go.
    live = list_live_holds(conn, days, booked=booked)
    late = sorted(set(live) - set(known))
    return live if not late or _lock_late(conn, late) else None


def _lock_late(conn: Connection, hold_ids: list[str]) -> bool:
    locked = conn.execute(queries.lock_late_holds, {"hold_ids": hold_ids}).fetchall()
    if len(locked) < len(hold_ids):
        return False
    return bool(db.one(conn.execute(queries.lock_late_slots, {"hold_ids": hold_ids}))["got_all"])
