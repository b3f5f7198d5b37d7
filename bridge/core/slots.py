"""Slots: the departures of tours, and how many seats each has left this second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from bridge import sql
from bridge.db import Connection
from bridge.errors import ResourceNotFound, SlotNotFound

queries = sql.load("slots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When departures may be booked: from so long before they leave, and how many days ahead."""

    cutoff: timedelta
    advance_days: int


# When a departure begins, and on whose clock.
Start = tuple[datetime, str]
# Looking at a departure, whoever may book it when.
ANY_TIME = Window(cutoff=timedelta(days=-100_000), advance_days=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A departure. `reason` says why it cannot be booked: slot_cancelled, withdrawn, blackout, closed, too_late,
    too_far_ahead; null while seats are all it may lack."""

    slot_no: int
    id: str
    resource_id: str
    schedule_id: str | None
    slot_date: date
    start_time: time  # On the wall clock of time_zone, as is end_time.
    end_time: time
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    duration_minutes: int
    min_capacity: int
    max_capacity: int
    available_spots: int
    booked: int
    price_per_person: Decimal
    is_cancelled: bool
    is_withdrawn: bool
    cancellation_reason: str | None
    reason: str | None

    def fits(self, seats: int) -> bool:
        """Whether a party of so many seats can book it now."""
        return self.reason is None and self.available_spots >= seats


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """A tour as its calendar shows it."""

    id: str
    name: str
    today: date  # Where it departs.
    is_closed: bool  # By a blackout, on the first of the dates asked for.
    duration_minutes: int | None  # Of its departures; null before it has any schedule.


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a date has: departures, and seats of those that can be booked."""

    departures: int
    spots: int


def get_slot(
    conn: Connection, slot_id: str | None = None, *, slot_no: int | None = None, window: Window = ANY_TIME
) -> Slot:
    """The departure, cancelled and withdrawn ones too. Raises SlotNotFound."""
    values = {"slot_id": slot_id, "slot_no": slot_no, "cutoff": window.cutoff, "advance_days": window.advance_days}
    row = conn.execute(queries.find_slot, values).fetchone()
    if row is None:
        raise SlotNotFound
    return _slot(row)


def list_slots(
    conn: Connection, *, tour_id: str, start_date: date, end_date: date, window: Window
) -> tuple[Tour, Sequence[Slot]]:
    """The tour and its departures on these dates, cancelled ones too. One statement. Raises ResourceNotFound."""
    rows = conn.fetch(queries.list_slots, _range(tour_id, start_date, end_date, window))
    if not rows:
        raise ResourceNotFound
    tour = Tour(**{name: rows[0][f"tour_{name}"] for name in Tour.__dataclass_fields__})
    return tour, [_slot(row) for row in rows if row["slot_no"] is not None]


def read_month(conn: Connection, *, tour_id: str, start_date: date, end_date: date, window: Window) -> dict[date, Day]:
    """The dates of a range that have departures. One statement, whatever they hold. Raises ResourceNotFound."""
    rows = conn.fetch(queries.read_month, _range(tour_id, start_date, end_date, window))
    if not rows:
        raise ResourceNotFound
    row = rows[0]
    return {
        day: Day(departures=departures, spots=spots)
        for day, departures, spots in zip(row["dates"], row["departures"], row["spots"], strict=True)
    }


def nearest_slots(
    conn: Connection, *, tour_id: str, on_date: date, at_time: time, seats: int, window: Window, limit: int = 5
) -> list[Slot]:
    """The departures nearest to a local time, at most two months away, that so many seats can be booked of now."""
    values = {
        "tour_id": tour_id,
        "on_date": on_date,
        "at_time": at_time,
        "seats": seats,
        "cutoff": window.cutoff,
        "advance_days": window.advance_days,
        "limit": limit,
    }
    return [_slot(row) for row in conn.execute(queries.nearest_slots, values)]


def list_starts(conn: Connection, slot_nos: Sequence[int]) -> dict[int, Start]:
    """When those of the slots begin that are departures."""
    rows = conn.execute("SELECT slot_no, starts_at, time_zone FROM slot WHERE slot_no = ANY (%s)", [list(slot_nos)])
    return {row["slot_no"]: (row["starts_at"], row["time_zone"]) for row in rows}


def _range(tour_id: str, start_date: date, end_date: date, window: Window) -> dict[str, Any]:
    return {
        "tour_id": tour_id,
        "start_date": start_date,
        "end_date": end_date,
        "cutoff": window.cutoff,
        "advance_days": window.advance_days,
    }


def _slot(row: dict[str, Any]) -> Slot:
    return Slot(**{name: row[name] for name in Slot.__dataclass_fields__})
