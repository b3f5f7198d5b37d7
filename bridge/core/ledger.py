"""The one act by which claims change hands: everything but placing a hold goes through here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from bridge import sql
from bridge.db import Connection

queries = sql.load("holds")

Excess = Literal["none", "policy", "force"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a hold should have allocated of one slot."""

    hold_id: str
    resource_id: str
    slot_no: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling did. Without `settled` nothing was changed."""

    settled: bool
    taken: int
    returned: int
    missing: Sequence[dict[str, Any]] = field(default_factory=list)


def settle(
    conn: Connection,
    hold_ids: Iterable[str],
    targets: Sequence[Target] = (),
    *,
    cause: str,
    actor: str,
    partial: bool = False,
    excess: Excess = "none",
    held_until: datetime | None = None,
) -> Settled:
    """Make the claims of `hold_ids` exactly `targets`, all allocated; what is no target is given back.

    With `held_until` they are held until then instead: a hold that is moved, or handed to somebody else. With `partial`
    takes what there is and reports the rest. Locks the union of old and new slots in the one order.
    The caller holds the locks of the holds.
    """
    [row] = conn.fetch(
        queries.settle_claims,
        {
            "hold_ids": sorted(set(hold_ids)),
            "target_holds": [target.hold_id for target in targets],
            "resources": [target.resource_id for target in targets],
            "slots": [target.slot_no for target in targets],
            "quantities": [target.quantity for target in targets],
            "partial": partial,
            "excess": excess,
            "held_until": held_until,
            "cause": cause,
            "actor": actor,
        },
    )
    return Settled(**row["answer"])
