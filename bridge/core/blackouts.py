"""Blackouts: days on which nothing of a resource, or of any, is sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from bridge import db, sql
from bridge.core import closures, offers
from bridge.core.closures import Days
from bridge.db import Connection
from bridge.errors import BlackoutNotFound, ResourceNotFound
from bridge.ids import new_id

queries = sql.load("blackouts")

SHOWN = 100  # How many of the holds and allocations it affects are named; all are counted.


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    """Days, both ends included, of one resource or, without `resource_id`, of all. One only tried has no id."""

    id: str | None
    resource_id: str | None
    start_date: date
    end_date: date
    reason: str | None
    created_at: datetime | None
    blackout_type: str = "custom"  # holiday, maintenance, weather, custom
    name: str | None = None
    description: str | None = None
    is_active: bool = True  # One that is not closes nothing.


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A blackout, and whom it met: holds may be cancelled for it, allocations are only counted."""

    blackout: Blackout
    holds_affected: int
    holds_cancelled: int
    allocations_affected: int
    affected: dict[str, Sequence[Any]]  # Up to SHOWN ids of `holds`, and `allocations` with their orders and customers.


def create_blackout(
    conn: Connection,
    *,
    resource_id: str | None,
    start_date: date,
    end_date: date,
    actor: str,
    reason: str | None = None,
    cancel_existing_holds: bool = False,
    dry_run: bool = False,
    **named: Any,
) -> Effect:
    """Sell nothing of these days any more; `cancel_existing_holds` releases whole every live hold that touches them.

    A hold that is being placed meanwhile is either counted, and cancelled, or refused. With `dry_run` the same
    numbers and no change. `named` are a blackout's blackout_type, name, description and is_active.
    Raises ResourceNotFound.
    """
    if not closures.lock_resources(conn, resource_id) and resource_id is not None:
        raise ResourceNotFound
    days = Days(resource_id=resource_id, starts_on=start_date, ends_on=end_date)
    wanted = Blackout(
        id=None,
        resource_id=resource_id,
        start_date=start_date,
        end_date=end_date,
        reason=reason,
        created_at=None,
        **named,
    )
    if dry_run:
        holds = closures.list_live_holds(conn, days)
        return _effect(conn, wanted, days, holds, cancelled=len(holds) if cancel_existing_holds else 0)
    blackout = _insert(conn, wanted)
    if not cancel_existing_holds:
        closures.lock_slots(conn, days)
        return _effect(conn, blackout, days, closures.list_live_holds(conn, days), cancelled=0)
    holds = closures.lock_live_holds(conn, days)
    cancelled = closures.let_go(conn, holds, cause="blackout", actor=actor).holds
    return _effect(conn, blackout, days, holds, cancelled=cancelled)


def list_blackouts(
    conn: Connection,
    *,
    limit: int,
    offset: int,
    resource_id: str | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    blackout_type: str | None = None,
    is_active: bool | None = None,
) -> tuple[list[Blackout], int]:
    """A page of blackouts that touch the range, by date, and how many there are in all."""
    filters = {
        "resource_id": resource_id,
        "start_date": start_date,
        "end_date": end_date,
        "blackout_type": blackout_type,
        "is_active": is_active,
    }
    with conn.cursor(row_factory=class_row(Blackout)) as cursor:
        page = cursor.execute(queries.list_blackouts, {**filters, "limit": limit, "offset": offset}).fetchall()
    return page, db.one(conn.execute(queries.count_blackouts, filters))["count"]


def delete_blackout(conn: Connection, blackout_id: str) -> None:
    """Sell these days again, as far as nothing else closes them: first to those who wait. Raises BlackoutNotFound."""
    ended = conn.execute(queries.delete_blackout, {"blackout_id": blackout_id}).fetchone()
    if ended is None:
        raise BlackoutNotFound
    offers.offer_opened(conn, tour_id=ended["resource_id"], starts_on=ended["starts_on"], ends_on=ended["ends_on"])


def _insert(conn: Connection, wanted: Blackout) -> Blackout:
    row = conn.execute(queries.insert_blackout, asdict(wanted) | {"id": new_id("blackout")})
    return Blackout(**db.one(row))


def _effect(conn: Connection, blackout: Blackout, days: Days, holds: Sequence[str], *, cancelled: int) -> Effect:
    allocations, count = closures.list_live_allocations(conn, days, limit=SHOWN)
    return Effect(
        blackout=blackout,
        holds_affected=len(holds),
        holds_cancelled=cancelled,
        allocations_affected=count,
        affected={"holds": holds[:SHOWN], "allocations": allocations},
    )
