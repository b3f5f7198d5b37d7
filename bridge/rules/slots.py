"""How a date or an instant becomes the slot_no of a resource's grain, and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

_EPOCH = date(1970, 1, 1)
_QUARTER_SECONDS = 900  # Every zone's offset is a multiple of 15 minutes.


def day_slot(day: date) -> int:
    """The slot of a local date: its number of days since 1970-01-01."""
    return (day - _EPOCH).days


def slot_day(slot_no: int) -> date:
    """The local date of a day slot."""
    return _EPOCH + timedelta(days=slot_no)


def day_slots(days: Iterable[date]) -> list[int]:
    """The slots of some dates, ascending."""
    return sorted(map(day_slot, days))


def day_runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """The first and last of each run of days that follow each other, ascending."""
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][1] <= timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def quarter_slot(instant: datetime) -> int:
    """The quarter hour an aware instant falls in."""
    return int(instant.timestamp() // _QUARTER_SECONDS)


def quarter_start(slot_no: int) -> datetime:
    """The instant, in UTC, at which a quarter hour starts."""
    return datetime.fromtimestamp(slot_no * _QUARTER_SECONDS, UTC)
