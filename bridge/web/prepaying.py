"""Confirming an appointment: at once, or by a cart that is made on the platform, once however often that is asked."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from bridge import db, errors
from bridge.clients.medusa import Medusa
from bridge.config import Config
from bridge.core import appointments, prepayments
from bridge.core.appointments import Appointment
from bridge.core.prepayments import Prepayment
from bridge.web.endpoints import settings
from schemas.appointments import ConfirmedAppointmentSchema

_answer = ConfirmedAppointmentSchema()

_PLATFORM_SECONDS = 8  # As long as a browser may be kept waiting for another server.
_TURN_SECONDS = 10.0  # A little longer: somebody else may be asking for the same cart.
_POLL_SECONDS = 0.1


def confirm(booking: Appointment, payment_mode: str, *, actor: str) -> Any:
    """The answer to confirming `booking` in this way.

    Raises HoldExpired, InvalidTransition, PaymentModeNotAllowed, and PlatformUnavailable: then nothing has changed.
    """
    if payment_mode == "pay_in_store":
        with db.transaction() as conn:
            prepayments.check_mode(conn, booking, payment_mode)
            confirmed = appointments.confirm_appointment(conn, booking.id, actor=actor)
        return _answer.dump({"booking": confirmed})
    config = settings()
    asked = _take_turn(booking.id, payment_mode)
    if asked.cart_id is not None:
        return _show(config, asked.appointment, asked.cart_id, asked)
    # Outside any transaction: nothing stays locked while we wait on the network.
    try:
        cart_id = _make_cart(config, asked)
    except BaseException:
        with db.statement() as conn:
            prepayments.forget_prepayment(conn, booking.id)
        raise
    with db.transaction() as conn:
        grace = timedelta(minutes=float(config.payment_grace_minutes))
        begun = prepayments.finish_prepayment(conn, asked, cart_id=cart_id, grace=grace)
    return _show(config, begun, cart_id, asked)


def _take_turn(booking_id: str, payment_mode: str) -> Prepayment:
    """The payment that stands, or one to make a cart for; waits while somebody else makes it. Raises Unavailable."""
    deadline = time.monotonic() + _TURN_SECONDS
    while True:
        with db.transaction() as conn:
            asked = prepayments.begin_prepayment(conn, booking_id, payment_mode=payment_mode)
        if asked.is_mine or asked.cart_id is not None:
            return asked
        if time.monotonic() > deadline:
            raise errors.PlatformUnavailable("This payment is being prepared; try again.", retry_after=2)
        time.sleep(_POLL_SECONDS)


def _make_cart(config: Config, asked: Prepayment) -> str:
    booking = asked.appointment
    named = {"booking_id": booking.id, "booking_hold_id": booking.hold_id, "booking_number": booking.booking_number}
    line = {
        "variant_id": asked.variant_id or config.appointment_variant_id or None,
        "quantity": 1,
        "unit_price": _number(asked),
        "title": _title(asked),
        "metadata": {**named, "resource_id": booking.staff_id},
    }
    try:
        cart = Medusa(config, deadline_seconds=_PLATFORM_SECONDS).create_cart(
            email=booking.customer_email, currency_code=booking.currency_code, lines=[line], metadata=named
        )
    except (errors.PlatformRefused, errors.PlatformNotConfigured) as error:
        # To the customer it is the same: it cannot be paid there now. People see why in the log and in ops.
        raise errors.PlatformUnavailable(error.message, retry_after=60) from error
    return str(cart["id"])


def _show(config: Config, booking: Appointment, cart_id: str, asked: Prepayment) -> Any:
    cart = {"id": cart_id, "checkout_url": config.cart_url(cart_id), "amount": asked.amount}
    return _answer.dump({"booking": booking, "cart": cart})


def _title(asked: Prepayment) -> str:
    return (
        f"Deposit: {asked.appointment.service_name}"
        if asked.payment_mode == "deposit"
        else asked.appointment.service_name
    )


def _number(asked: Prepayment) -> int | float:
    # A float is written as the shortest decimal that reads back as itself, which is the amount.
    amount = asked.amount
    return int(amount) if amount == amount.to_integral_value() else float(amount)
