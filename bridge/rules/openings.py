"""When a member of staff can be booked: weekly hours, exceptions and blocked time in, starts of appointments out.

Everything counts in quarter hours of UTC, as the ledger does, and is kept as bits of a number, one a quarter hour: a
whole crew's day is then a few operations. A quarter hour is open when its local wall time is inside the hours, so a
repeated hour is open twice and a skipped one not at all. What is offered and what is accepted are both `find_starts`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

QUARTER_MINUTES = 15
_QUARTER_SECONDS = QUARTER_MINUTES * 60
DAY_MINUTES = 24 * 60
_DAY_QUARTERS = DAY_MINUTES // QUARTER_MINUTES
_BELOW = 2 * _DAY_QUARTERS  # No start of a day reaches back further than this from its beginning.
_FARTHEST_OFFSET = timedelta(hours=15)  # No zone is further from UTC.
_LONGEST_DAY = timedelta(hours=26)

# What an appointment takes of each quarter hour that its member of staff has two of: buffers may share one, and
# nothing shares with a service.
SERVICE_WEIGHT = 2
BUFFER_WEIGHT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a member of staff: from `opens` to `closes`, in minutes after local midnight.

    `recurring` holds every week on `day_of_week` (0 is Monday). An available `exception` replaces the weekly hours of
    its date. Whatever is not available is taken away: by the week, for a date, or as `blocked` time.
    """

    kind: Literal["recurring", "exception", "blocked"]
    is_available: bool = True
    day_of_week: int | None = None
    on_date: date | None = None
    opens: int = 0
    closes: int = DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Shape:
    """How many quarter hours an appointment takes before its start, from it on, and after it."""

    before: int
    service: int
    after: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What of a member of staff's time is gone: quarter hours with nothing left, and those with one buffer in them."""

    full: Collection[int] = ()
    half: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Starts:
    """The quarter hours at which an appointment may start by the rules, and which of them are free; ascending."""

    offered: Sequence[int]
    free: frozenset[int]


@dataclass(slots=True)
class Hours:
    """The rules of one member of staff, with what has been computed from them."""

    time_zone: str
    rules: Sequence[Rule]
    _open: dict[date, tuple[int, int]] = field(default_factory=dict)

    def open_on(self, day: date) -> tuple[int, int]:
        """The open quarter hours of a local date: the first slot of the date, and bits counted from it."""
        if (known := self._open.get(day)) is None:
            if len(self._open) > 1000:  # Years of dates; whoever asks for more has them computed again.
                self._open.clear()
            known = self._open[day] = _open_on(self.rules, day, local_day(self.time_zone, day))
        return known


@dataclass(frozen=True, slots=True)
class LocalDay:
    """The quarter hours of a local date, in the order of time, and the wall minute each starts at."""

    slots: Sequence[int]
    minutes: Sequence[int]

    @property
    def bits(self) -> int:
        """Its quarter hours as bits, counted from the first."""
        if self.is_plain:
            return (1 << _DAY_QUARTERS) - 1
        return _bits(self.slots, self.slots[0])

    @property
    def is_plain(self) -> bool:
        """Whether it has 24 hours, each once."""
        return len(self.slots) == _DAY_QUARTERS and self.slots[-1] - self.slots[0] == _DAY_QUARTERS - 1


def shape_of(duration_minutes: int, buffer_before_minutes: int, buffer_minutes: int) -> Shape:
    """What an appointment of these minutes takes: whole quarter hours, rounded up.

    A buffer begins when the service ends, so it may lie in the quarter hour that the service has anyway.
    """
    service = _quarters(duration_minutes)
    return Shape(_quarters(buffer_before_minutes), service, _quarters(duration_minutes + buffer_minutes) - service)


def claims_of(shape: Shape, start: int) -> list[tuple[int, int]]:
    """(slot, weight) of every quarter hour that an appointment at the slot `start` takes, ascending."""
    end = start + shape.service
    return [
        *((slot, BUFFER_WEIGHT) for slot in range(start - shape.before, start)),
        *((slot, SERVICE_WEIGHT) for slot in range(start, end)),
        *((slot, BUFFER_WEIGHT) for slot in range(end, end + shape.after)),
    ]


