"""What the metadata of a line, an order or a cart says of a booking.

A browser wrote it, so nothing in it may raise: a field that cannot be read is left out, and a sentence says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from schemas.medusa import is_storable

MAX_TEXT_LENGTH = 200
MAX_HOLD_IDS = 60
MAX_DATES = 366
MAX_RANGE_DAYS = 365
MAX_PARTY = 1000  # Far above any party.
_YEARS = range(2000, 2200)  # As far as calendars of ours go: the day after, and another zone, are still dates.

_NO_DATES: tuple[date, ...] = ()
_Value = TypeVar("_Value")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _UnreadableError(Exception):
    """The field it is raised for says nothing usable; the message goes on after the field's name."""


@dataclass(slots=True)
class Claims:
    """One metadata object, read field by field; `complaints` gathers what could not be."""

    metadata: object
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.metadata, dict | None):
            self.complaints.append("metadata is not an object.")

    def get(self, name: str) -> object:
        """The field as written. Empty is absent: Medusa deletes a key that is set to ""."""
        value = self.metadata.get(name) if isinstance(self.metadata, dict) else None
        return None if value in ("", [], {}) else value

    def text(self, name: str) -> str | None:
        """A text: an id, a booking number."""
        return self._read(name, _text, None)

    def instant(self, name: str) -> datetime | None:
        """An RFC 3339 time, as UTC."""
        return self._read(name, _instant, None)

    def hold_ids(self) -> tuple[str, ...]:
        """Every hold named, each once, in the order they are named; a booking stands for its hold."""
        named = [self.text(name) for name in ("booking_hold_id", "booking_id", "booking_reference")]
        for name in ("booking_hold_ids", "booking_holds"):
            named += self._read(name, _hold_list, [])
        hold_ids = tuple(dict.fromkeys(hold_id for hold_id in named if hold_id))
        if len(hold_ids) > MAX_HOLD_IDS:
            self.complaints.append(f"metadata names more than {MAX_HOLD_IDS} holds.")
            return ()
        return hold_ids

    def dates(self) -> tuple[date, ...]:
        """The local dates named, ascending: by the first of the spellings that can be read."""
        for name in ("booking_dates", "dates", "date"):
            if days := self._read(name, _date_list, _NO_DATES):
                return days
        return self._date_range()

    def party(self) -> tuple[int, int, int] | None:
        """How many adults, children and infants come along."""
        return self._read("party", _party, None)

    def complaint(self) -> str | None:
        """All complaints as one text."""
        return " ".join(dict.fromkeys(self.complaints)) or None

    def _date_range(self) -> tuple[date, ...]:
        first, last = self.get("start_date"), self.get("end_date")
        try:
            return () if first is None and last is None else _days_between(first, last)
        except _UnreadableError as problem:
            self.complaints.append(f"start_date to end_date {problem}.")
            return ()

    def _read(self, name: str, parse: Callable[[object], _Value], otherwise: _Value) -> _Value:
        try:
            return parse(self.get(name))
        except _UnreadableError as problem:
            # Never quotes what was written: it may be long, or hold what a database cannot store.
            self.complaints.append(f"{name} {problem}.")
            return otherwise


def _text(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _UnreadableError("is not a text")
    if len(value) > MAX_TEXT_LENGTH:
        raise _UnreadableError(f"is longer than {MAX_TEXT_LENGTH} characters")
    if not is_storable(value):
        raise _UnreadableError("has characters that cannot be stored")
    return value.strip() or None


def _instant(value: object) -> datetime | None:
    if (text := _text(value)) is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise _UnreadableError("has no time zone")
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _UnreadableError("is not a time") from error
    if instant.year not in _YEARS:
        raise _UnreadableError(f"is not a time from {_YEARS.start} to {_YEARS[-1]}")
    return instant


def _party(value: object) -> tuple[int, int, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _UnreadableError("is not an object")
    adults, children, infants = (
        next((value[name] for name in names if value.get(name) is not None), 0)
        for names in (("adult", "adults"), ("child", "children"), ("infant", "infants"))
    )
    counts = (adults, children, infants)
    if not all(isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_PARTY for count in counts):
        raise _UnreadableError("does not count adult, child and infant")
    if not adults + children:
        raise _UnreadableError("has nobody who takes a seat")
    return counts


def _hold_list(value: object) -> list[str | None]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _UnreadableError("is not a list")
    if len(value) > MAX_HOLD_IDS:
        raise _UnreadableError(f"names more than {MAX_HOLD_IDS} holds")
    return [_text(_hold_id(item)) for item in value]


def _hold_id(item: object) -> object:
    if not isinstance(item, dict):
        return item
    if not (hold_id := item.get("id") or item.get("hold_id")):
        raise _UnreadableError("has an entry without an id")
    return hold_id


def _date_list(value: object) -> tuple[date, ...]:
    if value is None:
        return ()
    # One more piece than is allowed is enough to know that there are too many.
    items = [piece for piece in value.split(",", MAX_DATES) if piece.strip()] if isinstance(value, str) else value
    if not isinstance(items, list):
        raise _UnreadableError("is not a list of dates")
    if len(items) > MAX_DATES:
        raise _UnreadableError(f"names more than {MAX_DATES} dates")
    return tuple(sorted({_date(item) for item in items}))


def _days_between(first: object, last: object) -> tuple[date, ...]:
    if first is None or last is None:
        raise _UnreadableError("lacks one of the two")
    start, end = _date(first), _date(last)
    length = (end - start).days + 1
    if length < 1:
        raise _UnreadableError("ends before it starts")
    if length > MAX_RANGE_DAYS:
        raise _UnreadableError(f"is longer than {MAX_RANGE_DAYS} days")
    return tuple(start + timedelta(days=offset) for offset in range(length))


def _date(value: object) -> date:
    # Nothing but YYYY-MM-DD: which day a time falls on depends on a zone that is not written here.
    text = value.strip() if isinstance(value, str) else ""
    if not _DATE.fullmatch(text):
        raise _UnreadableError("does not say dates such as 2026-12-24")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _UnreadableError("says a date that no calendar has") from error
