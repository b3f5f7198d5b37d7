"""Paying for an appointment on the platform: one cart for each way to pay, and one grace to pay in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bridge import errors, sql
from bridge.core.appointments import Appointment, get_appointment, lock_appointment, require_held
from bridge.db import Connection

queries = sql.load("prepayments")

# Longer than the platform is waited for, so that nobody asks it while another still does.
CLAIM = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Prepayment:
    """What is to be paid, and by which cart; without one the caller makes it (`is_mine`), or somebody else does."""

    appointment: Appointment
    payment_mode: str
    amount: Decimal
    cart_id: str | None
    is_mine: bool
    variant_id: str | None


def check_mode(conn: Connection, appointment: Appointment, payment_mode: str) -> dict[str, Any]:
    """The service's metadata, when it may be paid so. Raises PaymentModeNotAllowed, which names the ways there are."""
    # Of a deleted service too: what is booked of it is still to be paid.
    row = conn.execute(queries.find_modes, {"service_id": appointment.service_id}).fetchone()
    assert row is not None, "an appointment is of a service"
    if payment_mode not in row["payment_modes_allowed"]:
        allowed = row["payment_modes_allowed"]
        raise errors.PaymentModeNotAllowed(
            f"payment_mode: {payment_mode} is not allowed, only {', '.join(allowed)}.", payment_modes_allowed=allowed
        )
    metadata: dict[str, Any] = row["metadata"]
    return metadata


def begin_prepayment(conn: Connection, appointment_id: str, *, payment_mode: str) -> Prepayment:
    """The payment that stands, or one that the caller now has CLAIM to make a cart for.

    Raises BookingNotFound, HoldExpired, InvalidTransition, PaymentModeNotAllowed.
    """
    appointment = lock_appointment(conn, appointment_id)
    metadata = check_mode(conn, appointment, payment_mode)
    amount = appointment.price_amount if payment_mode == "full" else appointment.deposit_amount
    if not amount:
        raise errors.PaymentModeNotAllowed("payment_mode: there is nothing to be paid beforehand.")
    stands = appointment.cart_id if appointment.payment_mode == payment_mode else None
    if stands is None or appointment.status != "confirmed":
        require_held(appointment)
    claimed = (
        stands is None and conn.execute(queries.claim_cart, {"appointment_id": appointment_id, "claim": CLAIM}).rowcount
    )
    variant = metadata.get("variant_id")
    return Prepayment(
        appointment, payment_mode, amount, stands, bool(claimed), variant if isinstance(variant, str) else None
    )


def finish_prepayment(conn: Connection, asked: Prepayment, *, cart_id: str, grace: timedelta) -> Appointment:
    """Write down the cart that was made; the first one gives the hold `grace` to be paid in.

    Raises HoldExpired, InvalidTransition: then the cart is nobody's, which does no harm.
    """
    appointment = lock_appointment(conn, asked.appointment.id)
    require_held(appointment)
    if appointment.cart_id is None:
        conn.execute(queries.grace_hold, {"hold_id": appointment.hold_id, "grace": grace})
    conn.execute(
        queries.keep_cart,
        {
            "appointment_id": appointment.id,
            "cart_id": cart_id,
            "amount": asked.amount,
            "payment_mode": asked.payment_mode,
        },
    )
    return get_appointment(conn, appointment.id)


def forget_prepayment(conn: Connection, appointment_id: str) -> None:
    """Undo the claim of a payment of which nothing came."""
    conn.execute(queries.forget_cart, {"appointment_id": appointment_id})
