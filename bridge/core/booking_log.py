"""The log of bookings: who changed what of one, from what to what, why, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.db import Connection

queries = sql.load("bookings")


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who changes a booking. Staff are not bound by what binds customers."""

    name: str  # key:…, user:…, customer:…, guest
    is_staff: bool = False
    ip_address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the log."""

    id: str
    booking_id: str
    modified_by: str
    modification_type: str
    old_value: dict[str, Any]
    new_value: dict[str, Any]
    reason: str | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime


def note_change(
    conn: Connection,
    booking_id: str,
    kind: str,
    old: dict[str, Any],
    new: dict[str, Any],
    *,
    by: By,
    reason: str | None,
) -> None:
    """Write an entry; whoever it concerns is told of it (see the trigger booking_change_is_told)."""
    conn.execute(
        queries.insert_change,
        {
            "booking_id": booking_id,
            "modified_by": by.name,
            "modification_type": kind,
            "old_value": Jsonb(plain(old)),
            "new_value": Jsonb(plain(new)),
            "reason": reason,
            "ip_address": by.ip_address,
            "user_agent": by.user_agent,
        },
    )


def list_changes(conn: Connection, booking_id: str, *, limit: int, offset: int) -> tuple[list[Change], int]:
    """A page of what became of a booking, oldest first, and how many entries there are in all."""
    values = {"booking_id": booking_id, "limit": limit, "offset": offset}
    with conn.cursor(row_factory=class_row(Change)) as cursor:
        page = cursor.execute(queries.list_changes, values).fetchall()
    return page, db.one(conn.execute(queries.count_changes, {"booking_id": booking_id}))["count"]


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """`values` as JSON takes them: money as a number, written as the shortest decimal, which is the amount."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
