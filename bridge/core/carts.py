"""Carts: a hold whose line was taken out of its cart is given back."""

from __future__ import annotations

from bridge import errors, sql
from bridge.core import holds
from bridge.core.orders import Reconciled
from bridge.db import Connection
from bridge.rules.orders import CartFacts

queries = sql.load("carts")


def follow(conn: Connection, facts: CartFacts, *, actor: str) -> Reconciled:
    """Release the holds the cart carried and names no more. A cart never extends a hold."""
    if facts.is_completed:
        return Reconciled(outcome="the cart is completed; its order decides", ignored=True)
    named = {"cart_id": facts.id, "hold_ids": sorted(facts.hold_ids), "updated_at": facts.updated_at}
    dropped = [row["id"] for row in conn.execute(queries.find_dropped_holds, named)]
    released = [hold_id for hold_id in dropped if _release(conn, hold_id, facts, actor)]
    tied = conn.execute(queries.tie_holds, named).rowcount if facts.hold_ids else 0
    if released:
        return Reconciled(outcome=f"released {', '.join(released)}: the cart carries it no more")
    if tied:
        return Reconciled(outcome=f"the cart carries {tied} of our holds")
    return Reconciled(outcome="nothing of ours changed in this cart", ignored=True)


def _release(conn: Connection, hold_id: str, facts: CartFacts, actor: str) -> bool:
    try:
        holds.release_hold(conn, hold_id, actor=actor, reason=f"taken out of cart {facts.id}")
    except errors.HoldNotActive:  # It was confirmed, or ran out, while we looked.
        return False
    return True
