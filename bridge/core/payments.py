"""Paying for a reservation: one cart or session for what it holds, asked of the platform once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bridge import errors
from bridge.core import checkouts, reservations
from bridge.core.orders import Reconciled
from bridge.core.reservations import Reservation, ReservedItem
from bridge.db import Connection
from bridge.rules.orders import CheckoutFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who pays, as far as they said."""

    email: str | None = None
    name: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout: ready with its `reference` and `url`, or being asked for."""

    id: str
    reservation: Reservation
    items: Sequence[ReservedItem]
    expires_at: datetime  # Of the reservation, with its grace.
    is_mine: bool = False  # The caller is the one who asks the platform.
    reference: str | None = None
    url: str | None = None


def begin(conn: Connection, booking_number: str, *, platform: str, customer: Customer, grace: timedelta) -> Checkout:
    """The checkout of an open reservation: the one it has, or one that the caller now asks the platform for.

    Neither: somebody else is asking this moment. Raises ReservationNotFound, ReservationClosed, ReservationEmpty and
    NotPriced.
    """
    reservations.lock_open(conn, booking_number)
    reservations.note_customer(conn, booking_number, email=customer.email, name=customer.name, phone=customer.phone)
    reservation = reservations.get_reservation(conn, booking_number)
    items = [item for item in reservation.items if item.status == "held"]
    _check_payable(items, platform)
    until = reservation.expires_at
    if reservation.grace_given_at is None:
        until = min(reservation.hard_expires_at, until + grace)
    found = checkouts.find_open(conn, booking_number)
    if found and _still_stands(found, platform, items):
        return Checkout(
            id=found["id"],
            reservation=reservation,
            items=items,
            expires_at=until,
            reference=found["reference"],
            url=found["url"],
        )
    checkouts.close(conn, booking_number)
    checkout_id = checkouts.claim(conn, booking_number, platform=platform, hold_ids=[item.id for item in items])
    return Checkout(id=checkout_id, reservation=reservation, items=items, expires_at=until, is_mine=True)


def finish(
    conn: Connection, checkout: Checkout, *, platform: str, reference: str, url: str, grace: timedelta
) -> Checkout | None:
    """Keep what the platform answered and give the reservation its one grace for payment.

    None when the reservation was closed or changed while it was asked: then nobody is to pay that any more.
    """
    number = checkout.reservation.booking_number
    is_open = reservations.lock(conn, number) == "open"
    if not is_open or not checkouts.keep(conn, checkout.id, reference=reference, url=url):
        if platform == "stripe":
            checkouts.owe_end(conn, number, reference, cause="too late")
        checkouts.forget(conn, checkout.id)
        return None
    until = checkout.reservation.expires_at
    if checkout.reservation.grace_given_at is None:
        until = reservations.extend(conn, number, grace=grace)
    if platform == "stripe":
        checkouts.owe_end(conn, number, reference, cause="begun", at=until)
    return replace(checkout, expires_at=until, reference=reference, url=url)


def follow(conn: Connection, facts: CheckoutFacts, *, actor: str) -> Reconciled:
    """Give back what a checkout was for that nobody pays any more, unless another one stands for it."""
    if facts.booking_number is None:
        return Reconciled(outcome="the session names no reservation of ours", ignored=True)
    status = reservations.lock(conn, facts.booking_number)
    if status != "open":
        return Reconciled(outcome=f"the reservation is {status or 'not known'}; nothing to give back", ignored=True)
    standing = checkouts.find_open(conn, facts.booking_number)
    if standing and standing["reference"] != facts.reference:
        return Reconciled(outcome="another payment was begun for the reservation since", ignored=True)
    released = reservations.release(
        conn, facts.booking_number, actor=actor, reason="the payment ran out", even_in_checkout=True
    )
    return Reconciled(outcome=f"the payment ran out: {released} items given back")


def stands_until(conn: Connection, booking_number: str, session_id: str) -> datetime | None:
    """Until when the session is the payment of an open reservation; None when it is not, or not any more."""
    if reservations.lock(conn, booking_number) != "open":
        return None
    standing = checkouts.find_open(conn, booking_number)
    if standing is None or standing["reference"] != session_id:
        return None
    return reservations.get_reservation(conn, booking_number).expires_at


def find_amount(conn: Connection, hold_id: str) -> Decimal | None:
    """What an item cost, by its hold; None where there is no such item, or no price."""
    row = conn.execute(checkouts.queries.find_item_amount, {"hold_id": hold_id}).fetchone()
    return row["amount"] if row else None


def _still_stands(checkout: dict[str, Any], platform: str, items: Sequence[ReservedItem]) -> bool:
    is_same = checkout["platform"] == platform and set(checkout["hold_ids"]) == {item.id for item in items}
    return is_same and (checkout["reference"] is not None or bool(checkout["is_claimed"]))


def _check_payable(items: Sequence[ReservedItem], platform: str) -> None:
    if not items:
        raise errors.ReservationEmpty
    if platform == "medusa":
        lacking = [item.id for item in items if item.variant_id is None]
        if lacking:
            raise errors.NotPriced("No product of the platform is set for some items.", items=lacking)
    else:
        lacking = [item.id for item in items if item.unit_price is None]
        if lacking:
            raise errors.NotPriced("No price is set for some items.", items=lacking)
    if len({item.currency_code for item in items}) > 1:
        raise errors.NotPriced("The items are priced in several currencies.", items=[item.id for item in items])