def find_starts(
    hours: Hours, day: date, shape: Shape, *, taken: Taken, closed_on: Collection[date] = (), earliest: int = 0
) -> Starts:
    """Where on the local date `day` an appointment may start, from the slot `earliest` on.

    The whole of it, buffers included, has to fit into open time; it may run on into the next date where that is open
    without a gap. `closed_on` are dates that something else closes.
    """
    today = local_day(hours.time_zone, day)
    if not today.slots:
        return Starts((), frozenset())
    base = today.slots[0] - _BELOW
    open_bits = 0
    for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
        if near not in closed_on:
            first, bits = hours.open_on(near)
            open_bits |= bits << (first - base)
    starts = (_runs(open_bits, shape.before + shape.service + shape.after) << shape.before) & (today.bits << _BELOW)
    if earliest > base:
        starts = starts >> (earliest - base) << (earliest - base)
    part = ~_bits(taken.full, base)
    whole = part & ~_bits(taken.half, base)
    free = (
        starts
        & _runs(part, shape.before) << shape.before
        & _runs(whole, shape.service)
        & _runs(part, shape.after) >> shape.service
    )
    return Starts([base + bit for bit in _positions(starts)], frozenset([base + bit for bit in _positions(free)]))


@lru_cache(maxsize=4096)
def local_day(time_zone: str, day: date) -> LocalDay:
    """The quarter hours of a date in a zone: 96, but for days on which clocks change."""
    zone = ZoneInfo(time_zone)
    midnight = datetime.combine(day, time(), UTC)
    first = int((midnight - _FARTHEST_OFFSET).timestamp()) // _QUARTER_SECONDS
    last = int((midnight + _FARTHEST_OFFSET + _LONGEST_DAY).timestamp()) // _QUARTER_SECONDS
    walls = ((slot, datetime.fromtimestamp(slot * _QUARTER_SECONDS, zone)) for slot in range(first, last))
    found = [(slot, wall.hour * 60 + wall.minute) for slot, wall in walls if wall.date() == day]
    return LocalDay([slot for slot, _minute in found], [minute for _slot, minute in found])


def local_date(time_zone: str, slot: int) -> date:
    """The local date a quarter hour starts on."""
    return datetime.fromtimestamp(slot * _QUARTER_SECONDS, ZoneInfo(time_zone)).date()


def _open_on(rules: Iterable[Rule], on_date: date, day: LocalDay) -> tuple[int, int]:
    if not day.slots:  # Samoa had no 30 December 2011.
        return 0, 0
    todays = [rule for rule in rules if on_date == rule.on_date or on_date.weekday() == rule.day_of_week]
    weekly = [rule for rule in todays if rule.kind == "recurring"]
    special = [rule for rule in todays if rule.kind == "exception" and rule.is_available]
    bits = 0
    for opens, closes in _merged(special or [rule for rule in weekly if rule.is_available]):
        bits |= _inside(day, opens, closes)
    for rule in todays:
        is_weekly = rule.kind == "recurring"
        is_closing = rule.kind == "blocked" or not rule.is_available
        if is_closing and not (is_weekly and special):
            bits &= ~_touching(day, rule.opens, rule.closes)
    return day.slots[0], bits


def _merged(rules: Iterable[Rule]) -> list[tuple[int, int]]:
    """Hours that touch or overlap are one: a quarter hour may lie on both sides of where they meet."""
    merged: list[tuple[int, int]] = []
    for opens, closes in sorted((rule.opens, rule.closes) for rule in rules):
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closes))
        else:
            merged.append((opens, closes))
    return merged


def _quarters(minutes: int) -> int:
    return -(-minutes // QUARTER_MINUTES)


def _inside(day: LocalDay, opens: int, closes: int) -> int:
    """Bits, from the day's first slot, of the quarter hours that lie whole between two wall times."""
    if day.is_plain:
        first, last = _quarters(opens), closes // QUARTER_MINUTES
        return ((1 << (last - first)) - 1) << first if last > first else 0
    return sum(1 << n for n, minute in _numbered(day) if opens <= minute and minute + QUARTER_MINUTES <= closes)


def _touching(day: LocalDay, opens: int, closes: int) -> int:
    """Bits of the quarter hours that have any part between two wall times."""
    return sum(1 << n for n, minute in _numbered(day) if minute < closes and opens < minute + QUARTER_MINUTES)


def _numbered(day: LocalDay) -> Iterator[tuple[int, int]]:
    return ((slot - day.slots[0], minute) for slot, minute in zip(day.slots, day.minutes, strict=True))


def _runs(bits: int, length: int) -> int:
    """Bits at which `length` bits in a row begin."""
    if length == 0:
        return -1
    found = 1
    while found < length:
        step = min(found, length - found)
        bits &= bits >> step
        found += step
    return bits


def _bits(slots: Iterable[int], base: int) -> int:
    bits = 0
    for slot in slots:
        if slot >= base:
            bits |= 1 << (slot - base)
    return bits


def _positions(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
