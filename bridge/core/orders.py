"""Orders: whatever a platform says of one, its claims become exactly what it wants, once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg.types.json import Jsonb

from bridge import sql
from bridge.core import ledger, passengers, reservation_orders, shortfalls, sold_services
from bridge.core.ledger import Excess, Settled, Target
from bridge.core.shortfalls import Standing
from bridge.core.sold import find_sold
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.known import KnownClaim, KnownHold, Slot
from bridge.rules.orders import KnownOrder, OrderFacts, is_superseded, order_from_json, order_to_json
from bridge.rules.wanted import Plan, Wanted, plan_order

queries = sql.load("orders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What looking at an order led to. With `problems` a person must look: a line names what cannot be found."""

    outcome: str
    ignored: bool = False
    problems: Sequence[str] = field(default_factory=list)


def reconcile(conn: Connection, facts: OrderFacts, *, actor: str) -> Reconciled:
    """Make what the order has what it wants: release the surplus, post its holds, take what is missing.

    Safe to run twice, in any order of arrival, and at once. What cannot be had becomes a shortfall.
    """
    if not facts.is_placed and not facts.is_cancelled:
        return Reconciled(outcome="a draft wants nothing yet", ignored=True)
    known = lock_order(conn, source=facts.source, order_id=facts.id)
    if reason := is_superseded(facts, known):
        return Reconciled(outcome=reason, ignored=True)

    reservation_orders.take_turn(conn, facts)
    facts = passengers.name_holds(conn, facts)
    plan = make_plan(conn, facts)
    reservation_orders.attach_order(conn, facts, plan)
    outcome = _apply(conn, facts, plan, actor=actor)
    conn.fetch(
        queries.update_order,
        {
            "source": facts.source,
            "order_id": facts.id,
            "version": facts.version,
            "updated_at": facts.updated_at,
            "is_cancelled": facts.is_cancelled,
            "facts": Jsonb(order_to_json(facts)),
        },
    )
    return Reconciled(outcome=outcome, problems=plan.problems)


def reconcile_again(
    conn: Connection, *, source: str, order_id: str, actor: str, force: str | None = None, cause: str = "order"
) -> None:
    """Reconcile an order with what was last seen of it; `force` names a hold that may exceed capacity."""
    facts = last_seen(conn, source=source, order_id=order_id)
    if facts is not None:
        _apply(conn, facts, make_plan(conn, facts), actor=actor, force=force, cause=cause)


def last_seen(conn: Connection, *, source: str, order_id: str) -> OrderFacts | None:
    """What was last seen of an order, whose turn this takes; None when it is only known by name."""
    row = conn.fetch(queries.lock_order, {"source": source, "order_id": order_id})[0]
    if row["facts"] is not None:
        facts = order_from_json(row["facts"])
        # A cancellation may have come as a word without facts.
        return replace(facts, is_cancelled=True) if row["cancelled_at"] else facts
    return OrderFacts(source=source, id=order_id, is_cancelled=True) if row["cancelled_at"] else None


def make_plan(conn: Connection, facts: OrderFacts) -> Plan:
    """What an order should have, with every hold it names or has locked. The caller has locked the order."""
    return plan_order(facts, _lock_holds(conn, facts), _list_grains(conn, facts), find_sold(conn, facts))


def lock_order(conn: Connection, *, source: str, order_id: str) -> KnownOrder:
    """Take the order's turn: whoever changes its claims waits here for the others, before any other lock."""
    row = conn.fetch(queries.lock_order, {"source": source, "order_id": order_id})[0]
    return KnownOrder(
        version=row["version"], updated_at=row["updated_at"], is_cancelled=row["cancelled_at"] is not None
    )


def _lock_holds(conn: Connection, facts: OrderFacts) -> list[KnownHold]:
    prefix = f"{facts.source}:{facts.id}:"
    rows = conn.fetch(
        queries.lock_holds_of_order,
        {
            "source": facts.source,
            "order_id": facts.id,
            "hold_ids": sorted({*facts.hold_ids, *(name for line in facts.lines for name in line.hold_ids)}),
            "booking_number": facts.booking_number,
            "line_prefix": prefix,
            "line_keys": [prefix + line.id for line in facts.lines],
        },
    )
    return [_known_hold(row) for row in rows]


def _known_hold(row: dict[str, Any]) -> KnownHold:
    made_for = [Slot(*slot) for slot in row["made_for"]]
    return KnownHold(**row | {"made_for": made_for, "claims": [KnownClaim(**claim) for claim in row["claims"]]})


def _list_grains(conn: Connection, facts: OrderFacts) -> dict[str, str]:
    named = sorted({line.resource_id for line in facts.lines if line.resource_id})
    if not named:
        return {}
    return {row["id"]: row["grain"] for row in conn.fetch(queries.list_grains, {"resource_ids": named})}


def _apply(
    conn: Connection, facts: OrderFacts, plan: Plan, *, actor: str, force: str | None = None, cause: str = "order"
) -> str:
    if not plan.wanted:
        return "; ".join(["nothing of ours in this order", *plan.notes])
    hold_ids = [_hold_for(conn, facts, wanted) for wanted in plan.wanted]
    settled = _settle(conn, plan, hold_ids, actor=actor, cause=cause)
    if force is not None and settled.missing:
        _settle(conn, plan, hold_ids, actor=actor, cause="force", excess="force", only=force)
        settled = _settle(conn, plan, hold_ids, actor=actor, cause=cause)
    standings = _standings(plan, hold_ids, settled)
    _post(conn, facts, standings)
    if any(slot.weight is not None for wanted in plan.wanted for slot in wanted.slots):
        sold_services.follow_order(conn, facts, actor=actor)
    passengers.keep_list(conn, facts, _on_departures(plan, hold_ids))
    opened = shortfalls.follow(conn, facts, standings, actor=actor)
    return _describe(facts, standings, settled, opened, plan.notes)


