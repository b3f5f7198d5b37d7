"""What becomes of reservations: how many are paid, lapse, are given up; how often what is asked for cannot be had.

The figures are read from the rows themselves, which are kept for good: neither reservations, holds, allocations nor
counted refusals are ever deleted, so a figure of last year is what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from bridge import db, sql
from bridge.core import resources
from bridge.db import Connection
from bridge.errors import InvalidData

queries = sql.load("reservation_reports")

DEFAULT_DAYS = 30
MAX_DAYS = 366

_Key = tuple[date | None, str | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of the reservations begun in a range, as of this second.

    Of a resource, or grouped by resource, a reservation counts once at each resource that an item of it was ever of, by
    what became of those items.
    """

    begun: int = 0  # Numbers whose first item was held then.
    paid: int = 0  # An order has, had or is owed an item, whatever became of that since.
    partly_paid: int = 0  # Of them: an item that was not taken out is without a place by payment.
    paid_late: int = 0  # Of them: an item's time had run out when the order came.
    cancelled_after_payment: int = 0  # Of them: nothing of it stands any more.
    lapsed: int = 0  # Its time ran out.
    abandoned: int = 0  # Given back before payment: by the closing page, item by item, or as its payment was given up.
    # Taken back before payment by the seller: a blackout, a cancelled departure, a deleted resource.
    withdrawn: int = 0
    open: int = 0  # Something is held this second.
    items: int = 0  # Ever added, also those taken out again.
    items_paid: int = 0
    average_seconds_to_payment: float | None = None  # From the first item to the first allocation.
    median_seconds_to_payment: float | None = None
    p95_seconds_to_payment: float | None = None
    refusals: Mapping[str, int] = field(default_factory=dict)  # Items asked for and not had, by reason.

    @property
    def decided(self) -> int:
        """How many their customers have decided on: paid, let lapse, or given back."""
        return self.paid + self.lapsed + self.abandoned

    @property
    def success_rate(self) -> float | None:
        """The part of those decided that was paid."""
        return _rate(self.paid, self.decided)

    @property
    def expiry_rate(self) -> float | None:
        """The part of those decided whose time ran out."""
        return _rate(self.lapsed, self.decided)

    @property
    def abandonment_rate(self) -> float | None:
        """The part of those decided that was given back."""
        return _rate(self.abandoned, self.decided)

    @property
    def conflicts(self) -> int:
        """How many items were asked for and not had."""
        return sum(self.refusals.values())

    @property
    def conflict_rate(self) -> float | None:
        """The part of the items asked for that could not be had."""
        return _rate(self.conflicts, self.conflicts + self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The figures of one day or of one resource."""

    date: date | None
    resource_id: str | None
    name: str | None
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics:
    """The figures of a range of days, inclusive, and of each group in it."""

    start_date: date
    end_date: date
    time_zone: str
    summary: Figures
    breakdown: Sequence[Group]


def analyse(
    conn: Connection,
    *,
    time_zone: str,
    start_date: date | None = None,
    end_date: date | None = None,
    resource_id: str | None = None,
    group_by: str = "none",
) -> Analytics:
    """The figures of the reservations begun on these days, by default of the last 30; by `day`, `resource` or `none`.

    A day is one of the resource's zone, or of `time_zone` where no resource is asked for; grouped by resource, of each
    resource's own. Refusals always count on the day of their resource's zone. By day, every day of the range is in the
    breakdown; by resource, those of which there was anything. Raises ResourceNotFound, InvalidData.
    """
    if resource_id is not None:
        time_zone = resources.get_resource(conn, resource_id).time_zone
    today = db.one(conn.execute("SELECT (now() AT TIME ZONE %s)::date AS today", [time_zone]))["today"]
    start, end = _range(start_date, end_date, today)
    asked = {"start_date": start, "end_date": end, "resource_id": resource_id, "time_zone": time_zone}
    whole = _count(conn, asked | {"group_by": "none", "by_resource": resource_id is not None})
    grouped: dict[_Key, Figures] = {}
    if group_by != "none":
        by_resource = group_by == "resource" or resource_id is not None
        grouped = _count(conn, asked | {"group_by": group_by, "by_resource": by_resource})
    if group_by == "day":
        days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        grouped = {(day, None, None): grouped.get((day, None, None), Figures()) for day in days}
    return Analytics(
        start_date=start,
        end_date=end,
        time_zone=time_zone,
        summary=whole.get((None, None, None), Figures()),
        breakdown=[
            Group(date=key[0], resource_id=key[1], name=key[2], figures=grouped[key]) for key in _sorted(grouped)
        ],
    )


def _range(start: date | None, end: date | None, today: date) -> tuple[date, date]:
    """What was asked for, filled up to 30 days. Raises InvalidData."""
    if end is None:
        end = today if start is None else max(start, min(today, start + timedelta(days=MAX_DAYS - 1)))
    if start is None:
        start = end - timedelta(days=DEFAULT_DAYS - 1)
    if end < start:
        raise InvalidData("end_date: Must not be before start_date.")
    if (end - start).days >= MAX_DAYS:
        raise InvalidData(f"end_date: At most {MAX_DAYS} days, the first and the last included.")
    return start, end


def _count(conn: Connection, asked: Mapping[str, Any]) -> dict[_Key, Figures]:
    # Planned for each range: what suits a day would take a year for a year.
    fates = {_key(row): row for row in conn.execute(queries.count_fates, asked, prepare=False)}
    refusals: dict[_Key, dict[str, int]] = defaultdict(dict)
    for row in conn.execute(queries.count_refusals, asked, prepare=False):
        refusals[_key(row)][row["reason"]] = row["n"]
    names = Figures.__dataclass_fields__.keys() - {"refusals"}
    return {
        key: Figures(**{name: fates[key][name] for name in names if key in fates}, refusals=refusals.get(key, {}))
        for key in fates.keys() | refusals.keys()
    }


def _key(row: Mapping[str, Any]) -> _Key:
    return row["day"], row["resource_id"], row["name"]


def _sorted(grouped: Mapping[_Key, Figures]) -> list[_Key]:
    return sorted(grouped, key=lambda key: (key[0] or date.min, key[2] or "", key[1] or ""))


def _rate(part: int, whole: int) -> float | None:
    """None where there is nothing to be a part of."""
    return round(part / whole, 4) if whole else None
