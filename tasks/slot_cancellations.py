"""The steps that are left of cancelling a departure, one short transaction after another."""

from __future__ import annotations

import time
from typing import Any

from bridge import db
from bridge.core import slot_cancellations
from bridge.core.events import Event, Status
from bridge.errors import UnreadableEvent

# Less than task_soft_time_limit (50 s). Thousands of parties are more than that is enough for.
BUDGET_SECONDS = 30


def carry_on(_event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Deal with all who still have seats on a departure that does not run. Safe to run twice, and at once."""
    slot_no, part = payload.get("slot_no"), payload.get("part")
    if not isinstance(slot_no, int) or not isinstance(part, int):
        raise UnreadableEvent("slot_no and part must be numbers.")
    deadline = time.monotonic() + BUDGET_SECONDS
    steps = 0
    while time.monotonic() < deadline:
        with db.transaction() as conn:
            if not slot_cancellations.take_step(conn, slot_no):
                return "applied", f"all is done, the last of it in {steps} steps"
        steps += 1
    with db.transaction() as conn:
        slot_cancellations.owe_steps(conn, slot_no, part=part + 1)
    return "applied", f"{steps} steps done; the rest is another piece of work"