def _hold_for(conn: Connection, facts: OrderFacts, wanted: Wanted) -> str:
    """The id of the wanted's hold, made now where the line came without one."""
    if wanted.hold is not None:
        return wanted.hold.id
    hold_id = new_id("hold")
    conn.fetch(
        queries.insert_order_hold,
        {
            "id": hold_id,
            "key": f"{facts.source}:{facts.id}:{wanted.line_id or ''}",
            "resource_id": wanted.resource_id,
            "quantity": max(1, wanted.quantity),
            "customer_email": facts.email,
            "slots": Jsonb([list(slot) for slot in wanted.slots]),
        },
    )
    return hold_id


def _settle(
    conn: Connection,
    plan: Plan,
    hold_ids: list[str],
    *,
    actor: str,
    cause: str,
    excess: Excess = "policy",
    only: str | None = None,
    without: Collection[str] = (),
) -> Settled:
    targets = [
        Target(hold_id, slot.resource_id, slot.slot_no, quantity)
        for wanted, hold_id in zip(plan.wanted, hold_ids, strict=True)
        if only in {None, hold_id} and hold_id not in without
        for slot in wanted.slots
        if (quantity := wanted.quantity_of(slot)) > 0
    ]
    settled_holds = hold_ids if only is None else [only]
    settled = ledger.settle(conn, settled_holds, targets, cause=cause, actor=actor, partial=True, excess=excess)
    broken = _broken(plan, hold_ids, settled)
    if not broken:
        return settled
    # Half a party or half an appointment is of no use to anybody: what was had of it is given back.
    without = {*without, *broken}
    rest = _settle(conn, plan, hold_ids, actor=actor, cause=cause, excess=excess, only=only, without=without)
    missing = [slot for slot in settled.missing if slot["hold_id"] in broken]
    return replace(settled, returned=settled.returned + rest.returned, missing=[*rest.missing, *missing])


def _broken(plan: Plan, hold_ids: list[str], settled: Settled) -> set[str]:
    short = {slot["hold_id"] for slot in settled.missing}
    return {
        hold_id for wanted, hold_id in zip(plan.wanted, hold_ids, strict=True) if wanted.is_whole and hold_id in short
    }


def _standings(plan: Plan, hold_ids: list[str], settled: Settled) -> list[Standing]:
    missing = defaultdict(list)
    for slot in settled.missing:
        missing[slot["hold_id"]].append(slot)
    standings = []
    for wanted, hold_id in zip(plan.wanted, hold_ids, strict=True):
        if wanted.is_whole:
            wants = any(map(wanted.quantity_of, wanted.slots))
            has = wanted.quantity if wants and not missing[hold_id] else 0
        else:
            short = {(slot["resource_id"], slot["slot_no"]): slot["quantity"] for slot in missing[hold_id]}
            has = max((wanted.quantity_of(slot) - short.get(slot[:2], 0) for slot in wanted.slots), default=0)
        standings.append(Standing(wanted, hold_id, missing[hold_id], has))
    return standings


def _on_departures(plan: Plan, hold_ids: list[str]) -> dict[str, str | None]:
    """Holds that may be of departures, with the line of each."""
    return {
        hold_id: wanted.line_id
        for wanted, hold_id in zip(plan.wanted, hold_ids, strict=True)
        if wanted.hold is None or wanted.hold.grain == "departure"
    }


def _post(conn: Connection, facts: OrderFacts, standings: Sequence[Standing]) -> None:
    having = [standing for standing in standings if standing.has > 0]
    if having:
        conn.fetch(
            queries.post_allocations,
            {
                "source": facts.source,
                "order_id": facts.id,
                "customer_email": facts.email,
                "ids": [new_id("alloc") for _ in having],
                "hold_ids": [standing.hold_id for standing in having],
                "resource_ids": [standing.wanted.resource_id for standing in having],
                "line_item_ids": [standing.wanted.line_id for standing in having],
                "quantities": [standing.has for standing in having],
                "late": [standing.wanted.is_late for standing in having],
            },
        )
    empty = [standing.hold_id for standing in standings if standing.has == 0]
    if empty:
        reason = "the order was cancelled" if facts.is_cancelled else "the order does not want it any more"
        conn.fetch(queries.cancel_allocations, {"hold_ids": empty, "reason": reason})
    changes = [(standing.hold_id, status) for standing in standings if (status := _status_after(standing))]
    if changes:
        conn.fetch(
            queries.close_holds,
            {
                "hold_ids": [hold_id for hold_id, _status in changes],
                "statuses": [status for _hold_id, status in changes],
                "reasons": [None if status == "CONFIRMED" else "order" for _hold_id, status in changes],
            },
        )


def _status_after(standing: Standing) -> str | None:
    if standing.has > 0:
        return "CONFIRMED"
    hold = standing.wanted.hold
    if hold is None or hold.status != "ACTIVE":
        return None
    return "EXPIRED" if standing.missing else "RELEASED"


def _describe(
    facts: OrderFacts, standings: Sequence[Standing], settled: Settled, opened: Sequence[str], notes: Sequence[str]
) -> str:
    kept = sum(1 for standing in standings if standing.has)
    parts = [f"{'cancelled' if facts.is_cancelled else 'placed'}: {kept} of {len(standings)} bookings stand"]
    if settled.returned:
        parts.append(f"{settled.returned} given back")
    if any(standing.wanted.is_late and standing.has for standing in standings):
        parts.append("posted_late")
    if opened:
        parts.append(f"short: {', '.join(opened)}")
    return "; ".join([*parts, *notes])
