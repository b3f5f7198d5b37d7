"""Rebookings: another departure or another party, in one act that loses nothing when it cannot be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bridge import errors
from bridge.core import bookings, ledger, parties, resources, slots
from bridge.core.booking_log import By, note_change
from bridge.core.bookings import Booking
from bridge.core.ledger import Target
from bridge.core.slots import Slot
from bridge.core.terms import Terms
from bridge.db import Connection
from bridge.rules.pricing import Party, Price, price_heads, price_party

queries = bookings.queries

DETAILS = ("customer_name", "customer_phone", "special_requirements", "dietary_restrictions", "accessibility_needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to change of a booking; None leaves it as it is. `details` are the fields of DETAILS that change."""

    slot_id: str | None = None
    adults: int | None = None
    children: int | None = None
    infants: int | None = None
    details: Mapping[str, str | None]
    reason: str | None = None


def change_booking(conn: Connection, booking_id: str, *, changes: Changes, by: By, terms: Terms) -> Booking:
    """Move a booking to another departure of its tour, change its party, or both at once.

    The new seats are taken and the old given back in one act, or nothing changes. The same departure keeps the heads'
    prices it was booked at; another has its own. Raises BookingNotFound, InvalidTransition, SlotNotFound, PartySize,
    TooLate, TooFarAhead, SlotCancelled, BlackedOut, InsufficientCapacity.
    """
    before = bookings.lock_booking(conn, booking_id)
    if before.status not in {"pending", "confirmed"}:
        raise errors.InvalidTransition(f"A {before.status} booking cannot be changed.", status=before.status)
    _change_details(conn, before, changes, by)
    _change_seats(conn, before, changes, by, terms)
    return bookings.get_booking(conn, booking_id)


def _change_details(conn: Connection, before: Booking, changes: Changes, by: By) -> None:
    old = {name: getattr(before, name) for name in DETAILS}
    new = {**old, **changes.details}
    changed = [name for name in DETAILS if new[name] != old[name]]
    if not changed:
        return
    conn.execute(queries.update_details, {**new, "booking_id": before.id})
    was, now = ({name: values[name] for name in changed} for values in (old, new))
    note_change(conn, before.id, "details_change", was, now, by=by, reason=changes.reason)


def _change_seats(conn: Connection, before: Booking, changes: Changes, by: By, terms: Terms) -> None:
    party = Party(
        adults=_or(changes.adults, before.num_adults),
        children=_or(changes.children, before.num_children),
        infants=_or(changes.infants, before.num_infants),
    )
    old = slots.get_slot(conn, slot_no=before.slot_no, window=terms.window)
    new = old if changes.slot_id in {None, old.id} else slots.get_slot(conn, changes.slot_id, window=terms.window)
    is_same_party = party == Party(adults=before.num_adults, children=before.num_children, infants=before.num_infants)
    if new.slot_no == old.slot_no and is_same_party:
        return
    if new.resource_id != before.resource_id:
        raise errors.InvalidData(
            "new_slot_id: Not a departure of this tour.", fields={"new_slot_id": ["Not a departure of this tour."]}
        )
    parties.check_size(party, terms)
    _check_open(conn, old, new, by)
    tour = resources.get_resource(conn, before.resource_id)
    seats = party.seats(infants_take_seats=tour.infants_take_seats)
    _settle(conn, before, new, seats, by)
    _write(conn, before, old, new, party, seats, _price(before, new, party, terms), changes, by)


def _check_open(conn: Connection, old: Slot, new: Slot, by: By) -> None:
    """Staff are held by no clock; nobody gets onto a departure that does not run."""
    if not by.is_staff and old.reason == "too_late":
        raise errors.TooLate("The booking's departure leaves too soon for it to be changed.")
    is_by_clock = new.reason in {"too_late", "too_far_ahead"}
    if new.slot_no != old.slot_no and not (by.is_staff and is_by_clock):
        parties.check_open(conn, new)


def _settle(conn: Connection, before: Booking, new: Slot, seats: int, by: By) -> None:
    settled = ledger.settle(
        conn,
        [before.hold_id],
        [Target(before.hold_id, new.resource_id, new.slot_no, seats)],
        cause="move",
        actor=by.name,
        held_until=before.hold_expires_at if before.status == "pending" else None,
    )
    if not settled.settled:
        raise parties.no_room(conn, new, [{**slot, "requested": seats} for slot in settled.missing])


def _price(before: Booking, new: Slot, party: Party, terms: Terms) -> Price:
    if new.slot_no == before.slot_no:
        adult, child = before.price_per_adult, before.price_per_child
        return price_heads(party, adult=adult, child=child, currency=before.currency_code, tax_rate=before.tax_rate)
    return price_party(party, per_person=new.price_per_person, currency=before.currency_code, rates=terms.rates)


def _write(
    conn: Connection,
    before: Booking,
    old: Slot,
    new: Slot,
    party: Party,
    seats: int,
    price: Price,
    changes: Changes,
    by: By,
) -> None:
    is_moved = new.slot_no != old.slot_no
    values = {
        **asdict(price),
        "booking_id": before.id,
        "slot_no": new.slot_no,
        "num_adults": party.adults,
        "num_children": party.children,
        "num_infants": party.infants,
        "seats": seats,
    }
    # The booking first: what follows its allocation then finds nothing to do.
    conn.execute(queries.move_booking, values)
    conn.execute(queries.move_hold, {"hold_id": before.hold_id, "slot_no": new.slot_no, "seats": seats})
    was: dict[str, Any] = {name: getattr(before, name) for name in _PARTY} | {"total_amount": before.total_amount}
    now: dict[str, Any] = {name: values[name] for name in _PARTY} | {"total_amount": price.total_amount}
    if is_moved:
        was |= {"slot_id": old.id, "slot_date": old.slot_date, "start_time": old.start_time}
        now |= {"slot_id": new.id, "slot_date": new.slot_date, "start_time": new.start_time}
    kind = "date_change" if is_moved else "party_change"
    note_change(conn, before.id, kind, was, now, by=by, reason=changes.reason)


_PARTY = ("num_adults", "num_children", "num_infants")


def _or(wanted: int | None, otherwise: int) -> int:
    return otherwise if wanted is None else wanted
