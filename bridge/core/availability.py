"""What is free: read from the ledger each time, exact to the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bridge import sql
from bridge.db import Connection
from bridge.errors import ResourceNotFound
from bridge.rules.slots import day_slot

queries = sql.load("availability")


@dataclass(frozen=True, slots=True)
class Day:
    """One date of a resource. `reason` says why nothing more is sold: sold_out, blackout, not_open or past."""

    date: date
    max_capacity: int
    available_capacity: int
    is_available: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Availability:
    """Every date of a range."""

    resource: dict[str, str]
    days: Sequence[Day]


def read_days(
    conn: Connection, *, resource_id: str, start_date: date, end_date: date, quantity: int = 1
) -> Availability:
    """Every date from `start_date` to `end_date`, inclusive. One statement. Raises ResourceNotFound."""
    first, last = day_slot(start_date), day_slot(end_date)
    rows = conn.fetch(queries.read_days, {"resource_id": resource_id, "first": first, "last": last})
    if not rows:
        raise ResourceNotFound
    row = rows[0]
    days = [
        _day(start_date + timedelta(days=n), maximum, free, reason, is_past=first + n < row["today"], quantity=quantity)
        for n, (maximum, free, reason) in enumerate(zip(row["max_capacity"], row["free"], row["reasons"], strict=True))
    ]
    return Availability({name: row[name] for name in ("id", "name", "type")}, days)


def _day(day: date, maximum: int, free: int, reason: str | None, *, is_past: bool, quantity: int) -> Day:
    if is_past:
        return Day(day, maximum, 0, False, "past")
    if reason == "closed":
        return Day(day, maximum, 0, False, "not_open")
    if reason is None and free < quantity:
        reason = "sold_out"
    return Day(day, maximum, free, reason is None, reason)
