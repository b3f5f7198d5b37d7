"""On which dates a schedule recurs, and at which instant a local date and wall time fall."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")  # Finer ones would be several departures at one start_time.
_PARTS = (
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"),
    *("BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"),
)
_LONGEST_RULE = 500
_MOST_EXDATES = 366
_LARGEST_NUMBER = 10_000  # Of COUNT and INTERVAL: 27 years of days.
_UNTIL = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")
# -1, 2MO, FR: nothing beyond a year's days.
_LIST = re.compile(r"[+-]?[0-9]{0,3}[A-Z]{0,2}(,[+-]?[0-9]{0,3}[A-Z]{0,2})*")

# The calendar repeats every 400 years, weekdays included. The library looks for a next date until the year 9999, which
# for a rule that matches nothing is millions of days: so it is asked about the same dates 7600 years from now, and
# gives up after less than 400.
_YEARS_AHEAD = 7600
_LONGEST_LOOK = timedelta(days=366 * 30)  # A 29 February that is a Monday comes every 28 years.


class RuleError(ValueError):
    """A rule that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """When something recurs, from `valid_from` to `valid_until`, both included."""

    pattern: str  # none, daily, weekly, biweekly, monthly, custom
    valid_from: date
    valid_until: date | None = None
    weekdays: Sequence[int] = ()  # 0 is Monday; none chosen: that of valid_from.
    custom_rule: Mapping[str, Any] | None = None  # {rrule, exdates}


def dates_between(recurrence: Recurrence, start: date, end: date) -> list[date]:
    """Its dates from `start` to `end`, both included, ascending. Raises RuleError."""
    first = max(start, recurrence.valid_from)
    last = min(end, recurrence.valid_until or end)
    if last < first:
        return []
    return [day for day in takewhile(lambda day: day <= last, _all_dates(recurrence)) if day >= first]


def check_rule(recurrence: Recurrence) -> None:
    """Raise RuleError unless the recurrence can be used and has a date, valid_until or not."""
    last = min(recurrence.valid_until or date.max, recurrence.valid_from + _LONGEST_LOOK)
    if not dates_between(recurrence, recurrence.valid_from, last):
        raise RuleError("It has no date at all.")


def instant_of(day: date, wall: time, time_zone: str) -> datetime:
    """The instant of a wall time on a date, in UTC.

    A time that comes twice, because clocks go back, is the first of the two. One that a clock jumps over is as long
    after midnight as it would be without the jump: 02:30 is shown as 03:30 that day (RFC 5545, 3.3.5).
    """
    return datetime.combine(day, wall, ZoneInfo(time_zone)).astimezone(UTC)


def _all_dates(recurrence: Recurrence) -> Iterator[date]:
    if recurrence.pattern == "none":
        yield recurrence.valid_from
        return
    text, until, exdates = _rule_of(recurrence)
    start = recurrence.valid_from.replace(year=recurrence.valid_from.year + _YEARS_AHEAD)
    try:
        for found in rrulestr(text, dtstart=datetime.combine(start, time())):
            day = found.date().replace(year=found.year - _YEARS_AHEAD)
            if until is not None and day > until:
                return
            if day not in exdates:
                yield day
    # What the library makes of numbers that no month, week or year has.
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise RuleError(f"It cannot be read: {error}.") from error


def _rule_of(recurrence: Recurrence) -> tuple[str, date | None, Collection[date]]:
    """The RFC 5545 rule, its last date and the dates left out."""
    # Every second week is counted from the week of valid_from, and weeks begin on Monday.
    days = ",".join(_WEEKDAYS[day] for day in sorted(set(recurrence.weekdays)) or [recurrence.valid_from.weekday()])
    match recurrence.pattern:
        case "daily":
            return "FREQ=DAILY", None, ()
        case "weekly":
            return f"FREQ=WEEKLY;WKST=MO;BYDAY={days}", None, ()
        case "biweekly":
            return f"FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY={days}", None, ()
        case "monthly":
            return "FREQ=MONTHLY", None, ()
    return _read_custom(recurrence.custom_rule or {})


def _read_custom(plain: Mapping[str, Any]) -> tuple[str, date | None, Collection[date]]:
    text = plain.get("rrule")
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_RULE:
        raise RuleError(f"rrule: a text of at most {_LONGEST_RULE} characters.")
    parts = _read_parts(text.upper().removeprefix("RRULE:"))
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RuleError(f"FREQ must be one of {', '.join(_FREQUENCIES)}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleError("COUNT and UNTIL exclude each other.")
    for name in ("COUNT", "INTERVAL"):
        if name in parts and not (parts[name].isdecimal() and 0 < int(parts[name][:9]) <= _LARGEST_NUMBER):
            raise RuleError(f"{name} must be from 1 to {_LARGEST_NUMBER}.")
    until = _read_until(parts.pop("UNTIL", None))
    return ";".join(f"{name}={value}" for name, value in parts.items()), until, _read_exdates(plain.get("exdates"))


def _read_parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip(";").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise RuleError(f"It may have {', '.join(_PARTS)}, and neither times of day nor anything else.")
        if name in parts or not value:
            raise RuleError(f"{name} must be given once, with a value.")
        if name.startswith("BY") and not _LIST.fullmatch(value):
            raise RuleError(f"{name} cannot be read.")
        parts[name] = value
    return parts


def _read_until(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        if not _UNTIL.fullmatch(text):
            raise ValueError
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise RuleError("UNTIL must be a date such as 20261231.") from error


def _read_exdates(plain: Any) -> Collection[date]:
    if plain is None:
        return ()
    if not isinstance(plain, list) or len(plain) > _MOST_EXDATES:
        raise RuleError(f"exdates: a list of at most {_MOST_EXDATES} dates.")
    try:
        return frozenset(date.fromisoformat(day) for day in plain)
    except (ValueError, TypeError) as error:
        raise RuleError("exdates: each must be YYYY-MM-DD.") from error
