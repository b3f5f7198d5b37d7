"""What people decide on a shortfall: try again, sell above capacity, pay back, or leave it."""

from __future__ import annotations

from typing import Any

from bridge.core import actions, orders, shortfalls
from bridge.db import Connection
from bridge.errors import ShortfallClosed, StillShort


def resolve_shortfall(
    conn: Connection, shortfall_id: str, *, action: str, actor: str, note: str | None = None
) -> dict[str, Any]:
    """Carry out `action`: retry, force, refund or dismiss. Answers the shortfall as it then is.

    Raises ShortfallNotFound, ShortfallClosed, and StillShort when a retry finds no room: then nothing has changed.
    """
    shortfall = shortfalls.get_shortfall(conn, shortfall_id)
    order = {"source": shortfall["source"], "order_id": shortfall["order_id"]}
    orders.lock_order(conn, **order)
    if shortfalls.get_shortfall(conn, shortfall_id)["status"] != "open":
        raise ShortfallClosed
    match action:
        case "retry":
            orders.reconcile_again(conn, **order, actor=actor)
            left = shortfalls.get_shortfall(conn, shortfall_id)
            if left["status"] == "open":
                raise StillShort(missing=left["missing"])
        case "force":
            orders.reconcile_again(conn, **order, actor=actor, force=shortfall["hold_id"])
            shortfalls.restate(conn, shortfall_id, action="force", note=note)
        case "refund":
            shortfalls.give_up(conn, shortfall_id, actor=actor, note=note)
        case "dismiss":
            shortfalls.close(conn, shortfall_id, action="dismiss", note=note)
    actions.note(conn, actor=actor, action=f"shortfall.{action}", target=shortfall_id, reason=note)
    return shortfalls.get_shortfall(conn, shortfall_id)
