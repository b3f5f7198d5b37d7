"""Appointments: looked at, confirmed, cancelled, kept or missed. How they are booked: placements; moved: moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bridge import errors, sql
from bridge.core import allocations, holds, refunds
from bridge.db import Connection
from bridge.rules.deposits import refund_of

queries = sql.load("appointments")

# Where the order of an allocation is an appointment that nobody paid for on a platform.
OWN = "bridge"
# A try fails only when an order took the appointment between two of its statements.
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An appointment as it stands this second: one whose hold has lapsed is cancelled, swept or not."""

    id: str
    display_id: int
    booking_number: str
    hold_id: str
    staff_id: str
    time_zone: str
    service_id: str
    customer_id: str | None
    start_at: datetime
    end_at: datetime
    status: str
    hold_expires_at: datetime | None
    service_name: str
    price_amount: Decimal
    currency_code: str
    deposit_amount: Decimal | None
    customer_name: str | None
    customer_email: str | None
    customer_phone: str | None
    notes: str | None
    internal_notes: str | None
    created_at: datetime
    updated_at: datetime
    read_at: datetime  # By the database's clock: what this second is.
    metadata: dict[str, Any] = field(default_factory=dict)
    staff_name: str = ""
    buffer_before_minutes: int = 0
    buffer_minutes: int = 0
    free_cancellation_minutes: int = 0
    late_refund_percent: Decimal = Decimal(0)
    payment_mode: str | None = None
    amount_paid: Decimal | None = None
    refund_amount: Decimal | None = None
    cart_id: str | None = None
    cart_amount: Decimal | None = None
    sequence: int = 0
    confirmed_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancellation_reason: str | None = None
    allocation_id: str | None = None
    order_source: str | None = None
    order_id: str | None = None
    line_item_id: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it takes somebody's time."""
        return self.status in {"held", "confirmed"}


def get_appointment(conn: Connection, appointment_id: str) -> Appointment:
    """The appointment. Raises BookingNotFound."""
    row = conn.execute(queries.find_appointment, {"appointment_id": appointment_id}).fetchone()
    if row is None:
        raise errors.BookingNotFound
    return _appointment(row)


def list_appointments(conn: Connection, *, limit: int, offset: int, **filters: Any) -> tuple[list[Appointment], int]:
    """A page of appointments by their start, and how many there are in all."""
    wanted = {**dict.fromkeys(_FILTERS), **filters, "limit": limit, "offset": offset}
    rows = conn.execute(queries.list_appointments, wanted).fetchall()
    if not rows and offset:
        _first, total = list_appointments(conn, limit=1, offset=0, **filters)
        return [], total
    return [_appointment(row) for row in rows], rows[0]["total"] if rows else 0


def lock_appointment(conn: Connection, appointment_id: str) -> Appointment:
    """The appointment, its order and its hold locked: nothing happens to it meanwhile. Raises BookingNotFound."""
    named = {"appointment_id": appointment_id}
    for _ in range(_TRIES):
        with conn.transaction() as attempt:
            order = conn.execute(queries.lock_order_of_appointment, named).fetchone()
            conn.execute(queries.lock_hold_of_appointment, named)
            if conn.execute(queries.find_order_of_appointment, named).fetchone() == order:
                return get_appointment(conn, appointment_id)
            # It became an order's meanwhile, whose lock comes first: back to before the first lock.
            raise psycopg.Rollback(attempt)
    raise errors.Unavailable("Others are changing this booking right now; try again.")


def confirm_appointment(
    conn: Connection, appointment_id: str, *, actor: str, payment_mode: str = "pay_in_store"
) -> Appointment:
    """Confirm what is held; its time belongs to the customer from now on. Confirmed before, it is left as it is.

    Raises BookingNotFound, HoldExpired, InvalidTransition.
    """
    appointment = lock_appointment(conn, appointment_id)
    if appointment.status == "confirmed":
        return appointment
    require_held(appointment)
    _set_status(conn, appointment, "confirmed", actor=actor, payment_mode=payment_mode)
    # The appointment stands for the order there is none of. The hold goes last: what follows it finds nothing to do.
    holds.confirm_hold(conn, appointment.hold_id, order_id=appointment.id, line_item_id=None, actor=actor, source=OWN)
    return get_appointment(conn, appointment_id)


