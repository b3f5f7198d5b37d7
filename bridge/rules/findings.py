"""What each finding of the auditor means, what repairing it would do, and what a person should do: in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """A finding in words. Without `repair` only people can put it right."""

    what: str
    repair: str | None
    person: str


_AGAIN = (
    "reconciles its order again with what was last seen of it, which takes what is missing where there is room and"
    " opens a shortfall where there is none. Of an order that was never seen it leaves everything as it is"
)
_ORDER = (
    "If repair leaves it: look the order up on the platform. Have it send the order's event again, or cancel the"
    " allocation (POST /admin/resource-booking/allocations/ID/cancel) if there is no such order."
)
_HOLD = (
    "If repair leaves it, its place is gone: release the hold (DELETE /store/resource-booking/holds/ID) and tell the"
    " customer, who can ask anew."
)
_SOFTWARE = "If it comes back after a repair, something writes past the ledger: find out what, and stop it."

# By check, or by what it says within one.
_TEXTS: dict[str, tuple[str, str | None, str]] = {
    "counters": (
        "{where} counts {held} held and {allocated} sold, and its claims are {claims_held} held and {claims_allocated}"
        " sold.",
        "sets both counters to what the claims say",
        _SOFTWARE,
    ),
    "overbooked": (
        "{where} is marked as {overbooked} above its capacity, and it is {excess} above it.",
        "sets the mark to what it is",
        _SOFTWARE,
    ),
    "claim of a hold that is not confirmed": (
        "Hold {hold_id} is not confirmed, and has {quantity} of {where} as if it were sold.",
        "gives it back if the hold is closed, and holds it until the hold ends if it is live. If an allocation says"
        " that it is sold, the hold is marked as confirmed",
        _ORDER,
    ),
    "live claim of a closed hold": (
        "Hold {hold_id} is over, and still keeps {quantity} of {where} from being sold.",
        "gives it back; if an allocation says that it is sold, marks it as sold",
        _SOFTWARE,
    ),
    "claim that ends at another time than its hold": (
        "Hold {hold_id} and its {quantity} of {where} end at different times.",
        "has both end when the hold does",
        _SOFTWARE,
    ),
    "allocated claim without an allocation": (
        "Hold {hold_id} has {quantity} of {where} as sold, and no allocation says to whom.",
        "reconciles its order again with what was last seen of it; what a cancelled allocation of no known order still"
        " has is given back",
        "If repair leaves it: find the order that names the hold and have its event sent again.",
    ),
    "live hold that has nothing": (
        "Hold {hold_id} is live, and nothing of {resource_id} is held for it.",
        "holds again what the journal says it had, if there is room for all of it",
        _HOLD,
    ),
    "confirmed hold without an allocation": (
        "Hold {hold_id} is confirmed, and no allocation says for which order.",
        None,
        "Find the order that names the hold and have its event sent again: that posts it.",
    ),
    "allocation whose claims say otherwise": (
        "Allocation {allocation_id} of order {order_id} says {quantity}, and its claims on {resource_id} say"
        " otherwise.",
        _AGAIN,
        _ORDER,
    ),
    "orders": (
        "Order {order_id} was cancelled, and allocation {allocation_id} still stands.",
        "gives it back, as the cancellation should have",
        _SOFTWARE,
    ),
    "history": (
        "By the journal hold {hold_id} has {noted_held} held and {noted_allocated} sold of {where}; its claim is {held}"
        " held and {allocated} sold.",
        "adds a line to the journal, and takes what was lost again where there is room: for a live hold, or for an"
        " order that was seen",
        f"{_ORDER} {_HOLD}",
    ),
    "forgotten": (
        "Order {order_id} names a booking and has nothing, and nobody was told.",
        _AGAIN,
        "If repair leaves it: look at the order's lines on the platform; they name what cannot be found here.",
    ),
    "otherwise on the platform": (
        "Order {order_id} stands otherwise on the platform, although what it says was applied.",
        None,
        "Look at the order's timeline in /ops: the event that came of the comparison says why it changed nothing.",
    ),
    "unknown to the platform": (
        "Allocations stand for order {order_id}, which the platform does not know.",
        None,
        "Ask whoever runs the shop. If there is no such order, cancel its allocations"
        " (POST /admin/resource-booking/allocations/ID/cancel).",
    ),
}


def explain(finding: Mapping[str, Any]) -> Explanation:
    """A finding in words."""
    known = _TEXTS.get(finding.get("what") or finding["check"])
    if known is None:
        return Explanation(str(dict(finding)), None, "This version does not know the finding: see the log.")
    what, repair, person = known
    return Explanation(what.format(**{**finding, "where": _where(finding)}), repair, person)


def _where(finding: Mapping[str, Any]) -> str:
    """The slot in words."""
    slot = f"{finding.get('resource_id')}, slot {finding.get('slot_no')}"
    return f"{slot} ({finding['on_date']})" if finding.get("on_date") else slot
