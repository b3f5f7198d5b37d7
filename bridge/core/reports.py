"""Reports: what is booked, and what became of the holds of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bridge import db, sql
from bridge.core import resources
from bridge.db import Connection
from bridge.errors import AllocationNotFound

queries = sql.load("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What a line of an order has, or, when cancelled, had."""

    id: str
    resource_id: str
    resource_name: str
    order_id: str
    line_item_id: str | None
    customer_email: str | None
    dates: Sequence[date]
    quantity: int
    status: str
    created_at: datetime
    posted_late: bool

    @property
    def resource(self) -> dict[str, str]:
        """The resource by id and name."""
        return {"id": self.resource_id, "name": self.resource_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationPage:
    """Some of the allocations that match, and how many and how much they are in all."""

    allocations: Sequence[Allocation]
    count: int
    total_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What became of some holds. Without `resource_id`: of all resources."""

    resource_id: str | None = None
    name: str | None = None
    total_holds_created: int
    expired_before_confirmation: int
    confirmed: int
    manually_released: int
    seconds_to_confirm: float  # The sum over those confirmed.

    @property
    def expiration_rate(self) -> float:
        """The part that expired; 0 of none."""
        if not self.total_holds_created:
            return 0.0
        return round(self.expired_before_confirmation / self.total_holds_created, 4)

    @property
    def average_seconds_to_confirm(self) -> float | None:
        """How long those confirmed took; None when none was."""
        return round(self.seconds_to_confirm / self.confirmed, 3) if self.confirmed else None


@dataclass(frozen=True, slots=True)
class Expirations:
    """What became of the holds of one local day."""

    date: date
    summary: Outcomes
    resource_breakdown: Sequence[Outcomes]


def list_allocations(
    conn: Connection,
    *,
    order_id: str | None = None,
    resource_id: str | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    status: str | None = "CONFIRMED",
    limit: int,
    offset: int,
) -> AllocationPage:
    """A page of allocations that touch the range, newest first. Without `status`, live and cancelled ones."""
    return _read_allocations(
        conn,
        allocation_id=None,
        order_id=order_id,
        resource_id=resource_id,
        start_date=start_date,
        end_date=end_date,
        status=status,
        limit=limit,
        offset=offset,
    )


def get_allocation(conn: Connection, allocation_id: str) -> Allocation:
    """The allocation as the report shows it. Raises AllocationNotFound."""
    page = _read_allocations(
        conn,
        allocation_id=allocation_id,
        order_id=None,
        resource_id=None,
        start_date=None,
        end_date=None,
        status=None,
        limit=1,
        offset=0,
    )
    if not page.allocations:
        raise AllocationNotFound
    return page.allocations[0]


def hold_expirations(
    conn: Connection, *, time_zone: str, date: date | None = None, resource_id: str | None = None
) -> Expirations:
    """What became of the holds that customers placed on `date`, by default today.

    The day is one of the resource's zone, or of `time_zone` without a resource. Raises ResourceNotFound.
    """
    if resource_id is not None:
        resources.get_resource(conn, resource_id)
    asked = {"date": date, "resource_id": resource_id, "time_zone": time_zone}
    day = db.one(conn.execute(queries.find_local_day, asked))
    breakdown = [Outcomes(**row) for row in conn.execute(queries.count_hold_outcomes, {**asked, **day})]
    return Expirations(day["date"], _sum(breakdown), breakdown)


def _read_allocations(conn: Connection, **filters: Any) -> AllocationPage:
    rows = conn.execute(queries.list_allocations, filters).fetchall()
    names = Allocation.__dataclass_fields__
    return AllocationPage(
        allocations=[Allocation(**{name: row[name] for name in names}) for row in rows if row["id"] is not None],
        count=rows[0]["count"],
        total_quantity=rows[0]["total_quantity"],
    )


def _sum(parts: Sequence[Outcomes]) -> Outcomes:
    return Outcomes(
        total_holds_created=sum(part.total_holds_created for part in parts),
        expired_before_confirmation=sum(part.expired_before_confirmation for part in parts),
        confirmed=sum(part.confirmed for part in parts),
        manually_released=sum(part.manually_released for part in parts),
        seconds_to_confirm=sum(part.seconds_to_confirm for part in parts),
    )
