"""Taking any list of slots for one hold: seats, chairs, vehicles, of one resource or of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from bridge import db, errors, sql
from bridge.db import Connection
from bridge.ids import new_id

queries = sql.load("holds")

Kind = Literal["cart", "offer", "booking", "appointment"]


@dataclass(frozen=True, slots=True, order=True)
class Take:
    """How much of one slot is wanted."""

    resource_id: str
    slot_no: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A hold that was placed, or (a replay) had been by the same request before."""

    hold_id: str
    created_at: datetime
    expires_at: datetime
    is_replay: bool


class Short(errors.Conflict):
    """Not everything that was asked for is free.

    `slots` says of each {resource_id, slot_no, requested, available, reason, fits}: callers put it in their own words.
    """

    code = "insufficient_capacity"

    def __init__(self, slots: Sequence[dict[str, Any]]) -> None:
        super().__init__("Not everything that was asked for is free.")
        self.slots = slots


def place(
    conn: Connection,
    takes: Iterable[Take],
    *,
    kind: Kind,
    scope: str,
    key: str,
    request_hash: bytes,
    resource_id: str,
    quantity: int,
    customer_email: str | None,
    metadata: dict[str, Any],
    term: timedelta,
    hard_term: timedelta,
    actor: str,
    booking_number: str | None = None,
) -> Taken:
    """Hold all of `takes`, or nothing. One round trip; it may be one of several in a transaction (see lock_ahead).

    `scope` and `key` make it idempotent: the same `request_hash` again answers the same hold. `resource_id` is what
    the customer asked for, and `quantity` how many of it, whatever that weighs in slots. Whether the slots lie in the
    future is for the caller to see, except where all are days of one resource.
    Raises Short, ResourceNotFound, PastDates, IdempotencyTokenReused.
    """
    summed = _summed(takes)
    answer = db.one(
        conn.execute(
            queries.place_any_hold,
            {
                "hold_id": new_id("hold"),
                "scope": scope,
                "key": key,
                "request_hash": request_hash,
                "kind": kind,
                "booking_number": booking_number,
                "resource_id": resource_id,
                "quantity": quantity,
                "customer_email": customer_email,
                "metadata": Jsonb(metadata),
                "term": term,
                "hard_term": hard_term,
                "resources": [take.resource_id for take in summed],
                "slots": [take.slot_no for take in summed],
                "quantities": [take.quantity for take in summed],
                "actor": actor,
            },
        )
    )
    match answer["outcome"]:
        case "placed" | "replayed" as outcome:
            return Taken(answer["hold_id"], answer["created_at"], answer["expires_at"], outcome == "replayed")
        case "token_reused":
            raise errors.IdempotencyTokenReused
        case "resource_not_found":
            raise errors.ResourceNotFound
        case "past":
            raise errors.PastDates(today=answer["details"])
    raise Short(answer["details"])


def lock_ahead(conn: Connection, takes: Iterable[Take]) -> None:
    """Lock every row of `takes` in the one order, before a transaction places several holds one after another.

    Each of them locks its own rows in order; the union of several is in order only when it is locked at once.
    """
    summed = _summed(takes)
    values = {"resources": [take.resource_id for take in summed], "slots": [take.slot_no for take in summed]}
    conn.execute(queries.lock_ahead, values)


def _summed(takes: Iterable[Take]) -> list[Take]:
    """Each slot once, in the order of the locks: two lines that want one slot want their sum of it."""
    wanted: Counter[tuple[str, int]] = Counter()
    for take in takes:
        wanted[take.resource_id, take.slot_no] += take.quantity
    return [Take(resource_id, slot_no, quantity) for (resource_id, slot_no), quantity in sorted(wanted.items())]
