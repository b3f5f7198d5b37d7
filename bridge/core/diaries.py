"""The diaries of everybody who does a service: when they are open, and what of that is gone. Read in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bridge import sql
from bridge.core import openings
from bridge.core.services import Service
from bridge.db import Connection
from bridge.errors import ServiceNotFound, StaffNotFound
from bridge.rules.openings import Hours, Shape, Starts, Taken, find_starts, local_date
from bridge.rules.slots import quarter_slot

queries = sql.load("diaries")


@dataclass(frozen=True, slots=True)
class Diary:
    """One member of staff's: the rules of when, what is taken, and the dates that something else closes."""

    staff_id: str
    revision: int
    hours: Hours
    taken: Taken
    closed_on: frozenset[date]

    def works_at(self, start: int, shape: Shape) -> bool:
        """Whether they work all through an appointment of this shape, whatever is taken."""
        day = local_date(self.hours.time_zone, start)
        return start in find_starts(self.hours, day, shape, taken=self.taken, closed_on=self.closed_on).offered


@dataclass(frozen=True, slots=True)
class Crew:
    """A service, and the diaries of those who do it, by their ids."""

    service: Service
    diaries: Sequence[Diary]
    now: datetime

    def starts(self, diary: Diary, day: date) -> Starts:
        """Where on a local date somebody may start with the service, and where they are free to."""
        if self.is_too_far(diary, day):
            return Starts((), frozenset())
        return find_starts(
            diary.hours,
            day,
            self.service.shape,
            taken=diary.taken,
            closed_on=diary.closed_on,
            earliest=self.earliest,
        )

    def is_too_far(self, diary: Diary, day: date) -> bool:
        """Whether a local date lies further ahead than the service can be booked."""
        days_ahead = self.service.advance_days
        today = self.now.astimezone(ZoneInfo(diary.hours.time_zone)).date()
        return days_ahead is not None and day > today + timedelta(days=days_ahead)

    @property
    def earliest(self) -> int:
        """The first quarter hour that is neither past nor within the notice that the service needs."""
        notice = timedelta(minutes=self.service.notice_minutes)
        return quarter_slot(self.now + notice - timedelta(microseconds=1)) + 1


# Rules as they were computed from, by staff, and services as they were read last. Exact all the same: of what is used,
# the revision and the zone are read each time, or seen to when it is booked.
_kept: dict[str, tuple[int, Hours]] = {}
_services: dict[str, Service] = {}
_NOTHING = Taken()


def recall(service_id: str, staff_id: str) -> tuple[Service, Diary] | None:
    """The service and the diary as they were read last, with nothing of what is taken; None before the first time.

    Good for who finds out when booking that something has changed since: see functions/4_place_appointment.sql.
    """
    service, kept = _services.get(service_id), _kept.get(staff_id)
    if service is None or kept is None:
        return None
    return service, Diary(staff_id, *kept, _NOTHING, frozenset())


def open_crew(
    conn: Connection,
    *,
    service_id: str,
    first_day: date,
    last_day: date,
    staff_id: str | None = None,
    on_sale: bool = True,
) -> Crew:
    """The diaries for starts from `first_day` to `last_day`, of `staff_id` or of everybody who does the service.

    Without `on_sale` also of a service that is not sold any more.
    Raises ServiceNotFound, and StaffNotFound of somebody named who is not there or does not work.
    """
    named: dict[str, Any] = {"service_id": service_id, "staff_id": staff_id, "on_sale": on_sale}
    named |= {"first_day": first_day, "last_day": last_day}
    row = conn.execute(queries.read_crew, named).fetchone()
    if row is None:
        raise ServiceNotFound
    if staff_id is not None and not row["is_there"]:
        raise StaffNotFound
    service = Service(**{name: row[name] for name in Service.__dataclass_fields__})
    if on_sale:
        _services[service_id] = service
    members = list(zip(row["staff_ids"] or (), row["revisions"] or (), row["time_zones"] or (), strict=True))
    hours = _hours_of(conn, members)
    full, half = _by_staff(row, "full"), _by_staff(row, "half")
    closed = _closed_days(row, first_day - timedelta(days=1), last_day + timedelta(days=1))
    everybody = closed.get(None, set())
    diaries = [
        Diary(
            member,
            revision,
            hours[member],
            Taken(full.get(member, ()), half.get(member, ())),
            frozenset(everybody | closed.get(member, set())),
        )
        for member, revision, _zone in members
    ]
    return Crew(service, diaries, row["now"])


def _hours_of(conn: Connection, members: Iterable[tuple[str, int, str]]) -> dict[str, Hours]:
    hours = {}
    unknown = []
    for staff_id, revision, time_zone in members:
        kept = _kept.get(staff_id)
        if kept is not None and kept[0] == revision and kept[1].time_zone == time_zone:
            hours[staff_id] = kept[1]
        else:
            unknown.append((staff_id, time_zone))
    if unknown:
        # With the revision as it is now: the one read before may be older than these rules.
        revisions = {
            row["id"]: row["revision"]
            for row in conn.execute(queries.read_revisions, {"staff_ids": [staff_id for staff_id, _zone in unknown]})
        }
        rules = openings.list_rules(conn, [staff_id for staff_id, _zone in unknown])
        for staff_id, time_zone in unknown:
            hours[staff_id] = Hours(time_zone, openings.rules_of(rules[staff_id]))
            _kept[staff_id] = (revisions[staff_id], hours[staff_id])
    return hours


def _by_staff(row: dict[str, Any], what: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for staff_id, slot in zip(row[f"{what}_staff"] or (), row[f"{what}_slots"] or (), strict=True):
        found.setdefault(staff_id, []).append(slot)
    return found


def _closed_days(row: dict[str, Any], first: date, last: date) -> dict[str | None, set[date]]:
    closed: dict[str | None, set[date]] = {}
    spans = zip(row["closed_staff"] or (), row["closed_from"] or (), row["closed_until"] or (), strict=True)
    for staff_id, starts_on, ends_on in spans:
        start, end = max(first, starts_on), min(last, ends_on)
        days = {start + timedelta(days=n) for n in range((end - start).days + 1)}
        closed.setdefault(staff_id, set()).update(days)
    return closed
