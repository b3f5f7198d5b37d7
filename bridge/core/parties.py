"""Parties: how one gets onto a departure, and on what terms."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bridge import db, errors, outbox, sql
from bridge.core import bookings, resources, slots, takes
from bridge.core.bookings import Booking
from bridge.core.slots import Slot
from bridge.core.takes import Take
from bridge.core.terms import Terms
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.pricing import Party, Price, price_party

queries = sql.load("bookings")

# No letter or digit that another can be taken for: people read a reference over the telephone.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_REFERENCE_LENGTH = 6  # A thousand million for each day, and looking one up shows nothing personal.
_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who books, and what they need."""

    customer_name: str
    customer_email: str | None
    customer_phone: str | None = None
    special_requirements: str | None = None
    dietary_restrictions: str | None = None
    accessibility_needs: str | None = None
    customer_id: str | None = None


def book(
    conn: Connection, *, tour_id: str, slot_id: str, party: Party, customer: Customer, terms: Terms, actor: str
) -> Booking:
    """A new booking: pending, its seats held for the tour's own term or the one of `terms`, its price fixed.

    Raises ResourceNotFound, SlotNotFound, PartySize, TooLate, TooFarAhead, SlotCancelled, BlackedOut,
    InsufficientCapacity.
    """
    tour = resources.get_resource(conn, tour_id)
    if tour.type != "TOUR" or not tour.is_active or tour.deleted_at is not None:
        raise errors.ResourceNotFound
    slot = slots.get_slot(conn, slot_id, window=terms.window)
    if slot.resource_id != tour_id:
        raise errors.SlotNotFound
    check_size(party, terms)
    check_open(conn, slot)
    booking_id = new_id("book")
    seats = party.seats(infants_take_seats=tour.infants_take_seats)
    hold_id = _hold(conn, booking_id, slot, seats, customer, terms=terms, actor=actor)
    price = price_party(party, per_person=slot.price_per_person, currency=terms.currency_code, rates=terms.rates)
    return insert_booking(
        conn,
        booking_id=booking_id,
        hold_id=hold_id,
        slot=slot,
        party=party,
        seats=seats,
        price=price,
        customer=customer,
        source="web",
        prefix=terms.reference_prefix,
    )


def book_held(
    conn: Connection, *, hold_id: str, slot_no: int, party: Party, customer: Customer, source: str, terms: Terms
) -> Booking:
    """A booking of seats that are held for it already, priced as of now. Raises SlotNotFound, PartySize."""
    slot = slots.get_slot(conn, slot_no=slot_no)
    tour = resources.get_resource(conn, slot.resource_id)
    check_size(party, terms)
    price = price_party(party, per_person=slot.price_per_person, currency=terms.currency_code, rates=terms.rates)
    return insert_booking(
        conn,
        booking_id=new_id("book"),
        hold_id=hold_id,
        slot=slot,
        party=party,
        seats=party.seats(infants_take_seats=tour.infants_take_seats),
        price=price,
        customer=customer,
        source=source,
        prefix=terms.reference_prefix,
    )


def insert_booking(
    conn: Connection,
    *,
    booking_id: str,
    hold_id: str,
    slot: Slot,
    party: Party,
    seats: int,
    price: Price,
    customer: Customer,
    source: str,
    prefix: str,
    status: str = "pending",
) -> Booking:
    """The booking's row, under a reference nobody else has, and the owed word of it."""
    values = {
        **asdict(price),
        **asdict(customer),
        "id": booking_id,
        "hold_id": hold_id,
        "resource_id": slot.resource_id,
        "slot_no": slot.slot_no,
        "num_adults": party.adults,
        "num_children": party.children,
        "num_infants": party.infants,
        "seats": seats,
        "source": source,
        "status": status,
    }
    today = db.one(conn.execute(sql.load("resources").read_today, {"resource_id": slot.resource_id}))["today"]
    for _ in range(_TRIES):
        reference = f"{prefix}-{today:%Y%m%d}-{_random_part()}"
        if conn.execute(queries.insert_booking, {**values, "reference": reference}).rowcount:
            break
    else:
        raise errors.Unavailable("No reference is free; try again.")
    outbox.add_work(
        conn,
        type="booking.notify",
        payload={"booking_id": booking_id, "change": None},
        dedupe_key=f"booking.notify:{booking_id}",
    )
    return bookings.get_booking(conn, booking_id)


def check_size(party: Party, terms: Terms) -> None:
    """Raise PartySize unless such a party may book."""
    if party.adults < 1:
        raise errors.PartySize("At least one adult must come along.", num_adults=party.adults)
    if not terms.min_size <= party.people <= terms.max_size:
        raise errors.PartySize(
            f"A party has {terms.min_size} to {terms.max_size} people, not {party.people}.",
            min_size=terms.min_size,
            max_size=terms.max_size,
            people=party.people,
        )


def check_open(conn: Connection, slot: Slot) -> None:
    """Raise what keeps the departure from being booked now, whatever it has left."""
    match slot.reason:
        case "too_late":
            raise errors.TooLate(starts_at=slot.starts_at)
        case "too_far_ahead":
            raise errors.TooFarAhead(slot_date=slot.slot_date.isoformat())
        case "blackout":
            raise blacked_out(conn, slot)
        case "slot_cancelled":
            raise errors.SlotCancelled(reason=slot.cancellation_reason)
        case str():
            raise errors.SlotCancelled("This departure is not sold any more.")


def blacked_out(conn: Connection, slot: Slot) -> errors.BlackedOut:
    """The refusal that names what closes the departure's date."""
    named = {"resource_id": slot.resource_id, "on_date": slot.slot_date}
    blackout = conn.execute(sql.load("availability").find_blackout, named).fetchone()
    return errors.BlackedOut(f"The tour does not run on {slot.slot_date}.", blackout=blackout)


def no_room(conn: Connection, slot: Slot, short: Sequence[dict[str, Any]]) -> errors.BridgeError:
    """The refusal in the words of a departure: why it does not have the seats, and what else there is."""
    found = next(one for one in short if one["slot_no"] == slot.slot_no)
    if found["reason"] == "blackout":
        return blacked_out(conn, slot)
    if found["reason"] is not None:
        return errors.SlotCancelled(reason=slot.cancellation_reason)
    available = found["available"]
    return errors.InsufficientCapacity(
        _left(available),
        slot_id=slot.id,
        requested=found["requested"],
        available=available,
        # Whoever is more than the departure takes would wait for ever.
        waitlist_available=found["requested"] <= slot.max_capacity,
    )


def _left(seats: int) -> str:
    if seats == 0:
        return "This departure is sold out."
    return f"Only {seats} {'seat is' if seats == 1 else 'seats are'} left on this departure."


def _hold(
    conn: Connection, booking_id: str, slot: Slot, seats: int, customer: Customer, *, terms: Terms, actor: str
) -> str:
    try:
        taken = takes.place(
            conn,
            [Take(slot.resource_id, slot.slot_no, seats)],
            kind="booking",
            scope="booking",
            key=booking_id,
            request_hash=booking_id.encode(),
            resource_id=slot.resource_id,
            quantity=seats,
            customer_email=customer.customer_email,
            metadata={"booking_id": booking_id},
            term=terms.hold,
            hard_term=terms.hard_hold,
            actor=actor,
        )
    except takes.Short as short:
        raise no_room(conn, slot, short.slots) from short
    return taken.hold_id


def _random_part() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_REFERENCE_LENGTH))
