"""Holds: placed, looked at, extended, confirmed, released, expired."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from bridge import db, errors, sql
from bridge.core import passengers
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.slots import day_slots, slot_day

queries = sql.load("holds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as it stands this second: one past its time is EXPIRED, swept or not."""

    id: str
    resource_id: str
    dates: Sequence[date]
    quantity: int
    customer_email: str | None
    status: str
    idempotency_token: str
    created_at: datetime
    expires_at: datetime
    seconds_left: float
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold, and whether this very request had made it before."""

    hold: Hold
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Released:
    """A hold given back, with the sum of what that freed."""

    hold: Hold
    capacity_returned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Capacity that belongs to a line of an order."""

    id: str
    hold_id: str
    resource_id: str
    order_id: str
    line_item_id: str | None
    quantity: int
    status: str
    created_at: datetime
    posted_late: bool
    dates: Sequence[date]
    grain: str


def place_hold(
    conn: Connection,
    *,
    resource_id: str,
    dates: Sequence[date],
    quantity: int,
    customer_email: str,
    idempotency_token: str,
    metadata: dict[str, Any],
    term: timedelta,
    hard_term: timedelta,
    booking_number: str | None = None,
) -> Placed:
    """Take `quantity` on every one of `dates`, or nothing. One statement: run it in `db.statement()`.

    The same token with the same request answers the same hold again. `term` is how long it lasts where the resource
    does not say. Raises ResourceNotFound, PastDates, BlackedOut, InsufficientCapacity, IdempotencyTokenReused.
    """
    slots = day_slots(dates)
    [answer] = conn.fetch(
        queries.place_hold,
        {
            "hold_id": new_id("hold"),
            "idempotency_token": idempotency_token,
            "request_hash": _hash(resource_id, slots, quantity, customer_email, metadata),
            "booking_number": booking_number,
            "resource_id": resource_id,
            "quantity": quantity,
            "customer_email": customer_email,
            "metadata": Jsonb(metadata),
            "term": term,
            "hard_term": hard_term,
            "slots": slots,
        },
    )
    if answer["outcome"] == "replayed":
        return Placed(get_hold(conn, answer["hold_id"]), is_replay=True)
    if answer["outcome"] != "placed":
        raise _refusal(conn, answer["outcome"], answer["details"], slots)
    hold = Hold(
        id=answer["hold_id"],
        resource_id=resource_id,
        dates=[slot_day(slot) for slot in slots],
        quantity=quantity,
        customer_email=customer_email,
        status="ACTIVE",
        idempotency_token=idempotency_token,
        created_at=answer["created_at"],
        expires_at=answer["expires_at"],
        seconds_left=(answer["expires_at"] - answer["created_at"]).total_seconds(),
        metadata=metadata,
    )
    return Placed(hold, is_replay=False)


def get_hold(conn: Connection, hold_id: str) -> Hold:
    """The hold as it stands this second. Raises HoldNotFound."""
    row = conn.execute(queries.find_hold, {"hold_id": hold_id}).fetchone()
    if row is None:
        raise errors.HoldNotFound
    return Hold(**{name: row[name] for name in Hold.__dataclass_fields__})


def extend_hold(conn: Connection, hold_id: str) -> Hold:
    """Give the hold one more full term from now, in place, never past its hard cap.

    Raises HoldNotFound, HoldNotActive, HoldExpired, ExtensionLimit.
    """
    outcome = db.one(conn.execute(queries.extend_hold, {"hold_id": hold_id}))["outcome"]
    if outcome == "shared":
        raise errors.ExtensionLimit("The time of this hold is that of its reservation; what is added there extends it.")
    if outcome != "extended":
        raise {
            "not_found": errors.HoldNotFound,
            "not_active": errors.HoldNotActive,
            "expired": errors.HoldExpired,
            "limit": errors.ExtensionLimit,
        }[outcome]
    return get_hold(conn, hold_id)


def confirm_hold(
    conn: Connection, hold_id: str, *, order_id: str, line_item_id: str | None, actor: str, source: str = "medusa"
) -> tuple[Allocation, Hold]:
    """Post the hold: its capacity is the order's from now on. Confirming for the same order again changes nothing.

    A hold that lapsed is taken again where there is room. Raises HoldNotFound, HoldReleased, AlreadyConfirmed, and
    HoldExpired when it lapsed and its place is gone.
    """
    [answer] = conn.fetch(
        queries.confirm_hold,
        {
            "hold_id": hold_id,
            "allocation_id": new_id("alloc"),
            "source": source,
            "order_id": order_id,
            "line_item_id": line_item_id,
            "actor": actor,
        },
    )
    match answer["outcome"]:
        case "not_found":
            raise errors.HoldNotFound
        case "released":
            raise errors.HoldReleased
        case "already_confirmed":
            raise errors.AlreadyConfirmed(order_id=answer["order_id"])
        case "no_room":
            raise errors.HoldExpired("The hold has expired, and there is no room left to take it again.")
    allocation = get_allocation(conn, answer["allocation_id"])
    if allocation.grain == "departure":
        passengers.list_confirmed(conn, hold_id)
    return allocation, get_hold(conn, hold_id)


