"""Schedules: when a tour departs, again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bridge import sql
from bridge.core import closures, resources
from bridge.db import Connection
from bridge.errors import InvalidData, PriceMissing, ScheduleNotFound, SoldByTheDay
from bridge.ids import new_id
from bridge.rules.recurrence import Recurrence, RuleError, check_rule

queries = sql.load("schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a tour departs, how many it takes, and what a departure costs: its own price, or else the tour's."""

    id: str
    resource_id: str
    name: str
    start_time: time
    duration_minutes: int
    recurrence: str
    weekdays: Sequence[int]
    custom_rule: dict[str, Any] | None
    max_capacity: int
    min_capacity: int
    valid_from: date
    valid_until: date | None
    price_override: Decimal | None
    is_active: bool
    filled_until: date | None
    created_at: datetime
    updated_at: datetime
    time_zone: str
    price_per_person: Decimal | None

    @property
    def recurrence_rule(self) -> Recurrence:
        """On which dates it recurs."""
        return Recurrence(
            pattern=self.recurrence,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            weekdays=self.weekdays,
            custom_rule=self.custom_rule,
        )


def create_schedule(conn: Connection, *, tour_id: str, **values: Any) -> Schedule:
    """A new schedule of a tour, without departures yet. The first makes a tour one that is sold by the departure.

    Raises ResourceNotFound, SoldByTheDay, PriceMissing, and InvalidData, which names the field.
    """
    resource = resources.lock_resource(conn, tour_id)
    if resource.type != "TOUR":
        raise _invalid("tour_id", "Not a tour.")
    is_sold_so = resource.grain == "departure"
    if not is_sold_so and not conn.execute(queries.sell_by_departure, {"resource_id": tour_id}).rowcount:
        raise SoldByTheDay
    if values["price_override"] is None and resource.price_per_person is None:
        raise PriceMissing
    _check(values)
    schedule_id = new_id("sched")
    conn.execute(queries.insert_schedule, {**_row(values), "id": schedule_id, "resource_id": tour_id})
    return get_schedule(conn, schedule_id)


def get_schedule(conn: Connection, schedule_id: str) -> Schedule:
    """The schedule. Raises ScheduleNotFound, also of a deleted one."""
    with conn.cursor(row_factory=class_row(Schedule)) as cursor:
        schedule = cursor.execute(queries.find_schedule, {"schedule_id": schedule_id}).fetchone()
    if schedule is None:
        raise ScheduleNotFound
    return schedule


def list_schedules(
    conn: Connection, *, limit: int, offset: int, tour_id: str | None = None, is_active: bool | None = None
) -> tuple[list[Schedule], int]:
    """A page of schedules, newest first, and how many there are in all."""
    filters = {"resource_id": tour_id, "is_active": is_active}
    rows = conn.execute(queries.list_schedules, {**filters, "limit": limit, "offset": offset}).fetchall()
    if not rows and offset:
        _first, total = list_schedules(conn, limit=1, offset=0, tour_id=tour_id, is_active=is_active)
        return [], total
    page = [Schedule(**{name: row[name] for name in Schedule.__dataclass_fields__}) for row in rows]
    return page, rows[0]["total"] if rows else 0


def change_schedule(
    conn: Connection, schedule_id: str, *, changes: Mapping[str, Any], days: Mapping[int, bool]
) -> Schedule:
    """Set the fields in `changes`, and the weekdays in `days`; its departures are another matter: see departures.adapt.

    Leaves the resource locked. Raises ScheduleNotFound, PriceMissing, and InvalidData, which names the field.
    """
    before = lock_schedule(conn, schedule_id)
    weekdays = {*before.weekdays, *(day for day, chosen in days.items() if chosen)}
    weekdays -= {day for day, chosen in days.items() if not chosen}
    values = {**asdict(before), **changes, "weekdays": sorted(weekdays)}
    if values["recurrence"] != "custom" and "custom_rule" not in changes:
        values["custom_rule"] = None
    _check(values)
    conn.execute(queries.update_schedule, {**_row(values), "id": schedule_id})
    after = get_schedule(conn, schedule_id)
    if after.price_per_person is None:
        raise PriceMissing
    return after


def delete_schedule(conn: Connection, schedule_id: str) -> Schedule:
    """Forget the schedule; it as it was, inactive. Leaves the resource locked. Raises ScheduleNotFound."""
    before = lock_schedule(conn, schedule_id)
    conn.execute(queries.delete_schedule, {"id": schedule_id})
    return Schedule(**{**_fields(before), "is_active": False})


def lock_schedule(conn: Connection, schedule_id: str) -> Schedule:
    """The schedule, its resource locked: changes of it, of its departures and of blackouts take turns.

    Raises ScheduleNotFound, also where the tour is deleted.
    """
    schedule = get_schedule(conn, schedule_id)
    if not closures.lock_resources(conn, schedule.resource_id):
        raise ScheduleNotFound
    return get_schedule(conn, schedule_id)


def _fields(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    rule = values["custom_rule"]
    return {**values, "custom_rule": None if rule is None else Jsonb(rule)}


def _check(values: Mapping[str, Any]) -> None:
    if values["min_capacity"] > values["max_capacity"]:
        raise _invalid("min_capacity", "Must not be more than max_capacity.")
    if values["valid_until"] is not None and values["valid_until"] < values["valid_from"]:
        raise _invalid("valid_until", "Must not be before valid_from.")
    if (values["recurrence"] == "custom") != (values["custom_rule"] is not None):
        raise _invalid("custom_rule", "Belongs to recurrence custom, which needs it.")
    if values["recurrence"] == "custom":
        try:
            check_rule(
                Recurrence(
                    pattern="custom",
                    valid_from=values["valid_from"],
                    valid_until=values["valid_until"],
                    custom_rule=values["custom_rule"],
                )
            )
        except RuleError as error:
            raise _invalid("custom_rule", str(error)) from error


def _invalid(field: str, message: str) -> InvalidData:
    return InvalidData(f"{field}: {message}", fields={field: [message]})
