"""Compares what the world knows with what the ledger says. Every difference is a sentence; there must be none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from tests.faults.ledger import Ledger
from tests.faults.truth import HoldKnown, Order, Seat, Truth


def compare(truth: Truth, ledger: Ledger, *, now: datetime) -> list[str]:
    """What is wrong. `now` is when the ledger was read; all work must have ended by then."""
    return [
        *truth.surprises,
        *_check_events(truth, ledger),
        *_check_orders(truth, ledger),
        *_check_counters(truth, ledger),
        *_check_holds(truth, ledger, now),
        *(f"the auditor found: {finding}" for finding in ledger.findings),
        *(f"not finished: {event}" for event in ledger.unfinished),
        *([f"{ledger.repairs} repairs by hand"] if ledger.repairs else []),
    ]


def _check_events(truth: Truth, ledger: Ledger) -> Iterator[str]:
    for webhook_id, sent in truth.events.items():
        if sent.accepted_at is None:
            yield f"event {webhook_id} was never accepted, in {sent.posts} posts"
            continue
        row = ledger.events.get(webhook_id)
        if row is None:
            yield f"event {webhook_id} got a 202 and is gone"
        elif row.id != sent.event_id:
            yield f"event {webhook_id} was accepted as {sent.event_id} and is {row.id}"
        elif row.status not in {"applied", "ignored"}:
            yield f"event {webhook_id} got a 202 and is {row.status}: {row.error}"
        elif row.ended != 1:
            yield f"event {webhook_id} was finished {row.ended} times"
        elif row.duplicates + 1 < sent.accepted:
            yield f"event {webhook_id} was accepted {sent.accepted} times, and {row.duplicates} repeats were counted"


def _check_orders(truth: Truth, ledger: Ledger) -> Iterator[str]:
    seen = set()
    for order in truth.orders.values():
        for line, day, wanted in order.wanted():
            key = (order.id, line.id, (line.resource_id, day))
            seen.add(key)
            has, short = ledger.allocated.get(key, 0), ledger.missing.get(key, 0)
            where = f"order {order.id} line {line.id} on {line.resource_id} {day}"
            if has + short != wanted:
                yield f"{where} wants {wanted}, has {has}, and {short} are known to be missing"
            elif short and not line.may_be_short:
                yield f"{where} lacks {short}, though a hold kept them"
    for key in ledger.allocated.keys() - seen:
        yield f"order {key[0]} line {key[1]} has {ledger.allocated[key]} of {key[2]}, which it never asked for"


def _check_counters(truth: Truth, ledger: Ledger) -> Iterator[str]:
    sold: dict[Seat, int] = defaultdict(int)
    for (_order, _line, seat), quantity in ledger.missing.items():
        sold[seat] -= quantity
    for order in truth.orders.values():
        for line, day, wanted in order.wanted():
            sold[line.resource_id, day] += wanted
    held: dict[Seat, int] = defaultdict(int)
    for hold in truth.holds.values():
        if ledger.holds.get(hold.id) == ("ACTIVE", False):
            for day in hold.days:
                held[hold.resource_id, day] += hold.quantity

    for seat, capacity in truth.capacity.items():
        if (counters := ledger.counters.get(seat)) is None:
            yield f"{seat} has no counters"
            continue
        if counters["max_capacity"] != capacity:
            yield f"{seat} had {capacity} places and has {counters['max_capacity']}"
        if counters["held"] + counters["allocated"] > capacity or counters["overbooked"]:
            yield f"{seat} is oversold: {counters}"
        if counters["allocated"] != sold[seat]:
            yield f"{seat} has {counters['allocated']} allocated, and {sold[seat]} were sold"
        if counters["held"] != held[seat]:
            yield f"{seat} has {counters['held']} held, and customers have {held[seat]}"
        if ledger.journal.get(seat, (0, 0)) != (counters["held"], counters["allocated"]):
            yield f"{seat} has {counters}, and its journal adds up to {ledger.journal.get(seat)}"


def _check_holds(truth: Truth, ledger: Ledger, now: datetime) -> Iterator[str]:
    for hold in truth.holds.values():
        if (found := ledger.holds.get(hold.id)) is None:
            yield f"hold {hold.id} was answered with 201 and is gone"
        elif found[0] not in (allowed := _allowed(hold, truth.orders.get(hold.order_id or ""), now)):
            yield f"hold {hold.id} is {found[0]}, not {' or '.join(sorted(allowed))}"


def _allowed(hold: HoldKnown, order: Order | None, now: datetime) -> set[str]:
    """What may have become of a hold, by what its customer did."""
    is_over = hold.expires_at <= now
    waiting = {"ACTIVE", "EXPIRED"} if is_over else {"ACTIVE"}
    if order is not None:
        line = next((line for line in order.lines if line.hold is hold), None)
        if order.is_cancelled or line is None or not line.wanted:
            # A cancellation that names no line may come before the order: then the hold lapses in its own time.
            return {"CONFIRMED", "RELEASED", *waiting}
        allowed = {"CONFIRMED"}
        allowed |= {"EXPIRED"} if line.may_be_short else set()
        return allowed | ({"RELEASED"} if line.was_empty else set())
    if hold.released:
        return {"RELEASED"}
    return waiting
