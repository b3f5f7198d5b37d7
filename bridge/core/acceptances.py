"""Acceptances: what is offered to somebody who waits becomes their booking, in the very seats held for them."""

from __future__ import annotations

from bridge.core import bookings, parties, resources, waitlist
from bridge.core.bookings import Booking
from bridge.core.parties import Customer
from bridge.core.terms import Terms
from bridge.db import Connection
from bridge.errors import EntryClosed, PartySize
from bridge.rules.pricing import Party


def accept(conn: Connection, entry_id: str, *, terms: Terms, party: Party | None = None) -> Booking:
    """Book what is offered: pending, to be paid within the tour's term. Accepted again it is the same booking.

    Without `party` all are adults; one given must take exactly the seats that are held. Raises EntryNotFound,
    NothingOffered, OfferExpired, EntryClosed, PartySize.
    """
    entry = waitlist.get_entry(conn, entry_id)
    if entry.status == "converted" and entry.booking_id is not None:
        return bookings.get_booking(conn, entry.booking_id)
    try:
        taken = waitlist.take_offer(conn, entry_id, term=terms.hold, hard_term=terms.hard_hold)
    except EntryClosed:
        # Who accepts twice at the same instant accepts once: the other's booking is theirs.
        entry = waitlist.get_entry(conn, entry_id)
        if entry.booking_id is None:
            raise
        return bookings.get_booking(conn, entry.booking_id)
    party = party or Party(adults=entry.num_people)
    tour = resources.get_resource(conn, entry.tour_id)
    seats = party.seats(infants_take_seats=tour.infants_take_seats)
    if seats != entry.num_people:
        raise PartySize(f"Seats held: {entry.num_people}; this party takes {seats}.", seats=entry.num_people)
    booking = parties.book_held(
        conn,
        hold_id=taken.hold_id,
        slot_no=taken.slot_no,
        party=party,
        customer=Customer(
            customer_name=entry.customer_name,
            customer_email=entry.customer_email,
            customer_phone=entry.customer_phone,
            customer_id=entry.customer_id,
        ),
        source="waitlist",
        terms=terms,
    )
    waitlist.convert(conn, entry_id, booking_id=booking.id)
    return booking
