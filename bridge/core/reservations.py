"""Reservations: items of any kind under one booking number, held together, with one timer."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bridge import db, errors, sql
from bridge.core import checkouts, holds, ledger, takes
from bridge.core.reservation_holds import hold_item
from bridge.core.reservation_items import Item
from bridge.core.reservation_refusals import refusal
from bridge.core.takes import Take
from bridge.db import Connection

queries = sql.load("reservations")

MOST_ITEMS = 50  # Of one number: more than any family books, few enough to lock at once.
# Without the letters that are read as digits. 16 of 32 are 80 random bits: nobody guesses another's number.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBER_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedItem:
    """An item, and what became of it: held, confirmed, released, expired, cancelled or short."""

    id: str  # Of its hold.
    resource_id: str
    quantity: int
    title: str
    details: dict[str, Any]
    line_quantity: int
    unit_price: Decimal | None
    currency_code: str
    variant_id: str | None
    expires_at: datetime
    status: str
    told_as: str | None  # By a letter: confirmed, short; null: by none.

    @property
    def amount(self) -> Decimal | None:
        """What all of it costs."""
        return None if self.unit_price is None else self.unit_price * self.line_quantity

    @property
    def when(self) -> str:
        """When it is, as people there read it."""
        if dates := self.details.get("dates"):
            return str(dates[0]) if len(dates) == 1 else f"{dates[0]} to {dates[-1]}, {len(dates)} days"
        start = datetime.fromisoformat(self.details["start_at"]).astimezone(ZoneInfo(self.details["time_zone"]))
        return f"{start:%Y-%m-%d %H:%M} ({self.details['time_zone']})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A reservation as it stands this second: open, paid, released, expired or cancelled."""

    booking_number: str
    status: str
    customer_email: str | None
    customer_name: str | None
    customer_phone: str | None
    created_at: datetime
    expires_at: datetime
    hard_expires_at: datetime
    grace_given_at: datetime | None
    source: str | None
    order_id: str | None
    ordered_at: datetime | None
    seconds_left: float
    items: Sequence[ReservedItem]


def add_items(
    conn: Connection,
    items: Sequence[Item],
    *,
    booking_number: str | None,
    customer_email: str | None,
    hard_term: timedelta,
    actor: str,
) -> tuple[Reservation, list[str]]:
    """Hold all of `items` under the number (a new one without), or nothing; the reservation, and the new items' ids.

    Each time that it holds something the term of the whole number starts again, within its hard cap. A refusal changes
    nothing. Raises ReservationNotFound, ReservationClosed, TooManyItems, InsufficientCapacity, BlackedOut.
    """
    number = booking_number or _begin(conn, customer_email, hard_term)
    if booking_number is not None:
        lock_open(conn, number)
    _take_turn(conn, number, items)
    added = [hold_item(conn, number, item, customer_email, hard_term, actor) for item in items]
    if booking_number is not None:
        note_customer(conn, number, email=customer_email)
    checkouts.close(conn, number)
    extend(conn, number)
    return get_reservation(conn, number), added


def drop_item(conn: Connection, booking_number: str, item_id: str, *, actor: str) -> Reservation:
    """Give one item back. The timer stays as it is.

    Raises ReservationNotFound, ReservationClosed, and ItemNotFound where the number has no such item any more.
    """
    lock_open(conn, booking_number)
    dropped = conn.execute(queries.drop_item, {"booking_number": booking_number, "hold_id": item_id})
    if not dropped.rowcount:
        raise errors.ItemNotFound
    with suppress(errors.HoldNotActive):  # A blackout gave it back before.
        holds.release_hold(conn, item_id, actor=actor, reason="taken out of the reservation")
    checkouts.close(conn, booking_number)
    return get_reservation(conn, booking_number)


def release(conn: Connection, booking_number: str, *, actor: str, reason: str, even_in_checkout: bool = False) -> int:
    """Give the whole reservation back if it is open; how many items that freed. Again, or after payment: 0.

    While a customer pays nothing is released, unless `even_in_checkout`.
    """
    if lock(conn, booking_number) != "open":
        return 0
    if not even_in_checkout and checkouts.is_paying(conn, booking_number):
        return 0
    held = _lock_live_holds(conn, booking_number)
    if held:
        ledger.settle(conn, held, cause="release", actor=actor)
        conn.execute(queries.close_holds_of_reservation, {"hold_ids": held, "reason": reason})
    conn.execute(queries.release_reservation, {"booking_number": booking_number})
    checkouts.close(conn, booking_number)
    return len(held)


def note_customer(
    conn: Connection,
    booking_number: str,
    *,
    email: str | None = None,
    name: str | None = None,
    phone: str | None = None,
) -> None:
    """Who an open reservation is for, as far as they say so now, and with it all that it holds.

    The caller has its lock. Their appointments too, so that whatever becomes of those reaches them.
    """
    named = {"customer_email": email, "customer_name": name, "customer_phone": phone}
    if any(named.values()):
        conn.execute(queries.note_customer, {"booking_number": booking_number, **named})
    _lock_live_holds(conn, booking_number)
    conn.execute(queries.pass_on_customer, {"booking_number": booking_number})


