"""Bookings: parties on departures of tours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row

from bridge import db, sql
from bridge.db import Connection
from bridge.errors import BookingNotFound

queries = sql.load("bookings")


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


def get_change(conn: Connection, booking_id: str, n: int) -> Change:
    """The change numbered so in the log of the booking."""
    row = db.one(conn.execute(queries.find_change, {"booking_id": booking_id, "n": n}))
    return Change(n=n, **row)


def to_json(booking: Booking) -> dict[str, Any]:
    """The booking as subscribers are told of it: whom it is for, what it costs, where it stands."""
    return {name: value.isoformat() if isinstance(value, time) else value for name, value in asdict(booking).items()}
