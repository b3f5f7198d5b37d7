"""Capacity: how much of a resource there is on each day, and how much of that is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import structlog
from psycopg.types.json import Jsonb

from bridge import sql
from bridge.core import resources
from bridge.core.resources import Resource
from bridge.db import Connection
from bridge.errors import DatesNotOpen, WrongGrain
from bridge.rules.slots import day_slot, day_slots, slot_day

queries = sql.load("capacity")
log = structlog.get_logger("bridge.capacity")

Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialized:
    """Days that were opened, or set anew."""

    created: int
    updated: int
    skipped: int
    overbooked: Sequence[dict[str, Any]]  # {date, overbooked} of each day that has more sold than it has.


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a period, or all of a report, has, sold, holds and may still sell."""

    date: date
    max_capacity: int
    allocated: int
    on_hold: int
    available: int

    @property
    def utilization(self) -> float:
        """The sold part of what there is; 0 of nothing."""
        return round(self.allocated / self.max_capacity, 4) if self.max_capacity else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A resource's use over a range of dates, by period."""

    resource: Resource
    summary: Usage
    breakdown: Sequence[Usage]


def initialize_capacity(
    conn: Connection,
    *,
    resource_id: str,
    start_date: date,
    end_date: date,
    daily_capacity: int,
    skip_existing: bool = False,
) -> Initialized:
    """Open every day from `start_date` to `end_date`, inclusive, and set those already open unless `skip_existing`.

    Nothing that is sold is lost: what exceeds the new capacity is counted as overbooked. Raises ResourceNotFound,
    WrongGrain.
    """
    _lock_resource(conn, resource_id)
    slots = list(range(day_slot(start_date), day_slot(end_date) + 1))
    wanted = {"resource_id": resource_id, "slots": slots, "daily_capacity": daily_capacity}
    created = conn.execute(queries.insert_missing_days, wanted).rowcount
    existing = len(slots) - created
    if skip_existing or not existing:
        return Initialized(created=created, updated=0, skipped=existing, overbooked=[])
    _lock_slots(conn, resource_id, slots)
    days = conn.execute(queries.set_capacity, wanted).fetchall()
    over = sorted((day for day in days if day["overbooked"]), key=lambda day: day["date"])
    return Initialized(created=created, updated=existing, skipped=0, overbooked=over)


def adjust_capacity(
    conn: Connection, *, resource_id: str, dates: Sequence[date], adjustment: int, reason: str | None, actor: str
) -> list[dict[str, Any]]:
    """Give each of `dates` so much more, or less, but never less than 0: {date, max_capacity, available_capacity,
    overbooked} of each, by date.

    Raises ResourceNotFound, WrongGrain, and DatesNotOpen without changing anything.
    """
    _lock_resource(conn, resource_id)
    slots = day_slots(dates)
    _lock_slots(conn, resource_id, slots)
    changed = conn.execute(
        queries.adjust_capacity, {"resource_id": resource_id, "slots": slots, "adjustment": adjustment}
    )
    unknown = sorted(set(slots) - {row["slot_no"] for row in changed})
    if unknown:
        raise _not_open([slot_day(slot) for slot in unknown])
    details = {"dates": [day.isoformat() for day in sorted(dates)], "adjustment": adjustment}
    conn.execute(
        queries.insert_adjustment,
        {"actor": actor, "resource_id": resource_id, "reason": reason, "details": Jsonb(details)},
    )
    log.info("capacity adjusted", resource_id=resource_id, actor=actor, reason=reason, **details)
    return conn.execute(queries.list_days, {"resources": [resource_id] * len(slots), "slots": slots}).fetchall()


def report_capacity(
    conn: Connection, *, resource_id: str, start_date: date, end_date: date, group_by: Period = "day"
) -> Report:
    """The use of every day, week (from Monday) or month that the range touches, counting only days of the range.

    A period is named by its first date, which may lie before the range. Raises ResourceNotFound.
    """
    resource = resources.get_resource(conn, resource_id)
    rows = conn.execute(
        queries.list_usage, {"resource_id": resource_id, "start_date": start_date, "end_date": end_date}
    )
    days = {row["date"]: Usage(**row) for row in rows}
    periods: dict[date, list[Usage]] = {}
    for day in _days(start_date, end_date):
        periods.setdefault(_first_of(day, group_by), []).extend([days[day]] if day in days else [])
    breakdown = [_sum(first, parts) for first, parts in periods.items()]
    return Report(resource=resource, summary=_sum(start_date, breakdown), breakdown=breakdown)


def _lock_resource(conn: Connection, resource_id: str) -> None:
    if resources.lock_resource(conn, resource_id).grain != "day":
        raise WrongGrain


def _lock_slots(conn: Connection, resource_id: str, slots: Sequence[int]) -> None:
    named = {"resources": [resource_id] * len(slots), "slots": list(slots)}
    conn.execute(queries.lock_slots, named)
    conn.execute(queries.expire_claims, named)


def _not_open(dates: Sequence[date]) -> DatesNotOpen:
    named = [day.isoformat() for day in dates]
    return DatesNotOpen(f"These dates are not open, initialize them first: {', '.join(named)}", dates=named)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _first_of(day: date, period: Period) -> date:
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period == "week" else day


def _sum(first: date, parts: Sequence[Usage]) -> Usage:
    return Usage(
        date=first,
        max_capacity=sum(part.max_capacity for part in parts),
        allocated=sum(part.allocated for part in parts),
        on_hold=sum(part.on_hold for part in parts),
        available=sum(part.available for part in parts),
    )