def get_reservation(conn: Connection, booking_number: str) -> Reservation:
    """The reservation with its items. Raises ReservationNotFound."""
    row = conn.execute(queries.find_reservation, {"booking_number": booking_number}).fetchone()
    if row is None:
        raise errors.ReservationNotFound
    return Reservation(**row, items=list_items(conn, [booking_number])[booking_number])


def list_items(conn: Connection, booking_numbers: Sequence[str]) -> dict[str, list[ReservedItem]]:
    """The items of each number, in the order they were added."""
    found: dict[str, list[ReservedItem]] = {number: [] for number in booking_numbers}
    for row in conn.execute(queries.list_items, {"booking_numbers": list(booking_numbers)}):
        found[row.pop("booking_number")].append(ReservedItem(**row))
    return found


def find_order_email(conn: Connection, booking_number: str) -> str | None:
    """Whom the order that paid for the number says it is from."""
    row = conn.execute(queries.find_order_email, {"booking_number": booking_number}).fetchone()
    return row["customer_email"] if row else None


def list_bookings(conn: Connection, booking_number: str) -> dict[str, tuple[str, str]]:
    """What the items are as bookings of their own, by their ids: ("booking" or "appointment", its id)."""
    rows = conn.execute(queries.list_bookings_of_items, {"booking_number": booking_number})
    return {row["hold_id"]: (row["kind"], row["id"]) for row in rows}


def lock(conn: Connection, booking_number: str) -> str | None:
    """Take the number's turn, before any of its holds; what it is now, None where there is none."""
    if conn.execute(queries.lock_reservation, {"booking_number": booking_number}).fetchone() is None:
        return None
    return str(db.one(conn.execute(queries.find_status, {"booking_number": booking_number}))["status"])


def lock_open(conn: Connection, booking_number: str) -> None:
    """Take the number's turn. Raises ReservationNotFound, and ReservationClosed unless it is open."""
    status = lock(conn, booking_number)
    if status is None:
        raise errors.ReservationNotFound
    if status != "open":
        raise errors.ReservationClosed(f"This reservation is {status}.", status=status)


def extend(conn: Connection, booking_number: str, *, grace: timedelta | None = None) -> datetime:
    """Start the number's term again, or lengthen it once by `grace`; the caller has its lock.

    Raises ReservationClosed when it lapsed meanwhile.
    """
    values = {"booking_number": booking_number, "grace": grace}
    until: datetime | None = db.one(conn.execute(queries.extend_reservation, values))["expires_at"]
    if until is None:
        raise errors.ReservationClosed("This reservation is expired.", status="expired")
    return until


def _begin(conn: Connection, customer_email: str | None, hard_term: timedelta) -> str:
    number = "BK-" + "".join(secrets.choice(_LETTERS) for _ in range(_NUMBER_LENGTH))
    conn.execute(
        queries.insert_reservation,
        {"booking_number": number, "customer_email": customer_email, "hard_term": hard_term},
    )
    return number


def _take_turn(conn: Connection, booking_number: str, items: Sequence[Item]) -> None:
    """Lock all that the number has and is to have, in the one order, and see that there is room for all of it."""
    count = db.one(conn.execute(queries.count_items, {"booking_number": booking_number}))["n"] + len(items)
    if count > MOST_ITEMS:
        raise errors.TooManyItems(f"A reservation has at most {MOST_ITEMS} items.", most=MOST_ITEMS)
    # The glance: what is visibly full is refused without queueing for its rows. Of somebody's time there may be no rows
    # yet, and it has been looked at.
    _refuse_short(conn, items, [take for item in items if item.wish is None for take in item.takes])
    wanted = [take for item in items for take in item.takes]
    staff = [item.resource_id for item in items if item.wish is not None]
    if staff:
        conn.execute(queries.lock_staff, {"staff_ids": staff})
    held = _lock_live_holds(conn, booking_number)
    slots = conn.execute(queries.list_held_slots, {"hold_ids": held})
    takes.lock_ahead(conn, [*wanted, *(Take(row["resource_id"], row["slot_no"], 0) for row in slots)])
    _refuse_short(conn, items, wanted)


def _refuse_short(conn: Connection, items: Sequence[Item], wanted: Sequence[Take]) -> None:
    # Two items that want one slot want their sum of it.
    summed: Counter[tuple[str, int]] = Counter()
    for take in wanted:
        summed[take.resource_id, take.slot_no] += take.quantity
    values = {
        "resources": [resource_id for resource_id, _slot in summed],
        "slots": [slot_no for _resource, slot_no in summed],
        "quantities": list(summed.values()),
    }
    described = db.one(conn.execute(queries.describe_slots, values))["slots"] or []
    short = {(slot["resource_id"], slot["slot_no"]): slot for slot in described if not slot["fits"]}
    if short:
        raise refusal(items, short)


def _lock_live_holds(conn: Connection, booking_number: str) -> list[str]:
    return [row["id"] for row in conn.execute(queries.lock_live_holds, {"booking_number": booking_number})]
