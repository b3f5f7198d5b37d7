"""Shortfalls: paid lines whose seats are gone. Opened and closed as orders are reconciled; read by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from bridge import db, outbox, sql
from bridge.core import ledger, refunds
from bridge.core.announcements import announce
from bridge.db import Connection
from bridge.errors import ShortfallNotFound
from bridge.ids import new_id
from bridge.rules.orders import OrderFacts
from bridge.rules.slots import quarter_start, slot_day
from bridge.rules.wanted import Wanted

queries = sql.load("shortfalls")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a hold of an order has after settling."""

    wanted: Wanted
    hold_id: str
    missing: Sequence[dict[str, Any]]
    has: int  # The most it has of any slot.


def follow(conn: Connection, facts: OrderFacts, standings: Sequence[Standing], *, actor: str) -> list[str]:
    """Open a shortfall for each hold that misses something, close those of holds that do not; ids of the open ones."""
    was_open = _find_open(conn, facts, standings)
    still_open = []
    for standing in standings:
        shortfall_id = was_open.get(standing.hold_id)
        if standing.missing and standing.wanted.may_grow:
            shortfall_id = _note(conn, facts, standing, shortfall_id, actor=actor)
            still_open.append(shortfall_id)
        elif shortfall_id is not None:
            action = "retry" if standing.has else "cancel"
            close(conn, shortfall_id, action=action, note=None)
    return still_open


def _find_open(conn: Connection, facts: OrderFacts, standings: Sequence[Standing]) -> dict[str, str]:
    """The open shortfalls of the order, by their holds. Nearly all orders never had one, and are not asked about."""
    ever = any(standing.missing or (standing.wanted.hold and standing.wanted.hold.is_short) for standing in standings)
    if not ever:
        return {}
    rows = conn.fetch(queries.list_open_of_order, {"source": facts.source, "order_id": facts.id})
    return {row["hold_id"]: row["id"] for row in rows}


def close(conn: Connection, shortfall_id: str, *, action: str, note: str | None) -> None:
    """Say what was decided on an open shortfall."""
    status = "dismissed" if action == "dismiss" else "resolved"
    conn.execute(queries.close_shortfall, {"id": shortfall_id, "status": status, "action": action, "note": note})


def restate(conn: Connection, shortfall_id: str, *, action: str, note: str | None) -> None:
    """Say how a shortfall came to be closed, where reconciling closed it."""
    conn.execute(
        "UPDATE shortfall SET action = %s, note = %s WHERE id = %s AND status <> 'open'", [action, note, shortfall_id]
    )


def give_up(conn: Connection, shortfall_id: str, *, actor: str, note: str | None) -> None:
    """Give the line up: free whatever it still has, and ask the platform to pay it back."""
    shortfall = get_shortfall(conn, shortfall_id)
    ledger.settle(conn, [shortfall["hold_id"]], cause="refund", actor=actor)
    conn.execute(
        sql.load("orders").cancel_allocations,
        {"hold_ids": [shortfall["hold_id"]], "reason": "refunded: no room was left"},
    )
    close(conn, shortfall_id, action="refund", note=note)
    refunds.owe_refund(
        conn,
        refund_id=shortfall_id,
        source=shortfall["source"],
        order_id=shortfall["order_id"],
        line_item_id=shortfall["line_item_id"],
    )


def get_shortfall(conn: Connection, shortfall_id: str) -> dict[str, Any]:
    """One shortfall. Raises ShortfallNotFound."""
    row = conn.execute(queries.find_shortfall, {"id": shortfall_id}).fetchone()
    if row is None:
        raise ShortfallNotFound
    return _shown(row)


def list_shortfalls(
    conn: Connection,
    *,
    status: str | None = None,
    order_id: str | None = None,
    resource_id: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[dict[str, Any]], int]:
    """A page of shortfalls, newest first, and how many there are in all."""
    filters = {"status": status, "order_id": order_id, "resource_id": resource_id, "limit": limit, "offset": offset}
    rows = conn.execute(queries.list_shortfalls, filters).fetchall()
    if not rows and offset:
        _first, total = list_shortfalls(conn, status=status, order_id=order_id, resource_id=resource_id, limit=1)
        return [], total
    return [_shown(row) for row in rows], rows[0]["total"] if rows else 0


def _note(conn: Connection, facts: OrderFacts, standing: Standing, shortfall_id: str | None, *, actor: str) -> str:
    missing = [{"slot_no": slot["slot_no"], "quantity": slot["quantity"]} for slot in standing.missing]
    if shortfall_id is not None:
        conn.execute(queries.update_missing, {"id": shortfall_id, "missing": Jsonb(missing)})
        return shortfall_id
    shortfall_id = new_id("short")
    policy = db.one(
        conn.execute(
            queries.insert_shortfall,
            {
                "id": shortfall_id,
                "source": facts.source,
                "order_id": facts.id,
                "line_item_id": standing.wanted.line_id or "",
                "hold_id": standing.hold_id,
                "resource_id": standing.wanted.resource_id,
                "missing": Jsonb(missing),
                "alternatives": Jsonb(_alternatives(conn, standing)),
                "first_slot": missing[0]["slot_no"],
            },
        )
    )["policy"]
    _tell_people(conn, facts, standing, shortfall_id)
    announce(conn, "shortfall.opened", get_shortfall(conn, shortfall_id), key=f"{shortfall_id}:opened")
    if policy == "refund":
        give_up(conn, shortfall_id, actor=actor, note="by the resource's policy")
    return shortfall_id


def _alternatives(conn: Connection, standing: Standing) -> list[dict[str, Any]]:
    first = standing.missing[0]
    rows = conn.execute(
        queries.nearest_days,
        {
            "resource_id": standing.wanted.resource_id,
            "slot_no": first["slot_no"],
            "quantity": standing.wanted.quantity,
        },
    )
    return [{"date": row["date"].isoformat(), "available": row["available"]} for row in rows]


def _tell_people(conn: Connection, facts: OrderFacts, standing: Standing, shortfall_id: str) -> None:
    shown = get_shortfall(conn, shortfall_id)
    missing = ", ".join(f"{next(iter(slot.values()))} ({slot['quantity']} missing)" for slot in shown["missing"])
    outbox.add_work(
        conn,
        type="mail",
        payload={
            "to": None,  # Whoever looks after operations; the mail task knows the address.
            "subject": f"Order {facts.id} is paid, and its place is gone",
            "text": (
                f"Order {facts.id} asks for {standing.wanted.resource_id} at times that are full: {missing}.\n"
                f"Decide on shortfall {shortfall_id}: retry, force, refund or dismiss it.\n"
            ),
        },
        dedupe_key=f"mail:{shortfall_id}",
        order_id=facts.id,
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """The shortfall with its slots as people read them."""
    name, read = ("date", lambda n: slot_day(n).isoformat()) if row["grain"] == "day" else ("slot_id", str)
    if row["grain"] == "quarter_hour":
        name, read = "start_at", lambda n: quarter_start(n).isoformat().replace("+00:00", "Z")
    missing = [{name: read(slot["slot_no"]), "quantity": slot["quantity"]} for slot in row["missing"]]
    return row | {"missing": missing}
