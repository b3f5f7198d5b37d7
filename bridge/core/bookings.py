"""Bookings: parties on departures of tours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from bridge import db, sql
from bridge.db import Connection
from bridge.errors import BookingNotFound, Unavailable

queries = sql.load("bookings")

OURS = "bridge"  # The source of an allocation that staff made without an order of a platform.
# A try fails only when an order took the booking between two of its statements.
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A booking as it stands this second: one whose hold has lapsed is cancelled with reason expired, swept or not."""

    id: str
    reference: str
    resource_id: str
    tour_name: str
    slot_id: str
    slot_no: int
    slot_date: date
    start_time: time
    end_time: time
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    hold_id: str
    source: str
    customer_id: str | None
    status: str
    num_adults: int
    num_children: int
    num_infants: int
    seats: int
    currency_code: str
    price_per_adult: Decimal
    price_per_child: Decimal
    price_per_infant: Decimal
    subtotal: Decimal
    discount_amount: Decimal
    tax_rate: Decimal
    tax_amount: Decimal
    total_amount: Decimal
    customer_name: str
    customer_email: str | None
    customer_phone: str | None
    special_requirements: str | None
    dietary_restrictions: str | None
    accessibility_needs: str | None
    created_at: datetime
    modified_at: datetime | None
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    cancellation_reason: str | None
    cancelled_by: str | None
    refund_amount: Decimal | None
    hold_expires_at: datetime | None
    order_source: str | None
    order_id: str | None
    line_item_id: str | None

    @property
    def total_people(self) -> int:
        """Everybody, whether they take a seat or not."""
        return self.num_adults + self.num_children + self.num_infants


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A line of a booking's log. The numbers of one booking's changes rise."""

    n: int
    modification_type: str
    old_value: dict[str, Any]
    new_value: dict[str, Any]
    reason: str | None
    created_at: datetime

    @property
    def what(self) -> str:
        """What it made of the booking: confirmed, changed, cancelled, completed, no_show, refunded."""
        if self.modification_type in {"status_change", "cancellation"}:
            return str(self.new_value["status"])
        return "changed"

    @property
    def letter(self) -> str:
        """Which letter tells of it."""
        if self.new_value.get("because") == "departure_cancelled":
            return "departure_cancelled" if self.what == "cancelled" else "departure_moved"
        return self.what

    @property
    def left_at(self) -> datetime | None:
        """When the departure leaves that the booking was moved from, where the log says it."""
        starts_at = self.old_value.get("starts_at")
        return datetime.fromisoformat(starts_at) if starts_at else None


def get_booking(conn: Connection, booking_id: str | None = None, *, reference: str | None = None) -> Booking:
    """The booking by its id or its reference. Raises BookingNotFound."""
    with conn.cursor(row_factory=class_row(Booking)) as cursor:
        values = {"booking_id": booking_id, "reference": reference}
        booking = cursor.execute(queries.find_booking, values).fetchone()
    if booking is None:
        raise BookingNotFound
    return booking


def lock_booking(conn: Connection, booking_id: str) -> Booking:
    """The booking, with the locks of all who change it: its order, its hold, itself. Raises BookingNotFound."""
    named = {"booking_id": booking_id}
    for _ in range(_TRIES):
        with conn.transaction() as attempt:
            order = conn.execute(queries.lock_booking_order, named).fetchone()
            if conn.execute(queries.lock_booking_hold, named).fetchone() is None:
                raise BookingNotFound
            conn.execute(queries.lock_booking, named)
            if conn.execute(queries.find_booking_order, named).fetchone() == order:
                return get_booking(conn, booking_id)
            # It became an order's meanwhile, whose lock comes first: back to before the first lock.
            raise psycopg.Rollback(attempt)
    raise Unavailable("Others are changing this booking right now; try again.")


def list_bookings(
    conn: Connection,
    *,
    limit: int,
    offset: int,
    tour_id: str | None = None,
    slot_id: str | None = None,
    customer_id: str | None = None,
    status: str | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    order_id: str | None = None,
    q: str | None = None,
) -> tuple[list[Booking], int]:
    """A page of bookings, newest first, and how many there are in all; the dates are those of the departures.

    `q` is looked for in reference, name, e-mail address and telephone number.
    """
    filters = {
        "tour_id": tour_id,
        "slot_id": slot_id,
        "customer_id": customer_id,
        "status": status,
        "start_date": start_date,
        "end_date": end_date,
        "order_id": order_id,
        "q": q,
    }
    with conn.cursor(row_factory=class_row(Booking)) as cursor:
        page = cursor.execute(queries.list_bookings, {**filters, "limit": limit, "offset": offset}).fetchall()
    return page, db.one(conn.execute(queries.count_bookings, filters))["count"]


def get_change(conn: Connection, booking_id: str, n: int) -> Change:
    """The change numbered so in the log of the booking."""
    row = db.one(conn.execute(queries.find_change, {"booking_id": booking_id, "n": n}))
    return Change(n=n, **row)


def find_last_change(conn: Connection, booking_id: str) -> Change | None:
    """The last line of the booking's log, if it has any."""
    row = conn.execute(queries.find_last_change, {"booking_id": booking_id}).fetchone()
    return Change(**row) if row else None


def to_json(booking: Booking) -> dict[str, Any]:
    """The booking as subscribers are told of it: whom it is for, what it costs, where it stands."""
    return {name: value.isoformat() if isinstance(value, time) else value for name, value in asdict(booking).items()}
