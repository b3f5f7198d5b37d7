"""The waitlist: who waits for seats on a departure that is full, and what becomes of what they are offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from bridge import db, errors, sql
from bridge.core import holds, offers
from bridge.core.slots import ANY_TIME
from bridge.db import Connection
from bridge.errors import Unavailable
from bridge.ids import new_id

queries = sql.load("waitlist")

# A try fails only when seats were offered to the entry, or taken from it, between two of its statements.
_TRIES = 10
DECLINED = "declined"  # Why a hold was released; follow_offer knows it.

# Why nobody can wait for a date, the first that is true of any of its departures first.
_REFUSALS = {
    "too_late": errors.TooLate,
    "too_far_ahead": errors.TooFarAhead,
    "blackout": errors.BlackedOut,
    "slot_cancelled": errors.SlotCancelled,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as it stands this second: an offer past its time is expired, swept or not."""

    id: str
    tour_id: str
    tour_name: str
    time_zone: str
    requested_date: date
    booking_slot_id: str | None  # The departure they wait for; None: any of the date.
    num_people: int
    customer_id: str | None
    customer_name: str
    customer_email: str
    customer_phone: str | None
    notes: str | None
    status: str
    priority: int
    position: int | None  # From 1, while they wait.
    created_at: datetime
    offered_slot_no: int | None
    offered_slot_id: str | None
    offered_starts_at: datetime | None
    notified_at: datetime | None
    notification_expires_at: datetime | None
    converted_at: datetime | None
    booking_id: str | None
    hold_id: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """An entry, and whether the very same had been made before."""

    entry: Entry
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What was offered, and is to be booked now."""

    hold_id: str
    slot_no: int


def join(
    conn: Connection,
    *,
    tour_id: str,
    requested_date: date,
    num_people: int,
    customer_name: str,
    customer_email: str,
    customer_phone: str | None = None,
    notes: str | None = None,
    customer_id: str | None = None,
    slot_id: str | None = None,
    advance_days: int = ANY_TIME.advance_days,
) -> Joined:
    """Wait for `num_people` seats on one departure, or on any of a date; the same asked again changes nothing.

    Locks the departures, so that no seat becomes free unseen meanwhile. Raises ResourceNotFound, SlotNotFound,
    NothingToWaitFor, TooLate, TooFarAhead, BlackedOut, SlotCancelled, SeatsAvailable, AlreadyWaiting.
    """
    if conn.execute(queries.find_tour, {"tour_id": tour_id}).fetchone() is None:
        raise errors.ResourceNotFound
    slot_no = _find_slot(conn, tour_id, requested_date, slot_id)
    open_slots = _lock_open_slots(conn, tour_id, requested_date, slot_no, advance_days)
    if waiting := _find_live(conn, tour_id, requested_date, customer_email):
        if (waiting["slot_no"], waiting["num_people"]) != (slot_no, num_people):
            raise errors.AlreadyWaiting(entry_id=waiting["id"])
        return Joined(get_entry(conn, waiting["id"]), is_replay=True)
    _refuse_if_there_is_room(open_slots, num_people)
    entry_id = new_id("wait")
    conn.execute(
        queries.insert_entry,
        {
            "id": entry_id,
            "tour_id": tour_id,
            "requested_date": requested_date,
            "slot_no": slot_no,
            "num_people": num_people,
            "customer_id": customer_id,
            "customer_name": customer_name,
            "customer_email": customer_email,
            "customer_phone": customer_phone,
            "notes": notes,
            "closes_at": max(slot["closes_at"] for slot in open_slots),
        },
    )
    _owe_notice(conn, entry_id, "joined")
    return Joined(get_entry(conn, entry_id), is_replay=False)


def get_entry(conn: Connection, entry_id: str) -> Entry:
    """The entry as it stands this second. Raises EntryNotFound."""
    entries = _read(conn, [entry_id])
    if not entries:
        raise errors.EntryNotFound
    return entries[0]


def list_entries(
    conn: Connection,
    *,
    limit: int,
    offset: int,
    tour_id: str | None = None,
    requested_date: date | None = None,
    status: str | None = None,
    customer_id: str | None = None,
) -> tuple[list[Entry], int]:
    """A page of entries, the newest first, and how many there are in all."""
    filters = {"tour_id": tour_id, "requested_date": requested_date, "status": status, "customer_id": customer_id}
    page = conn.execute(queries.list_entries, {**filters, "limit": limit, "offset": offset}).fetchall()
    return _read(conn, [row["id"] for row in page]), db.one(conn.execute(queries.count_entries, filters))["count"]


def set_priority(conn: Connection, entry_id: str, *, priority: int) -> Entry:
    """Move an entry before those of less priority, from the next seat on. Raises EntryNotFound."""
    if conn.execute(queries.set_priority, {"entry_id": entry_id, "priority": priority}).fetchone() is None:
        raise errors.EntryNotFound
    return get_entry(conn, entry_id)


def leave(conn: Connection, entry_id: str, *, actor: str) -> Entry:
    """Leave the queue, or decline what was offered: its seats go to the next. Raises EntryNotFound, EntryClosed."""
    for _ in range(_TRIES):
        entry = get_entry(conn, entry_id)
        if entry.status not in {"active", "notified"}:
            raise errors.EntryClosed(status=entry.status)
        if _leave_queue(conn, entry_id) or _decline(conn, entry.hold_id, actor):
            _owe_notice(conn, entry_id, "cancelled")
            return get_entry(conn, entry_id)
    raise Unavailable("Seats are being offered this very moment; try again.")


def take_offer(conn: Connection, entry_id: str, *, term: timedelta, hard_term: timedelta) -> Taken:
    """Make what is offered the hold of a booking, held for `term` from now: the same seats, never let go.

    The caller books them and then says so by `convert`, in the same transaction. Raises EntryNotFound, NothingOffered,
    EntryClosed, OfferExpired.
    """
    entry = get_entry(conn, entry_id)
    refusals = {
        "active": errors.NothingOffered,
        "expired": errors.OfferExpired,
        "cancelled": errors.EntryClosed,
        "converted": errors.EntryClosed,
    }
    if entry.status in refusals:
        raise refusals[entry.status]
    assert entry.hold_id is not None, "the database lets nobody be notified without a hold"
    assert entry.offered_slot_no is not None, "nor without a departure"
    conn.execute(queries.lock_offer, {"hold_id": entry.hold_id})
    named = {"hold_id": entry.hold_id, "term": term, "hard_term": hard_term}
    if db.one(conn.execute(queries.accept_offer, named))["outcome"] != "accepted":
        # Accepted or declined while this waited: then that is what is said of it.
        now = get_entry(conn, entry_id)
        raise refusals[now.status] if now.status in {"cancelled", "converted"} else errors.OfferExpired
    return Taken(entry.hold_id, entry.offered_slot_no)


def convert(conn: Connection, entry_id: str, *, booking_id: str) -> None:
    """The seats that the entry took are booked."""
    conn.execute(queries.convert_entry, {"entry_id": entry_id, "booking_id": booking_id})
    _owe_notice(conn, entry_id, "converted")


def _find_slot(conn: Connection, tour_id: str, requested_date: date, slot_id: str | None) -> int | None:
    if slot_id is None:
        return None
    slot = conn.execute(queries.find_slot, {"slot_id": slot_id, "tour_id": tour_id}).fetchone()
    if slot is None:
        raise errors.SlotNotFound
    if slot["slot_date"] != requested_date:
        raise errors.NothingToWaitFor("This departure is not on the requested date.")
    slot_no: int = slot["slot_no"]
    return slot_no


def _lock_open_slots(
    conn: Connection, tour_id: str, on_date: date, slot_no: int | None, advance_days: int
) -> list[dict[str, Any]]:
    slots = offers.lock_slots(conn, tour_id=tour_id, on_date=on_date, slot_no=slot_no, advance_days=advance_days)
    open_slots = [slot for slot in slots if slot["reason"] is None]
    if not open_slots:
        reasons = {slot["reason"] for slot in slots}
        raise next((refusal for reason, refusal in _REFUSALS.items() if reason in reasons), errors.NothingToWaitFor)
    return open_slots


def _refuse_if_there_is_room(slots: Sequence[dict[str, Any]], num_people: int) -> None:
    if all(slot["max_capacity"] < num_people for slot in slots):
        raise errors.NothingToWaitFor("No departure of this date has so many seats.")
    roomy = [
        {
            "slot_id": slot["slot_id"],
            "start_time": slot["start_time"].isoformat(),
            "end_time": slot["end_time"].isoformat(),
            "available_spots": slot["free"],
        }
        for slot in slots
        if slot["free"] >= num_people
    ]
    if roomy:
        raise errors.SeatsAvailable(slots=roomy)


def _find_live(conn: Connection, tour_id: str, on_date: date, email: str) -> dict[str, Any] | None:
    named = {"tour_id": tour_id, "requested_date": on_date, "customer_email": email}
    return conn.execute(queries.find_live_entry, named).fetchone()


def _leave_queue(conn: Connection, entry_id: str) -> bool:
    return conn.execute(queries.leave_queue, {"entry_id": entry_id}).fetchone() is not None


def _decline(conn: Connection, hold_id: str | None, actor: str) -> bool:
    """Give back what is held for an entry, which closes it (see follow_offer); False when that is gone meanwhile."""
    # Once accepted it is the hold of a booking, and not given back here.
    if hold_id is None or conn.execute(queries.lock_offer, {"hold_id": hold_id}).fetchone() is None:
        return False
    try:
        holds.release_hold(conn, hold_id, actor=actor, reason=DECLINED)
    except errors.HoldNotActive:
        return False
    return True


def _read(conn: Connection, entry_ids: Sequence[str]) -> list[Entry]:
    with conn.cursor(row_factory=psycopg.rows.class_row(Entry)) as cursor:
        return cursor.execute(queries.read_entries, {"entry_ids": list(entry_ids)}).fetchall()


def _owe_notice(conn: Connection, entry_id: str, what: str) -> None:
    conn.execute(queries.owe_notice, {"entry_id": entry_id, "what": what, "once": entry_id})
