"""The calendar file of a booking (RFC 5545), which programs take over, change and remove again by its uid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from icalendar import Calendar, Event


def write_calendar(
    *,
    uid: str,
    sequence: int,
    starts_at: datetime,
    ends_at: datetime,
    summary: str,
    changed_at: datetime,
    description: str = "",
    location: str = "",
    url: str = "",
    method: Literal["PUBLISH", "CANCEL"] = "PUBLISH",
) -> str:
    """One event. `sequence` must rise with each change of the same `uid`; CANCEL takes the event off again."""
    event = Event()
    event.add("uid", uid)
    event.add("sequence", sequence)
    # In UTC, so that no reader needs to know the zone.
    event.add("dtstamp", changed_at.astimezone(UTC))
    event.add("dtstart", starts_at.astimezone(UTC))
    event.add("dtend", ends_at.astimezone(UTC))
    event.add("summary", summary)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    for name, value in (("description", description), ("location", location), ("url", url)):
        if value:
            event.add(name, value)
    calendar = Calendar()
    calendar.add("prodid", "-//Booking bridge//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    return str(calendar.to_ical(), "utf-8")
