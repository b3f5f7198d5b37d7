"""Departures made from schedules: generated for a range, kept filled to the horizon, changed with their schedule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bridge import db, sql
from bridge.core import offers, schedules
from bridge.core.schedules import Schedule
from bridge.db import Connection
from bridge.errors import PriceMissing, ScheduleInactive
from bridge.ids import new_id
from bridge.rules.recurrence import dates_between, instant_of

queries = sql.load("schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What generating a range led to. Skipped are dates that have the departure already, or lie in the past."""

    created: int
    skipped: int
    blacked_out: int
    slots: Sequence[dict[str, Any]]  # {slot_id, slot_date, start_time, end_time} of each that was created.


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change of a schedule does to the departures it still has to run."""

    created: int = 0
    updated: int = 0
    withdrawn: int = 0  # Nobody had booked these.
    # Not sold any more, but they run for who has booked: {slot_id, slot_date, start_time, seats} of each.
    kept: Sequence[dict[str, Any]] = field(default_factory=list)
    overbooked: Sequence[dict[str, Any]] = field(default_factory=list)  # {slot_id, slot_date, overbooked}


def generate(conn: Connection, schedule_id: str, *, start_date: date, end_date: date) -> Generated:
    """Make the schedule's departures from `start_date` to `end_date` that are not there yet. Safe to repeat.

    None on a blackout, none in the past; what staff have cancelled stays cancelled. Raises ScheduleNotFound,
    ScheduleInactive, PriceMissing.
    """
    schedule = schedules.lock_schedule(conn, schedule_id)
    if not schedule.is_active:
        raise ScheduleInactive
    return _generate(conn, schedule, start_date, end_date)


def fill(conn: Connection, schedule_id: str, *, advance_days: int) -> int:
    """Make the departures up to `advance_days` from today: how many. Raises ScheduleNotFound, PriceMissing."""
    schedule = schedules.lock_schedule(conn, schedule_id)
    today = _today(conn, schedule)
    horizon = today + timedelta(days=advance_days)
    first = max(today, schedule.filled_until + timedelta(days=1)) if schedule.filled_until else today
    made = _generate(conn, schedule, first, horizon).created if schedule.is_active else 0
    conn.execute(queries.note_filled, {"id": schedule_id, "filled_until": horizon})
    return made


def list_unfilled(conn: Connection, *, advance_days: int, limit: int) -> list[str]:
    """Ids of schedules whose departures do not reach `advance_days` from today: those that reach least far first."""
    rows = conn.execute(queries.list_unfilled, {"advance_days": advance_days, "limit": limit})
    return [row["id"] for row in rows]


def adapt(conn: Connection, schedule: Schedule) -> Effect:
    """Make the departures that `schedule` has still to run what it now says. The caller has locked its resource.

    One that it does not have any more is withdrawn: not sold, but it runs for whoever has a seat on it.
    """
    conn.execute(queries.lock_departures, {"resource_id": schedule.resource_id})
    had = conn.execute(queries.list_departures, {"schedule_id": schedule.id}).fetchall()
    # As far as there were any, and as far as the horizon was filled: beyond that, filling it finds the new rule.
    reached = [slot["slot_date"] for slot in had] + ([schedule.filled_until] if schedule.filled_until else [])
    if not reached:
        return Effect()
    first, last = _today(conn, schedule), max(reached)
    wanted = set(dates_between(schedule.recurrence_rule, first, last)) if schedule.is_active else set()
    stays = [slot for slot in had if slot["slot_date"] in wanted and slot["start_time"] == schedule.start_time]
    gone = [slot for slot in had if slot not in stays]
    if gone:
        numbers = [slot["slot_no"] for slot in gone]
        conn.execute(queries.withdraw_slots, {"resource_id": schedule.resource_id, "slots": numbers})
    created = _generate(conn, schedule, first, last).created if schedule.is_active else 0
    overbooked = _update(conn, schedule, stays) if stays else []
    return Effect(
        created=created,
        updated=len(stays),
        withdrawn=sum(1 for slot in gone if not slot["seats"]),
        kept=[slot for slot in gone if slot["seats"]],
        overbooked=overbooked,
    )


def _generate(conn: Connection, schedule: Schedule, start_date: date, end_date: date) -> Generated:
    if schedule.price_per_person is None:
        raise PriceMissing
    days = dates_between(schedule.recurrence_rule, start_date, end_date)
    closed = _closed_dates(conn, schedule, start_date, end_date)
    today = _today(conn, schedule)
    wanted = [day for day in days if day >= today and day not in closed]
    made = _insert(conn, schedule, wanted) if wanted else []
    blacked_out = sum(1 for day in days if day in closed)
    skipped = len(days) - blacked_out - len(made)
    return Generated(created=len(made), skipped=skipped, blacked_out=blacked_out, slots=made)


def _insert(conn: Connection, schedule: Schedule, days: Sequence[date]) -> list[dict[str, Any]]:
    starts = [instant_of(day, schedule.start_time, schedule.time_zone) for day in days]
    ends, end_times = _ends(schedule, starts)
    made = conn.execute(
        queries.insert_slots,
        {
            "resource_id": schedule.resource_id,
            "schedule_id": schedule.id,
            "start_time": schedule.start_time,
            "time_zone": schedule.time_zone,
            "duration_minutes": schedule.duration_minutes,
            "min_capacity": schedule.min_capacity,
            "max_capacity": schedule.max_capacity,
            "price_per_person": schedule.price_per_person,
            "ids": [new_id("slot") for _ in days],
            "dates": list(days),
            "starts": starts,
            "ends": ends,
            "end_times": end_times,
        },
    ).fetchall()
    # Who waits for any departure of the date comes first: the public does not see the seats in between.
    offers.offer_slots(conn, tour_id=schedule.resource_id, slots=[row.pop("slot_no") for row in made])
    return made


def _update(conn: Connection, schedule: Schedule, slots: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    starts = [instant_of(slot["slot_date"], slot["start_time"], schedule.time_zone) for slot in slots]
    ends, end_times = _ends(schedule, starts)
    rows = conn.execute(
        queries.update_slots,
        {
            "resource_id": schedule.resource_id,
            "duration_minutes": schedule.duration_minutes,
            "min_capacity": schedule.min_capacity,
            "max_capacity": schedule.max_capacity,
            "price_per_person": schedule.price_per_person,
            "slots": [slot["slot_no"] for slot in slots],
            "ends": ends,
            "end_times": end_times,
        },
    )
    wider = [slot["slot_no"] for slot in slots if slot["max_capacity"] < schedule.max_capacity]
    offers.offer_slots(conn, tour_id=schedule.resource_id, slots=wider)
    over = {row["slot_no"]: row["overbooked"] for row in rows if row["overbooked"]}
    return [slot | {"overbooked": over[slot["slot_no"]]} for slot in slots if slot["slot_no"] in over]


def _ends(schedule: Schedule, starts: Sequence[datetime]) -> tuple[list[datetime], list[time]]:
    """When departures end, as instants and on the wall clock: they last as long when clocks change on the way."""
    zone = ZoneInfo(schedule.time_zone)
    ends = [start + timedelta(minutes=schedule.duration_minutes) for start in starts]
    return ends, [end.astimezone(zone).time() for end in ends]


def _closed_dates(conn: Connection, schedule: Schedule, start_date: date, end_date: date) -> Collection[date]:
    values = {"resource_id": schedule.resource_id, "start_date": start_date, "end_date": end_date}
    return {
        row["starts_on"] + timedelta(days=n)
        for row in conn.execute(queries.list_closed_dates, values)
        for n in range((row["ends_on"] - row["starts_on"]).days + 1)
    }


def _today(conn: Connection, schedule: Schedule) -> date:
    row = db.one(conn.execute(sql.load("resources").read_today, {"resource_id": schedule.resource_id}))
    today: date = row["today"]
    return today
