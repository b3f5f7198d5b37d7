"""Reservations as staff look at them: lists, and one with its payments and what was taken and given back for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bridge import sql
from bridge.core import reservations
from bridge.core.reservations import ReservedItem
from bridge.db import Connection
from bridge.errors import ReservationNotFound

queries = sql.load("reservation_reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A reservation as it stands this second, with whose it is and the last payment that was begun for it."""

    booking_number: str
    status: str
    customer_email: str | None
    customer_name: str | None
    customer_phone: str | None
    created_at: datetime
    expires_at: datetime
    hard_expires_at: datetime
    grace_given_at: datetime | None
    released_at: datetime | None
    source: str | None
    order_id: str | None
    ordered_at: datetime | None
    seconds_left: float
    checkout_platform: str | None
    checkout_reference: str | None  # None also while the platform is being asked for it.
    checkout_at: datetime | None
    items: Sequence[ReservedItem]

    @property
    def time_remaining_seconds(self) -> int:
        """What is left of its time, rounded up; 0 of one that is not open any more."""
        return math.ceil(self.seconds_left) if self.status == "open" else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Detailed(Listed):
    """The same, with every payment that was begun for it, the newest first."""

    checkouts: Sequence[Mapping[str, Any]]


def list_reservations(
    conn: Connection,
    *,
    time_zone: str,
    status: str | None = None,
    booking_number: str | None = None,
    q: str | None = None,
    customer_email: str | None = None,
    order_id: str | None = None,
    resource_id: str | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[Listed], int]:
    """A page of the reservations begun on these days of `time_zone`, newest first, and how many there are in all."""
    filters = {
        "time_zone": time_zone,
        "status": status,
        "booking_number": booking_number,
        "q": q,
        "customer_email": customer_email,
        "order_id": order_id,
        "resource_id": resource_id,
        "start_date": start_date,
        "end_date": end_date,
    }
    values = {**filters, "limit": limit, "offset": offset}
    # Planned for what is asked, each time: one plan for all filters would read every reservation for any of them.
    rows = conn.execute(queries.list_reservations, values, prepare=False).fetchall()
    count = rows[0]["count"]
    found = [row for row in rows if row["booking_number"] is not None]
    items = reservations.list_items(conn, [row["booking_number"] for row in found])
    names = Listed.__dataclass_fields__.keys() - {"items"}
    page = [Listed(**{name: row[name] for name in names}, items=items[row["booking_number"]]) for row in found]
    return page, count


def get_reservation(conn: Connection, booking_number: str) -> Detailed:
    """One reservation. Raises ReservationNotFound."""
    page, _count = list_reservations(conn, time_zone="UTC", booking_number=booking_number)
    if not page:
        raise ReservationNotFound
    begun = conn.execute(queries.list_checkouts, {"booking_number": booking_number}).fetchall()
    return Detailed(**{name: getattr(page[0], name) for name in Listed.__dataclass_fields__}, checkouts=begun)


def list_journal(conn: Connection, booking_number: str) -> list[dict[str, Any]]:
    """What was taken and given back for the number, the oldest first."""
    return conn.execute(queries.list_journal, {"booking_number": booking_number}).fetchall()
