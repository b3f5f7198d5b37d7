"""The calendar file of a booking (RFC 5545), which programs take over, change and remove again by its uid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from icalendar import Calendar, Event

Method = Literal["PUBLISH", "CANCEL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, from an instant to an instant, or, of dates, all day long from the first to the last of them.

    `sequence` must rise with each change of the same `uid`.
    """

    uid: str
    sequence: int
    starts_at: datetime | date
    ends_at: datetime | date
    summary: str
    changed_at: datetime
    description: str = ""
    location: str = ""
    url: str = ""


def write_calendar(entries: Sequence[Entry], *, method: Method = "PUBLISH") -> str:
    """A file of these events; CANCEL takes them off again."""
    calendar = Calendar()
    calendar.add("prodid", "-//Booking bridge//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    for entry in entries:
        calendar.add_component(_event(entry, method))
    return str(calendar.to_ical(), "utf-8")


def _event(entry: Entry, method: Method) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.changed_at.astimezone(UTC))
    event.add("dtstart", _as_written(entry.starts_at))
    # The first moment, or day, after it.
    ends_at = entry.ends_at
    event.add("dtend", _as_written(ends_at if isinstance(ends_at, datetime) else ends_at + timedelta(days=1)))
    event.add("summary", entry.summary)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    for name, value in (("description", entry.description), ("location", entry.location), ("url", entry.url)):
        if value:
            event.add(name, value)
    return event


def _as_written(moment: datetime | date) -> datetime | date:
    # In UTC, so that no reader needs to know the zone.
    return moment.astimezone(UTC) if isinstance(moment, datetime) else moment
