"""Passengers: bookings of what orders have sold on departures, so that staff know who comes along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bridge import sql
from bridge.core import parties, refunds, slots
from bridge.core.booking_log import By
from bridge.core.parties import Customer
from bridge.core.terms import kept_terms
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.known import Slot, Sold
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.rules.pricing import Party, Price, price_paid, price_party

queries = sql.load("passengers")


def name_holds(conn: Connection, facts: OrderFacts) -> OrderFacts:
    """The facts with the hold of each booking that they name by its id or its reference.

    What is no booking of ours is left out where something else is named; alone it stays, for people to see.
    """
    named = {name for names in (facts.hold_ids, *(line.hold_ids for line in facts.lines)) for name in names}
    wanted = sorted(name for name in named if not name.startswith("hold_"))
    if not wanted:
        return facts
    rows = conn.execute(queries.find_holds_of_bookings, {"names": wanted})
    holds = {name: row["hold_id"] for row in rows for name in (row["id"], row["reference"])}
    lines = tuple(replace(line, hold_ids=_resolved(line.hold_ids, holds)) for line in facts.lines)
    return replace(facts, lines=lines, hold_ids=_resolved(facts.hold_ids, holds))


def find_departures(conn: Connection, facts: OrderFacts) -> dict[str, Sold]:
    """What each line that names a departure sold of it, by the line's id, as far as there is such a departure.

    Of a booking that was made for a line and changed since, what it is now: people decide, not the line's old word.
    """
    lines = [line for line in facts.lines if line.slot_id]
    if not lines:
        return {}
    rows = conn.execute(queries.find_slots, {"slot_ids": [line.slot_id for line in lines]})
    known = {row["id"]: row for row in rows}
    prefix = f"{facts.source}:{facts.id}:"
    rows = conn.execute(queries.find_bookings_of_lines, {"keys": [prefix + line.id for line in lines]})
    changed = {row["key"].removeprefix(prefix): row for row in rows}
    sold = {}
    for line in lines:
        slot = changed.get(line.id) or known.get(line.slot_id or "")
        if slot is not None and line.resource_id in {None, slot["resource_id"]}:
            seats = slot["seats"] if line.id in changed else _seats(line, slot)
            sold[line.id] = Sold(slot["resource_id"], seats, [Slot(slot["resource_id"], slot["slot_no"])])
    return sold


def keep_list(conn: Connection, facts: OrderFacts, line_ids: Mapping[str, str | None]) -> None:
    """Make a booking of whatever the order has on a departure without one; note that it was paid back.

    `line_ids` are the lines of its holds, by their ids. The order's allocations have been written.
    """
    if not line_ids:
        return
    lines = {line.id: line for line in facts.lines}
    for row in conn.execute(queries.list_unlisted, {"hold_ids": list(line_ids)}).fetchall():
        line = lines.get(line_ids[row["hold_id"]] or "")
        name = facts.customer_name or row["customer_name"] or facts.email or f"Order {facts.id}"
        _list(conn, row, line, name=name, email=facts.email or row["customer_email"])
    if facts.email:
        conn.execute(queries.note_customer, {"hold_ids": list(line_ids), "email": facts.email})
    if facts.is_paid_back:
        order = {"source": facts.source, "order_id": facts.id}
        for row in conn.execute(queries.list_cancelled, order).fetchall():
            refunds.note_refund(conn, row["id"], by=By(name=f"order:{facts.id}"))


def list_confirmed(conn: Connection, hold_id: str) -> None:
    """Make a booking of a hold on a departure that was confirmed without one; nothing where it has one."""
    for row in conn.execute(queries.list_unlisted, {"hold_ids": [hold_id]}).fetchall():
        email = row["customer_email"]
        _list(conn, row, None, name=row["customer_name"] or email or f"Order {row['order_id']}", email=email)


def _list(conn: Connection, row: dict[str, Any], line: LineFacts | None, *, name: str, email: str | None) -> None:
    slot = slots.get_slot(conn, slot_no=row["slot_no"])
    party = _party(line, row)
    parties.insert_booking(
        conn,
        booking_id=new_id("book"),
        hold_id=row["hold_id"],
        slot=slot,
        party=party,
        seats=row["quantity"],
        price=_price(line, party, slot),
        customer=Customer(customer_name=name, customer_email=email, customer_phone=row["customer_phone"]),
        source="order",
        prefix=kept_terms().reference_prefix,
        status="confirmed",
    )


def _resolved(names: Iterable[str], holds: dict[str, str]) -> tuple[str, ...]:
    found = dict.fromkeys(holds.get(name, name) for name in names)
    ours = tuple(name for name in found if name.startswith("hold_"))
    return ours or tuple(found)


def _seats(line: LineFacts, slot: dict[str, Any]) -> int:
    if line.party is None:
        return line.quantity
    return _as_party(line.party).seats(infants_take_seats=slot["infants_take_seats"])


def _party(line: LineFacts | None, row: dict[str, Any]) -> Party:
    """Who comes along, as reserved or as the line says, if that is as many as have seats; else so many adults."""
    reserved = row["party"] and (row["party"]["adult"], row["party"]["child"], row["party"]["infant"])
    for named in (reserved, line.party if line is not None else None):
        if named is not None:
            party = _as_party(named)
            if party.seats(infants_take_seats=row["infants_take_seats"]) == row["quantity"]:
                return party
    return Party(adults=row["quantity"])


def _price(line: LineFacts | None, party: Party, slot: slots.Slot) -> Price:
    terms = kept_terms()
    if line is None or line.unit_price is None or line.unit_price < 0:
        return price_party(party, per_person=slot.price_per_person, currency=terms.currency_code, rates=terms.rates)
    # Of a line that was ordered once, the price is the party's; of more, each place's.
    paid = line.unit_price * max(1, line.ordered)
    return price_paid(party, per_person=slot.price_per_person, paid=paid, currency=terms.currency_code)


def _as_party(party: tuple[int, int, int]) -> Party:
    adults, children, infants = party
    return Party(adults=adults, children=children, infants=infants)
