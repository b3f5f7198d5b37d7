"""Allocations: cancelled by people, whole or in part."""

from __future__ import annotations

from bridge import errors, sql
from bridge.core import holds, ledger
from bridge.core.holds import Allocation
from bridge.core.ledger import Target
from bridge.db import Connection

queries = sql.load("allocations")


def cancel_allocation(
    conn: Connection, allocation_id: str, *, reason: str | None, quantity: int | None, actor: str
) -> tuple[Allocation, int]:
    """Give back `quantity` (None: all) of every date of the allocation; it and the sum of what that freed.

    What a person cancels stays cancelled: no later word of the order takes it again.
    Raises AllocationNotFound, AllocationCancelled, QuantityTooLarge.
    """
    conn.execute(queries.lock_allocation_order, {"allocation_id": allocation_id})
    conn.execute(queries.lock_allocation_hold, {"allocation_id": allocation_id})
    allocation = holds.get_allocation(conn, allocation_id)
    if allocation.status == "CANCELLED":
        raise errors.AllocationCancelled
    if quantity is not None and quantity > allocation.quantity:
        raise errors.QuantityTooLarge(
            f"quantity: only {allocation.quantity} left to cancel.", quantity=allocation.quantity
        )
    given_back = allocation.quantity if quantity is None else quantity

    claims = conn.execute(sql.load("holds").list_claims, {"hold_id": allocation.hold_id}).fetchall()
    targets = [
        Target(allocation.hold_id, claim["resource_id"], claim["slot_no"], claim["quantity"] - given_back)
        for claim in claims
        # All of it given back leaves nothing, also where a slot weighs more than one.
        if claim["state"] == "allocated" and claim["quantity"] > given_back and given_back < allocation.quantity
    ]
    settled = ledger.settle(conn, [allocation.hold_id], targets, cause="cancel", actor=actor)
    conn.execute(queries.cancel_quantity, {"allocation_id": allocation_id, "quantity": given_back, "reason": reason})
    return holds.get_allocation(conn, allocation_id), settled.returned
