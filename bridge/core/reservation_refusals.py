"""Which items of a reservation cannot be had, and why; and how often that happens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from bridge import errors, sql
from bridge.core.reservation_items import Item
from bridge.db import Connection
from bridge.rules.slots import slot_day

queries = sql.load("reservations")


def refusal(items: Sequence[Item], short: Mapping[tuple[str, int], dict[str, Any]]) -> errors.Conflict:
    """The refusal that says which items cannot be had, and why. `short` describes the slots that are."""
    refused = [
        {
            "index": index,
            "resource_id": item.resource_id,
            "reason": _reason(missing),
            **item.details,
            "unavailable": [_shown(item, slot) for slot in missing],
        }
        for index, item in enumerate(items)
        if (missing := [short[key] for take in item.takes if (key := (take.resource_id, take.slot_no)) in short])
    ]
    message = "; ".join(f"items.{item['index']} ({item['reason']})" for item in refused)
    if all(item["reason"] == "blackout" for item in refused):
        return errors.BlackedOut(f"Not available: {message}", items=refused)
    return errors.InsufficientCapacity(f"Insufficient capacity: {message}", items=refused)


def count(conn: Connection, refused: Sequence[Mapping[str, Any]], *, time_zone: str) -> None:
    """Count what was asked for and not had, by resource, day and reason, for the analytics. One statement.

    Where anybody's time would have done, it counts under the service, on the day of `time_zone`.
    """
    if refused:
        names = ("resource_id", "slot_id", "staff_id", "service_id", "reason")
        values = {f"{name}s": [item.get(name) for item in refused] for name in names}
        conn.execute(queries.count_refused, {**values, "time_zone": time_zone, "share": secrets.randbelow(8)})


def _reason(missing: Sequence[dict[str, Any]]) -> str:
    """Why the first of the missing slots is not to be had, in the words of availability."""
    reason = missing[0]["reason"]
    return "sold_out" if reason is None else "not_open" if reason == "closed" else str(reason)


def _shown(item: Item, slot: dict[str, Any]) -> dict[str, Any]:
    if item.kind == "appointment":  # What quarter hours weigh means nothing to people.
        return {"start_at": item.details["start_at"]}
    named = {"date": slot_day(slot["slot_no"]).isoformat()} if "dates" in item.details else {}
    return {**named, "requested": slot["requested"], "available": slot["available"]}