def cancel_appointment(
    conn: Connection, appointment_id: str, *, actor: str, reason: str | None = None, by_customer: bool = False
) -> Appointment:
    """Give its time back, once, and owe back what was paid: by the service's terms when the customer cancels, else all.

    Raises BookingNotFound, InvalidTransition.
    """
    appointment = lock_appointment(conn, appointment_id)
    if not appointment.is_live:
        raise _refuse(appointment, "cancelled")
    if by_customer and appointment.status == "confirmed" and appointment.read_at >= appointment.start_at:
        raise errors.InvalidTransition("This appointment has begun; only staff can cancel it.")
    refund = _refund_of(appointment, by_customer=by_customer)
    conn.execute(
        queries.cancel_appointment,
        {"appointment_id": appointment.id, "actor": actor, "reason": reason, "refund_amount": refund or None},
    )
    if appointment.status == "held":
        holds.release_hold(conn, appointment.hold_id, actor=actor, reason=reason or "cancelled")
    elif appointment.allocation_id is not None:
        allocations.cancel_allocation(conn, appointment.allocation_id, reason=reason, quantity=None, actor=actor)
    if refund and appointment.order_id is not None and appointment.order_source is not None:
        refunds.owe_refund(
            conn,
            refund_id=appointment.id,
            source=appointment.order_source,
            order_id=appointment.order_id,
            line_item_id=appointment.line_item_id,
            amount=refund,
        )
    return get_appointment(conn, appointment_id)


def close_appointment(conn: Connection, appointment_id: str, *, status: str, actor: str) -> Appointment:
    """Say what came of it: `completed` or `no_show`. Raises BookingNotFound, InvalidTransition."""
    appointment = lock_appointment(conn, appointment_id)
    if appointment.status != "confirmed":
        raise _refuse(appointment, status)
    _set_status(conn, appointment, status, actor=actor)
    return get_appointment(conn, appointment_id)


def update_details(conn: Connection, appointment_id: str, *, changes: Mapping[str, Any]) -> Appointment:
    """Set who it is for and what is noted of it, as far as given. Raises BookingNotFound."""
    appointment = lock_appointment(conn, appointment_id)
    values = {name: getattr(appointment, name) for name in _DETAILS} | dict(changes)
    conn.execute(
        queries.update_details,
        {**values, "metadata": Jsonb(values["metadata"]), "appointment_id": appointment_id},
    )
    return get_appointment(conn, appointment_id)


def list_changes(conn: Connection, appointment_id: str) -> list[dict[str, Any]]:
    """What became of it: when, what, who, why. Raises BookingNotFound."""
    get_appointment(conn, appointment_id)
    return conn.execute(queries.list_changes, {"appointment_id": appointment_id}).fetchall()


def get_change(conn: Connection, appointment_id: str, n: int) -> dict[str, Any]:
    """One of them. Raises BookingNotFound."""
    change = next((row for row in list_changes(conn, appointment_id) if row["n"] == n), None)
    if change is None:
        raise errors.BookingNotFound(f"This booking has no change {n}.")
    return change


def require_held(appointment: Appointment) -> None:
    """Raise HoldExpired or InvalidTransition unless it is held this second."""
    if appointment.status == "cancelled" and appointment.cancellation_reason == "expired":
        raise errors.HoldExpired
    if appointment.status != "held":
        raise _refuse(appointment, "confirmed")


DETAILS = ("customer_name", "customer_email", "customer_phone", "notes", "internal_notes", "metadata")
_DETAILS = (*DETAILS, "customer_id")
_FILTERS = (
    "status",
    "staff_id",
    "service_id",
    "customer_id",
    "booking_number",
    "order_id",
    "start_date",
    "end_date",
    "q",
)


def _appointment(row: Mapping[str, Any]) -> Appointment:
    return Appointment(**{name: row[name] for name in Appointment.__dataclass_fields__})


def _set_status(
    conn: Connection, appointment: Appointment, status: str, *, actor: str, payment_mode: str | None = None
) -> None:
    values = {"appointment_id": appointment.id, "status": status, "actor": actor, "payment_mode": payment_mode}
    conn.execute(queries.set_status, values)


def _refund_of(appointment: Appointment, *, by_customer: bool) -> Decimal:
    return refund_of(
        appointment.amount_paid,
        appointment.currency_code,
        start_at=appointment.start_at,
        now=appointment.read_at,
        # What staff cancel is paid back whole, however late.
        free_minutes=appointment.free_cancellation_minutes if by_customer else 0,
        late_percent=appointment.late_refund_percent if by_customer else Decimal(100),
    )


def _refuse(appointment: Appointment, status: str) -> errors.InvalidTransition:
    return errors.InvalidTransition(
        f"A booking that is {appointment.status} cannot become {status}.", status=appointment.status
    )
