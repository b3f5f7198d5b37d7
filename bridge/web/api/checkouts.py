"""POST /api/create-checkout-session: one payment for all that a reservation holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import Blueprint

from bridge import db, errors, links
from bridge.clients.medusa import Medusa
from bridge.clients.stripe import Line, Stripe
from bridge.config import Config
from bridge.core import checkouts, payments, reservations
from bridge.core.payments import Checkout, Customer
from bridge.platforms.stripe import session_metadata
from bridge.web.endpoints import endpoint, settings
from bridge.web.limits import limit, limit_writes
from schemas.fields import show_instant
from schemas.reservations import CheckoutRequestSchema, CheckoutSchema

blueprint = Blueprint("api_checkouts", __name__, url_prefix="/api")
blueprint.before_request(limit_writes)

_PLATFORM_SECONDS = 8  # As long as a browser may be kept waiting for another server.
_TURN_SECONDS = 10.0  # A little longer: somebody else may be asking for the same checkout.
_POLL_SECONDS = 0.1
_SOLD = {
    "dates": "booking_dates",
    "slot_id": "slot_id",
    "party": "party",
    "service_id": "service_id",
    "start_at": "start_at",
}


@blueprint.post("/create-checkout-session")
@endpoint(
    body=CheckoutRequestSchema,
    answers={201: CheckoutSchema, 200: CheckoutSchema},
    errors=(
        errors.ReservationNotFound,
        errors.ReservationClosed,
        errors.ReservationEmpty,
        errors.ReservationChanged,
        errors.NotPriced,
        errors.CheckoutRefused,
        errors.CheckoutNotConfigured,
        errors.PlatformUnavailable,
        errors.TooManyRequests,
    ),
    creates=True,
    calls_out=True,
)
def create_checkout_session(body: dict[str, Any]) -> Any:
    """Begin the payment of a reservation, and lengthen its time once for it. Asked again: the same payment."""
    config = settings()
    platform = _platform(config, body["booking_number"])
    customer = _customer(body)
    if customer.email:
        limit("email", customer.email)
    grace = timedelta(minutes=float(config.payment_grace_minutes))
    checkout = _take_turn(body["booking_number"], platform, customer, grace)
    if checkout.reference is not None:
        return _show(checkout, platform), 200

    # Outside any transaction: nothing stays locked while we wait on the network.
    with _claimed(checkout):
        reference, url = _BEGIN[platform](config, checkout, body)

    with db.transaction() as conn:
        finished = payments.finish(conn, checkout, platform=platform, reference=reference, url=url, grace=grace)
    if finished is None:
        raise errors.ReservationChanged
    return _show(finished, platform), 201


def _platform(config: Config, booking_number: str) -> str:
    # Where both are set, Stripe was set for this: the platform is needed for much else.
    if config.stripe_secret_key:
        return "stripe"
    if config.medusa_url and config.medusa_publishable_key:
        return "medusa"
    with db.transaction() as conn:
        reservations.lock_open(conn, booking_number)
    raise errors.CheckoutNotConfigured


def _customer(body: dict[str, Any]) -> Customer:
    nested = body["customer"] or {}
    return Customer(**{name: body[f"customer_{name}"] or nested.get(name) for name in ("email", "name", "phone")})


def _take_turn(booking_number: str, platform: str, customer: Customer, grace: timedelta) -> Checkout:
    """The checkout that stands, or one to ask for; waits while somebody else asks. Raises Unavailable."""
    deadline = time.monotonic() + _TURN_SECONDS
    while True:
        with db.transaction() as conn:
            checkout = payments.begin(conn, booking_number, platform=platform, customer=customer, grace=grace)
        if checkout.is_mine or checkout.reference is not None:
            return checkout
        if time.monotonic() > deadline:
            raise errors.Unavailable("This payment is being prepared; try again.", retry_after=2)
        time.sleep(_POLL_SECONDS)


@contextmanager
def _claimed(checkout: Checkout) -> Iterator[None]:
    """The time in which a platform is asked for a checkout. When nothing comes of it, nothing has changed."""
    try:
        yield
    except BaseException as error:
        with db.statement() as conn:
            checkouts.forget(conn, checkout.id)
        if isinstance(error, errors.PlatformRefused):
            raise errors.CheckoutRefused(error.message, **error.details) from error
        raise


def _begin_on_medusa(config: Config, checkout: Checkout, _body: dict[str, Any]) -> tuple[str, str]:
    number = checkout.reservation.booking_number
    lines = [
        {
            "variant_id": item.variant_id,
            "quantity": item.line_quantity,
            "title": item.title,
            "metadata": {
                "booking_hold_id": item.id,
                "resource_id": item.resource_id,
                "booking_number": number,
                # What was sold, should the hold be gone when the order comes: also to another cart, paid before.
                **{said: item.details[name] for name, said in _SOLD.items() if name in item.details},
            },
        }
        # Without a price of ours the product's own goes.
        | ({} if item.unit_price is None else {"unit_price": float(item.unit_price)})
        for item in checkout.items
    ]
    cart = Medusa(config, deadline_seconds=_PLATFORM_SECONDS).create_cart(
        email=checkout.reservation.customer_email,
        currency_code=checkout.items[0].currency_code,
        lines=lines,
        metadata={"booking_number": number},
    )
    return cart["id"], config.cart_url(cart["id"])


def _begin_on_stripe(config: Config, checkout: Checkout, body: dict[str, Any]) -> tuple[str, str]:
    number = checkout.reservation.booking_number
    session = Stripe(config, retries=0).create_session(
        lines=[
            Line(
                title=item.title,
                description=item.when,
                quantity=item.line_quantity,
                unit_price=item.unit_price,
            )
            for item in checkout.items
            if item.unit_price is not None  # Of all of them: begin() has seen to it.
        ],
        currency_code=checkout.items[0].currency_code,
        metadata=session_metadata(number, [(item.id, item.line_quantity) for item in checkout.items]),
        reference=number,
        email=checkout.reservation.customer_email,
        expires_at=checkout.expires_at,
        success_url=body["success_url"] or links.manage_url(config, "reservation", number),
        cancel_url=body["cancel_url"],
        idempotency_key=checkout.id,
    )
    return session.id, session.url


_BEGIN = {"medusa": _begin_on_medusa, "stripe": _begin_on_stripe}


def _show(checkout: Checkout, platform: str) -> dict[str, Any]:
    return {
        "bookingNumber": checkout.reservation.booking_number,
        "checkout_url": checkout.url,
        "session_id" if platform == "stripe" else "cart_id": checkout.reference,
        "expiresAt": show_instant(checkout.expires_at),
    }
