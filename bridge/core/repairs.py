"""What the auditor found, put right: as far as what is written elsewhere says how, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.core import ledger, orders
from bridge.core.audits import Finding
from bridge.core.ledger import Target
from bridge.db import Connection
from bridge.rules.findings import explain

queries = sql.load("repairs")

CAUSE = "repair"

Slots = Sequence[tuple[str, int]]


class _Unclear(Exception):
    """What is written does not say what is right."""


def repair(conn: Connection, finding: Finding, *, actor: str) -> bool:
    """Put right what a finding says, as it is by now; whether there was a way to. Run each in a transaction of its own.

    Counters follow claims, claims follow their hold, what an order has follows what was last seen of the order. Locks
    as everybody does: order, holds, slots. Safe beside sales, and to repeat. What was done is noted under `actor`.
    """
    try:
        with conn.transaction():
            done = _mend(conn, finding, actor=actor)
    except _Unclear:
        return False
    target = finding.get("hold_id") or finding.get("order_id") or finding["resource_id"]
    conn.execute(
        queries.note_repair, {"actor": actor, "target": target, "reason": explain(finding).what, "details": Jsonb(done)}
    )
    return True


def _mend(conn: Connection, finding: Finding, *, actor: str) -> dict[str, Any]:
    match finding["check"]:
        case "counters" | "overbooked":
            return _recount(conn, [(finding["resource_id"], finding["slot_no"])])
        case "forgotten":
            return _mend_order(conn, source=finding["source"], order_id=finding["order_id"], actor=actor)
        case "claims" | "holds" | "orders" | "history":
            return _mend_hold(conn, finding["hold_id"], actor=actor)
    raise _Unclear


def _mend_hold(conn: Connection, hold_id: str, *, actor: str) -> dict[str, Any]:
    known = conn.execute(queries.find_hold, {"hold_id": hold_id}).fetchone()
    if known is None:
        raise _Unclear
    if known["order_is_known"] and (known["status"] != "ACTIVE" or known["order_is_cancelled"]):
        return _mend_order(conn, source=known["source"], order_id=known["order_id"], actor=actor)

    conn.execute(queries.lock_hold, {"hold_id": hold_id})
    lost, done = _true_up(conn, [hold_id], [], actor=actor)
    conn.execute(queries.confirm_holds, {"hold_ids": [hold_id]})
    conn.execute(queries.align_claims, {"hold_id": hold_id})
    hold = db.one(conn.execute(queries.lock_hold, {"hold_id": hold_id}))
    claims = conn.execute(queries.list_live_claims, {"hold_id": hold_id}).fetchall()
    if hold["allocation_status"] == "CONFIRMED":
        # Of an order that was never seen: what it has is its own, but what it lacks is anybody's guess.
        if lost or hold["status"] != "CONFIRMED":
            raise _Unclear
        _settle(conn, hold_id, claims, actor=actor)
    elif hold["status"] == "ACTIVE" and not hold["is_lapsed"]:
        _settle(conn, hold_id, [*claims, *lost], actor=actor, held_until=hold["expires_at"])
    elif hold["status"] == "CONFIRMED" and hold["allocation_status"] is None:
        raise _Unclear
    else:
        _settle(conn, hold_id, [], actor=actor)
    return done


def _settle(
    conn: Connection,
    hold_id: str,
    claims: Sequence[dict[str, Any]],
    *,
    actor: str,
    held_until: datetime | None = None,
) -> None:
    """Have the hold exactly these claims: all, or none is changed and the matter is for people."""
    targets = [Target(hold_id, row["resource_id"], row["slot_no"], row["quantity"]) for row in claims]
    settled = ledger.settle(conn, [hold_id], targets, cause=CAUSE, actor=actor, held_until=held_until)
    if not settled.settled or (held_until and not claims):
        raise _Unclear


def _mend_order(conn: Connection, *, source: str, order_id: str, actor: str) -> dict[str, Any]:
    facts = orders.last_seen(conn, source=source, order_id=order_id)
    if facts is None:
        raise _Unclear
    plan = orders.make_plan(conn, facts)
    hold_ids = [wanted.hold.id for wanted in plan.wanted if wanted.hold is not None]
    # All slots at once: settling locks them again, and must find none of them ours out of turn.
    wanted = [(slot.resource_id, slot.slot_no) for wanted in plan.wanted for slot in wanted.slots]
    _lost, done = _true_up(conn, hold_ids, wanted, actor=actor)
    conn.execute(queries.confirm_holds, {"hold_ids": hold_ids})
    orders.reconcile_again(conn, source=source, order_id=order_id, actor=actor, cause=CAUSE)
    return done


def _true_up(
    conn: Connection, hold_ids: list[str], more: Slots, *, actor: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Have journal, claims and counters of these holds agree, as the claims are; the claims that are lost, and a note.

    A claim that is gone is remembered as expired, from the journal: it takes nothing, until it is taken again where
    there is room.
    """
    slots = [(row["resource_id"], row["slot_no"]) for row in conn.execute(queries.list_slots, {"hold_ids": hold_ids})]
    slots = sorted({*slots, *more})
    done = _recount(conn, slots)  # Which locks them.
    lost = conn.execute(queries.list_lost_claims, {"hold_ids": hold_ids}).fetchall()
    names = {"hold_ids": "hold_id", "resources": "resource_id", "slots": "slot_no", "quantities": "quantity"}
    conn.execute(queries.remember_claims, {name: [row[field] for row in lost] for name, field in names.items()})
    balanced = conn.execute(queries.balance_journal, {"hold_ids": hold_ids, "actor": actor}).rowcount
    return lost, {**done, "lost_claims": lost, "journal_lines": balanced}


def _recount(conn: Connection, slots: Slots) -> dict[str, Any]:
    named = {"resources": [resource_id for resource_id, _slot in slots], "slots": [slot for _resource, slot in slots]}
    return {"recounted": db.one(conn.execute(queries.recount_slots, named))["changed"]}
