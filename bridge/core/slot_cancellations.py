"""Slot cancellations: a departure that does not run is closed at once, and its bookings are dealt with in short steps.

What is still to be done is what still stands on the departure, so whoever dies half way leaves the rest to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from psycopg.rows import class_row

from bridge import db, outbox, sql
from bridge.core import closures, ledger, refunds, slots
from bridge.core.bookings import OURS
from bridge.core.ledger import Settled, Target
from bridge.core.slots import Slot
from bridge.db import Connection
from bridge.errors import InvalidData, SlotCancelled, SlotNotFound

queries = sql.load("slot_cancellations")

# A step's locks are held for a tenth of a second, and less where parties are moved: others who want these seats wait so
# long, and are not refused. Half as many at a time would halve that, and take longer in all.
STEP = 100
CAUSE = "the departure was cancelled"  # In the journal, and on the holds and allocations that go.


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A departure that does not run, and how far its bookings have been dealt with."""

    slot_no: int
    slot_id: str
    reason: str
    alternative_slot_id: str | None
    actor: str
    bookings: int
    cancelled: int
    moved: int
    holds_released: int
    refunds: int
    waitlist_closed: int
    started_at: datetime
    finished_at: datetime | None

    @property
    def status(self) -> str:
        """running, until everything is dealt with: then done."""
        return "done" if self.finished_at else "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody with seats on the departure, and what is done with them: move, cancel, release (nothing booked yet)."""

    action: str
    seats: int
    hold_id: str
    booking_id: str | None
    reference: str | None
    customer_email: str | None
    order_id: str | None
    refund_amount: Decimal | None
    currency_code: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What cancelling a departure would do this second."""

    slot: Slot
    alternative: Slot | None
    parties: Sequence[Party]
    waiting: int


def begin(conn: Connection, slot_id: str, *, reason: str, alternative_slot_id: str | None, actor: str) -> Cancellation:
    """Close the departure for sale, and owe all the rest. Asked again it says how far that is.

    Raises SlotNotFound, InvalidData for an alternative that is none, SlotCancelled when it was cancelled otherwise.
    """
    slot, alternative = _find(conn, slot_id, alternative_slot_id)
    conn.execute(queries.lock_slots, {"tour_id": slot.resource_id, "slots": [slot.slot_no], "hold_ids": []})
    if conn.execute(queries.close_slot, {"slot_no": slot.slot_no, "reason": reason}).fetchone() is None:
        known = get_cancellation(conn, slot_id)
        if (known.reason, known.alternative_slot_id) != (reason, alternative_slot_id):
            raise SlotCancelled("This departure is cancelled already.")
        return known
    conn.execute(queries.close_capacity, {"tour_id": slot.resource_id, "slot_no": slot.slot_no})
    conn.execute(
        queries.insert_cancellation,
        {
            "slot_no": slot.slot_no,
            "reason": reason,
            "alternative_slot_no": alternative.slot_no if alternative else None,
            "actor": actor,
        },
    )
    owe_steps(conn, slot.slot_no, part=0)
    return get_cancellation(conn, slot_id)


def owe_steps(conn: Connection, slot_no: int, *, part: int) -> None:
    """Have a worker take the steps that are left. One that runs out of time owes the next `part`."""
    outbox.add_work(
        conn,
        type="slot.cancel",
        payload={"slot_no": slot_no, "part": part},
        dedupe_key=f"slot.cancel:{slot_no}:{part}",
    )


def take_step(conn: Connection, slot_no: int, *, limit: int = STEP) -> bool:
    """Deal with up to `limit` parties of the departure; False when none is left, and all is done. Safe to run twice.

    Parties are moved in the order in which they booked, as long as the alternative has seats for them.
    """
    job = conn.execute(queries.lock_cancellation, {"slot_no": slot_no}).fetchone()
    if job is None or job["is_finished"]:
        return False
    here = {"tour_id": job["resource_id"], "slot_no": slot_no}
    hold_ids = [row["hold_id"] for row in conn.execute(queries.list_live_holds, {**here, "limit": limit})]
    if not hold_ids:
        conn.execute(queries.finish_cancellation, {"slot_no": slot_no})
        return False
    closures.lock_holds(conn, hold_ids)
    others = [slot_no, *([job["alternative_slot_no"]] if job["alternative_slot_no"] else [])]
    conn.execute(queries.lock_slots, {"tour_id": job["resource_id"], "slots": others, "hold_ids": hold_ids})
    parties = conn.execute(queries.list_parties, {**here, "hold_ids": hold_ids}).fetchall()
    moved = _move(conn, job, parties)
    _cancel(conn, job, [party for party in parties if party["hold_id"] not in moved], moved=len(moved))
    return True


def get_cancellation(conn: Connection, slot_id: str) -> Cancellation:
    """How far it is. Raises SlotNotFound when the departure is not, or was never asked to be, cancelled so."""
    with conn.cursor(row_factory=class_row(Cancellation)) as cursor:
        found = cursor.execute(queries.find_cancellation, {"slot_id": slot_id}).fetchone()
    if found is None:
        raise SlotNotFound("This departure is not cancelled.")
    return found


def preview(conn: Connection, slot_id: str, *, alternative_slot_id: str | None) -> Preview:
    """What `begin` and its steps would do this second. Changes and locks nothing. Raises as `begin` does."""
    slot, alternative = _find(conn, slot_id, alternative_slot_id)
    here = {"tour_id": slot.resource_id, "slot_no": slot.slot_no}
    # None is left out: NULL is no limit to PostgreSQL.
    hold_ids = [row["hold_id"] for row in conn.execute(queries.list_live_holds, {**here, "limit": None})]
    left = alternative.available_spots if alternative else 0
    parties = []
    for row in conn.execute(queries.list_parties, {**here, "hold_ids": hold_ids}):
        action = "release" if row["booking_id"] is None and row["order_id"] is None else "cancel"
        if row["booking_id"] and row["seats"] <= left:
            action, left = "move", left - row["seats"]
        parties.append(_party(row, action))
    waiting = db.one(conn.execute(queries.count_waiting, {"slot_no": slot.slot_no}))["count"]
    return Preview(slot, alternative, parties, waiting)


def _find(conn: Connection, slot_id: str, alternative_slot_id: str | None) -> tuple[Slot, Slot | None]:
    slot = slots.get_slot(conn, slot_id)
    if alternative_slot_id is None:
        return slot, None
    try:
        alternative = slots.get_slot(conn, alternative_slot_id)
    except SlotNotFound:
        alternative = None
    if alternative is None or alternative.resource_id != slot.resource_id or alternative.id == slot.id:
        raise InvalidData("alternative_slot_id: Not another departure of this tour.")
    if alternative.reason is not None:
        raise InvalidData(f"alternative_slot_id: It cannot be booked ({alternative.reason}).")
    return slot, alternative


def _move(conn: Connection, job: dict[str, Any], parties: Sequence[dict[str, Any]]) -> set[str]:
    """The holds of the parties that got seats on the alternative."""
    to_slot_no = job["alternative_slot_no"]
    if to_slot_no is None:
        return set()
    booked = [party for party in parties if party["booking_id"] is not None]
    moved: list[dict[str, Any]] = []
    # Each act has its claims as the others of it: allocated, or held until one time.
    for until, alike in groupby(booked, key=lambda party: party["expires_at"] if party["state"] == "held" else None):
        moved += _move_alike(conn, job, list(alike), until)
    conn.execute(
        queries.move_bookings,
        {
            "booking_ids": [party["booking_id"] for party in moved],
            "slot_no": job["slot_no"],
            "to_slot_no": to_slot_no,
            "actor": job["actor"],
            "reason": job["reason"],
        },
    )
    return {party["hold_id"] for party in moved}


def _move_alike(
    conn: Connection, job: dict[str, Any], parties: Sequence[dict[str, Any]], until: datetime | None
) -> Sequence[dict[str, Any]]:
    """Those of the parties that got seats, in one act: all, or in their order those that what is left suffices for."""
    settled = _settle(conn, job, parties, until)
    if settled.settled:
        return parties
    # The alternative is locked, so no more and no less is left when they are asked for again.
    left = settled.missing[0]["available"]
    fitting = []
    for party in parties:
        if party["seats"] <= left:
            fitting.append(party)
            left -= party["seats"]
    return fitting if _settle(conn, job, fitting, until).settled else []


def _settle(
    conn: Connection, job: dict[str, Any], parties: Sequence[dict[str, Any]], until: datetime | None
) -> Settled:
    to = job["resource_id"], job["alternative_slot_no"]
    targets = [Target(party["hold_id"], *to, party["seats"]) for party in parties]
    hold_ids = [party["hold_id"] for party in parties]
    return ledger.settle(conn, hold_ids, targets, cause="move", actor=job["actor"], held_until=until)


def _cancel(conn: Connection, job: dict[str, Any], parties: Sequence[dict[str, Any]], *, moved: int) -> None:
    booked = [party["booking_id"] for party in parties if party["booking_id"]]
    named = {"booking_ids": booked, "actor": job["actor"], "reason": job["reason"], "ours": OURS}
    # Before the holds: what goes with them finds its status changed, and the log written.
    conn.execute(queries.cancel_bookings, named)
    closures.let_go(conn, [party["hold_id"] for party in parties], cause=CAUSE, actor=job["actor"])
    paid = [party for party in parties if party["source"] not in {None, OURS}]
    for party in paid:
        refunds.owe_refund(
            conn,
            # A booking is paid back once, whoever cancels it.
            refund_id=party["booking_id"] or f"departure:{job['slot_no']}:{party['hold_id']}",
            source=party["source"],
            order_id=party["order_id"],
            line_item_id=party["line_item_id"],
        )
    counted = {
        "cancelled": len(booked) + sum(1 for party in paid if not party["booking_id"]),
        "moved": moved,
        "holds_released": sum(1 for party in parties if not party["booking_id"] and not party["order_id"]),
        "refunds": len(paid),
    }
    conn.execute(queries.count_on, {"slot_no": job["slot_no"], **counted})


def _party(row: dict[str, Any], action: str) -> Party:
    is_paid_back = action == "cancel" and row["source"] not in {None, OURS}
    return Party(
        action=action,
        seats=row["seats"],
        hold_id=row["hold_id"],
        booking_id=row["booking_id"],
        reference=row["reference"],
        customer_email=row["customer_email"],
        order_id=row["order_id"],
        refund_amount=row["total_amount"] if is_paid_back else None,
        currency_code=row["currency_code"],
    )
