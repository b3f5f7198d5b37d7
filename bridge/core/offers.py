"""Offers: seats that become free are held for those who wait for them, in the transaction that frees them.

The ledger's own functions do it (bridge/sql/functions/4_offer_places.sql), whichever door gives seats back. Here is
what opens departures without giving anything back, what beat does, and what people do by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from bridge import db, errors, sql
from bridge.config import Config
from bridge.core.slots import ANY_TIME
from bridge.db import Connection

queries = sql.load("offers")
_waitlist = sql.load("waitlist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How seats are handed over."""

    is_automatic: bool
    offer_term: timedelta
    cutoff: timedelta  # Before a departure; from there on nothing is offered.
    patience: int

    @classmethod
    def from_config(cls, config: Config) -> Rule:
        """The rule that the settings say."""
        return cls(
            is_automatic=config.waitlist_auto_process,
            offer_term=timedelta(hours=float(config.waitlist_notification_expiry_hours)),
            cutoff=timedelta(hours=float(config.booking_cutoff_hours)),
            patience=config.waitlist_patience,
        )


def keep_rule(conn: Connection, rule: Rule) -> None:
    """Have seats handed over by `rule` from now on: the ledger's functions cannot read settings."""
    conn.execute(queries.keep_rule, asdict(rule))


def offer_opened(
    conn: Connection, *, tour_id: str | None = None, starts_on: date | None = None, ends_on: date | None = None
) -> int:
    """Offer what has become free on these days though nobody gave a seat back; how many got an offer.

    For whoever raises capacity, opens departures or ends a blackout, in the same transaction: the public does not see
    the seats in between. Locks the departures that somebody waits for, in the one order; nothing when nobody does.
    """
    values = {"tour_id": tour_id, "starts_on": starts_on, "ends_on": ends_on}
    waited = conn.execute(queries.list_waited_slots, values).fetchall()
    return _offer(conn, waited, is_release=True)


def offer_slots(conn: Connection, *, tour_id: str, slots: Sequence[int]) -> int:
    """As offer_opened, for departures that have more seats now, and that the caller has locked, or has made."""
    named = {"resources": [tour_id] * len(slots), "slots": sorted(slots), "is_release": True}
    offers: int = db.one(conn.execute(queries.offer_places, named))["offers"]
    return offers


def offer_waiting(conn: Connection) -> int:
    """Offer whatever is free and somebody waits for: what a change of the settings or of the clock brought about."""
    nowhere = {"tour_id": None, "starts_on": None, "ends_on": None}
    return _offer(conn, conn.execute(queries.list_waited_slots, nowhere).fetchall(), is_release=False)


def offer_by_hand(conn: Connection, entry_id: str) -> None:
    """Offer an entry all its seats though others wait before it.

    Raises EntryNotFound, EntryClosed, InsufficientCapacity.
    """
    entry = conn.execute(queries.find_waiting, {"entry_id": entry_id}).fetchone()
    if entry is None:
        raise errors.EntryNotFound
    if entry["status"] != "active" or entry["hold_id"] is not None:
        raise errors.EntryClosed("Only an entry that waits, and collects no seats, can be offered some.")
    for slot in lock_slots(
        conn, tour_id=entry["resource_id"], on_date=entry["requested_date"], slot_no=entry["slot_no"]
    ):
        if slot["reason"] is None and slot["free"] >= entry["num_people"]:
            named = {"entry_id": entry_id, "slot_no": slot["slot_no"], "closes_at": slot["closes_at"]}
            if conn.execute(queries.offer_by_hand, named).fetchone() is None:
                raise errors.EntryClosed
            return
    raise errors.InsufficientCapacity("No departure that it waits for has so many seats free.")


def lock_slots(
    conn: Connection, *, tour_id: str, on_date: date, slot_no: int | None, advance_days: int = ANY_TIME.advance_days
) -> list[dict[str, Any]]:
    """The departures of a date, or the one named, locked: nobody takes or frees a seat there until the end.

    What had lapsed is given back before. Of each {slot_id, slot_no, closes_at, max_capacity, free, reason, …}, by time;
    `reason` is why it cannot be booked, whatever is free: see slots.Slot.
    """
    wanted = {"tour_id": tour_id, "requested_date": on_date, "slot_no": slot_no}
    found = [row["slot_no"] for row in conn.execute(_waitlist.find_slots, wanted)]
    named = {"resources": [tour_id] * len(found), "slots": found, "advance_days": advance_days}
    conn.execute(_waitlist.lock_slots, named)
    return conn.execute(_waitlist.list_slots, named).fetchall()


def expire_entries(conn: Connection, *, limit: int) -> list[str]:
    """Close up to `limit` entries that nothing can be offered any more: the departure came too near."""
    return [row["id"] for row in conn.execute(queries.expire_entries, {"limit": limit})]


def _offer(conn: Connection, slots: Sequence[dict[str, Any]], *, is_release: bool) -> int:
    if not slots:
        return 0
    named = {"resources": [slot["resource_id"] for slot in slots], "slots": [slot["slot_no"] for slot in slots]}
    conn.execute(queries.lock_slots, named)
    offers: int = db.one(conn.execute(queries.offer_places, {**named, "is_release": is_release}))["offers"]
    return offers
