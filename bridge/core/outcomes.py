"""Outcomes: what people make of a booking: cancelled, confirmed, completed, no-show, refunded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bridge import db, errors
from bridge.core import bookings, closures, holds, refunds, resources
from bridge.core.booking_log import By, note_change
from bridge.core.bookings import OURS, Booking
from bridge.db import Connection
from bridge.rules.bookings import may_become
from bridge.rules.cancellations import is_too_late, read_policy, refund_of
from bridge.rules.money import round_money

queries = bookings.queries


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A booking that is cancelled, and what is kept of its price."""

    booking: Booking
    fee: Decimal


def cancel_booking(
    conn: Connection, booking_id: str, *, by: By, reason: str | None = None, refund_amount: Decimal | None = None
) -> Cancelled:
    """Cancel a booking, once: its seats go back, and what was paid is asked back as the tour's policy says.

    Staff may cancel at any time, and pay back `refund_amount`, or else all of it. Raises BookingNotFound,
    InvalidTransition, TooLate.
    """
    before = bookings.lock_booking(conn, booking_id)
    _check(before, "cancelled")
    is_paid = before.order_source not in {None, OURS}
    refund = _refund(conn, before, by, refund_amount)
    values = {
        "booking_id": booking_id,
        "reason": reason,
        "cancelled_by": "staff" if by.is_staff else "customer",
        "refund_amount": refund if is_paid else None,
    }
    # The booking first: what follows its hold then finds nothing to do.
    conn.execute(queries.cancel_booking, values)
    new = {"status": "cancelled"} | ({"refund_amount": refund} if is_paid else {})
    note_change(conn, booking_id, "cancellation", {"status": before.status}, new, by=by, reason=reason)
    closures.let_go(conn, [before.hold_id], cause="cancel", actor=by.name)
    if is_paid and refund > 0:
        _owe_refund(conn, before, refund)
    return Cancelled(bookings.get_booking(conn, booking_id), before.total_amount - refund)


def set_status(conn: Connection, booking_id: str, status: str, *, by: By, reason: str | None = None) -> Booking:
    """Give a booking the status staff say, as far as the table of transitions allows it.

    Raises BookingNotFound, InvalidTransition.
    """
    if status == "cancelled":
        return cancel_booking(conn, booking_id, by=by, reason=reason).booking
    before = bookings.lock_booking(conn, booking_id)
    _check(before, status)
    # The booking first: what follows its hold then finds nothing to do.
    conn.execute(queries.set_status, {"booking_id": booking_id, "status": status})
    note_change(conn, booking_id, "status_change", {"status": before.status}, {"status": status}, by=by, reason=reason)
    if status == "confirmed":
        holds.confirm_hold(conn, before.hold_id, order_id=booking_id, line_item_id=None, actor=by.name, source=OURS)
    return bookings.get_booking(conn, booking_id)


def _check(before: Booking, status: str) -> None:
    # One that lapsed was never paid, so there is nothing to pay back.
    is_nothing = before.status == "cancelled" and before.cancelled_by in {None, "clock"}
    if is_nothing or not may_become(before.status, status):
        raise errors.InvalidTransition(
            f"A {before.status} booking cannot become {status}.", status=before.status, wanted=status
        )


def _refund(conn: Connection, before: Booking, by: By, wanted: Decimal | None) -> Decimal:
    if by.is_staff:
        if wanted is not None and wanted > before.total_amount:
            message = f"At most {before.total_amount} was paid."
            raise errors.InvalidData(f"refund_amount: {message}", fields={"refund_amount": [message]})
        return before.total_amount if wanted is None else round_money(wanted, before.currency_code)
    policy = read_policy(resources.get_resource(conn, before.resource_id).cancellation_policy)
    now: datetime = db.one(conn.execute("SELECT now() AS now"))["now"]
    if is_too_late(policy, starts_at=before.starts_at, now=now):
        raise errors.TooLate("It is too late to cancel this booking.", deadline_hours=float(policy.deadline_hours))
    if before.status == "pending":
        return before.total_amount
    return refund_of(
        policy, total=before.total_amount, currency=before.currency_code, starts_at=before.starts_at, now=now
    )


def _owe_refund(conn: Connection, before: Booking, amount: Decimal) -> None:
    assert before.order_source is not None and before.order_id is not None, "paid by an order"
    refunds.owe_refund(
        conn,
        refund_id=before.id,
        source=before.order_source,
        order_id=before.order_id,
        line_item_id=before.line_item_id,
        # All of it is what the platform says the line may get back: it knows what was really paid.
        amount=None if amount == before.total_amount and before.line_item_id else amount,
    )
