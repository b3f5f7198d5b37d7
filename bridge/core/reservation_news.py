"""What a letter of a booking number tells: those of its items that none told of yet, each with what it is by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bridge import db, letters, sql
from bridge.core import appointments, bookings, reservations
from bridge.core.appointments import Appointment
from bridge.core.bookings import Booking
from bridge.core.reservations import Reservation, ReservedItem
from bridge.db import Connection
from bridge.rules.slots import day_runs

queries = sql.load("reservations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An item that is the customer's: as it was reserved, and as it stands, where it is a booking of its own."""

    item: ReservedItem
    kind: str | None = None  # booking or appointment
    booking: Booking | Appointment | None = None

    @property
    def when(self) -> str:
        """When it is, as people there read it."""
        match self.booking:
            case Booking() as booking:
                return letters.show_time(booking.starts_at, booking.time_zone)
            case Appointment() as booking:
                return letters.show_time(booking.start_at, booking.time_zone)
        return "; ".join(
            letters.show_day(first) if first == last else f"{letters.show_day(first)} to {letters.show_day(last)}"
            for first, last in self.runs
        )

    @property
    def what(self) -> str:
        """Who comes along, with whom it is, or how many places."""
        match self.booking:
            case Booking() as booking:
                return letters.show_party(booking)
            case Appointment() as booking:
                return f"with {booking.staff_name}"
        return f"{self.item.quantity} places" if self.item.quantity > 1 else ""

    @property
    def reference(self) -> str | None:
        """What it is called by itself."""
        match self.booking:
            case Booking() as booking:
                return booking.reference
            case Appointment() as booking:
                return booking.booking_number
        return None

    @property
    def email(self) -> str | None:
        """Whom its own letters reach."""
        return self.booking.customer_email if self.booking else None

    @property
    def runs(self) -> list[tuple[date, date]]:
        """The days it is of, where it is of days."""
        return day_runs(map(date.fromisoformat, self.item.details.get("dates", [])))


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What there is to tell of a reservation. Without `email` there is nobody to tell it to."""

    reservation: Reservation
    email: str | None
    told: Sequence[Told]
    short: Sequence[ReservedItem]
    is_first: bool


def find_news(conn: Connection, booking_number: str) -> News:
    """What of the number no letter told of yet; takes its turn, so that no two letters tell one thing.

    Raises ReservationNotFound.
    """
    reservations.lock(conn, booking_number)
    reservation = reservations.get_reservation(conn, booking_number)
    new = [item for item in reservation.items if item.status in {"confirmed", "short"} and item.told_as != item.status]
    own = reservations.list_bookings(conn, booking_number)
    told = [_told(conn, item, own.get(item.id)) for item in new if item.status == "confirmed"]
    email = reservation.customer_email or reservations.find_order_email(conn, booking_number)
    return News(
        reservation=reservation,
        email=email or next((one.email for one in told if one.email), None),
        told=told,
        short=[item for item in new if item.status == "short"],
        is_first=all(item.told_as is None for item in reservation.items),
    )


def note_told(conn: Connection, news: News) -> None:
    """Remember that a letter tells of all this, in the transaction that owes the letter."""
    items = [*[one.item for one in news.told], *news.short]
    values = {"hold_ids": [item.id for item in items], "told_as": [item.status for item in items]}
    conn.execute(queries.note_told, values)


def is_told_with_number(conn: Connection, hold_id: str) -> bool:
    """Whether what stands on the hold is part of a number, whose letters tell that it was confirmed."""
    return bool(db.one(conn.execute(queries.is_item, {"hold_id": hold_id}))["is_item"])


def _told(conn: Connection, item: ReservedItem, own: tuple[str, str] | None) -> Told:
    if own is None:
        return Told(item=item)
    kind, booking_id = own
    find = bookings.get_booking if kind == "booking" else appointments.get_appointment
    return Told(item=item, kind=kind, booking=find(conn, booking_id))