def release_hold(
    conn: Connection, hold_id: str, *, actor: str, reason: str | None = None, customer_email: str | None = None
) -> Released:
    """Give the hold's capacity back, once; if `customer_email` is given, only when it is that customer's.

    Raises HoldNotFound, HoldNotActive, WrongCustomer.
    """
    values = {"hold_id": hold_id, "customer_email": customer_email or None, "reason": reason, "actor": actor}
    [answer] = conn.fetch(queries.release_hold, values)
    if answer["outcome"] != "released":
        raise {
            "not_found": errors.HoldNotFound,
            "not_active": errors.HoldNotActive,
            "wrong_customer": errors.WrongCustomer,
        }[answer["outcome"]]
    return Released(get_hold(conn, hold_id), answer["returned"])


def expire_holds(conn: Connection, *, limit: int) -> list[str]:
    """Tidy up to `limit` lapsed holds; the ids of those it did. They counted as free before."""
    return [row["hold_id"] for row in conn.execute(queries.expire_holds, {"limit": limit})]


def list_lapsed(conn: Connection, *, limit: int) -> list[str]:
    """Up to `limit` holds that lapsed and were not tidied up, the oldest of them, those of one slot side by side."""
    return [row["id"] for row in conn.execute(queries.list_lapsed, {"limit": limit})]


def sweep_holds(conn: Connection, hold_ids: Sequence[str]) -> list[str]:
    """Tidy up those of `hold_ids` that have lapsed; the ids of those it did: none while another sweep is at work."""
    return [row["hold_id"] for row in conn.execute(queries.sweep_holds, {"hold_ids": list(hold_ids)})]


def count_restored(conn: Connection, hold_ids: Sequence[str]) -> int:
    """How much these holds, now expired, gave back in all: places, summed over dates and departures; appointments."""
    return int(db.one(conn.execute(queries.count_restored, {"hold_ids": list(hold_ids)}))["restored"])


def get_allocation(conn: Connection, allocation_id: str) -> Allocation:
    """The allocation with the dates it has. Raises AllocationNotFound."""
    row = conn.execute(sql.load("allocations").find_allocation, {"allocation_id": allocation_id}).fetchone()
    if row is None:
        raise errors.AllocationNotFound
    return Allocation(**{name: row[name] for name in Allocation.__dataclass_fields__})


def _hash(
    resource_id: str, slots: Sequence[int], quantity: int, customer_email: str, metadata: dict[str, Any]
) -> bytes:
    """What tells two requests under one token apart."""
    request = {
        "resource_id": resource_id,
        "slots": slots,
        "quantity": quantity,
        "customer_email": customer_email,
        "metadata": metadata,
    }
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).digest()


def _refusal(conn: Connection, outcome: str, details: Any, wanted: Sequence[int]) -> errors.BridgeError:
    if outcome == "resource_not_found":
        return errors.ResourceNotFound()
    if outcome == "past":
        past = [day.isoformat() for day in map(slot_day, wanted) if day.isoformat() < details]
        return errors.PastDates(f"The dates lie in the past: {', '.join(past)}", past_dates=past, today=details)
    if outcome == "token_reused":
        return errors.IdempotencyTokenReused()
    closed = [slot for slot in details if slot["reason"] == "blackout"]
    if closed:
        dates = ", ".join(slot_day(slot["slot_no"]).isoformat() for slot in closed)
        return errors.BlackedOut(f"Not available on: {dates}", blackout=_find_blackout(conn, closed[0]))
    return insufficient_capacity([slot for slot in details if not slot["fits"]])


def insufficient_capacity(slots: Sequence[dict[str, Any]]) -> errors.InsufficientCapacity:
    """The refusal that names each date that is short: {slot_no, requested, available}."""
    dates = [slot_day(slot["slot_no"]).isoformat() for slot in slots]
    return errors.InsufficientCapacity(
        f"Insufficient capacity for dates: {', '.join(dates)}",
        unavailable_dates=[
            {"date": day, "requested": slot["requested"], "available": slot["available"]}
            for day, slot in zip(dates, slots, strict=True)
        ],
    )


def _find_blackout(conn: Connection, slot: dict[str, Any]) -> dict[str, Any] | None:
    return conn.execute(
        sql.load("availability").find_blackout,
        {"resource_id": slot["resource_id"], "on_date": slot_day(slot["slot_no"])},
    ).fetchone()
