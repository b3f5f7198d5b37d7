"""What an item of a reservation takes of the ledger and what it costs, whatever it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge import errors, sql
from bridge.core.takes import Kind, Take
from bridge.db import Connection
from bridge.rules.slots import day_slots, slot_day

queries = sql.load("reservations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What goes for items whose resource says nothing else."""

    term: timedelta
    currency_code: str
    variant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item, ready to be held."""

    resource_id: str
    kind: Kind = "cart"
    takes: Sequence[Take]
    quantity: int
    title: str
    details: dict[str, Any] = field(default_factory=dict)
    term: timedelta
    line_quantity: int
    unit_price: Decimal | None
    currency_code: str
    variant_id: str | None


def read_items(conn: Connection, asked: Sequence[dict[str, Any]], *, terms: Terms) -> list[Item]:
    """What each of `asked` wants, in their order. Raises ResourceNotFound, WrongGrain, PastDates, naming the item."""
    named = sorted({item["resource_id"] for item in asked})
    rows = {row["id"]: row for row in conn.execute(queries.list_resources_for_items, {"resource_ids": named})}
    return [_read_days(index, item, rows, terms) for index, item in enumerate(asked)]


def _read_days(index: int, asked: dict[str, Any], resources: dict[str, Any], terms: Terms) -> Item:
    """Some dates of a resource sold by the day."""
    resource = resources.get(asked["resource_id"])
    if resource is None:
        raise errors.ResourceNotFound(
            f"items.{index}: There is no resource {asked['resource_id']}.",
            index=index,
            resource_id=asked["resource_id"],
        )
    if resource["grain"] != "day":
        raise errors.WrongGrain(f"items.{index}: This resource is not sold by the day.", index=index)
    dates: list[date] = sorted(asked["dates"])
    if past := [day.isoformat() for day in dates if day < resource["today"]]:
        raise errors.PastDates(
            f"items.{index}: The dates lie in the past: {', '.join(past)}",
            index=index,
            past_dates=past,
            today=resource["today"].isoformat(),
        )
    price = _price(resource["metadata"].get("price"))
    return Item(
        resource_id=resource["id"],
        takes=[Take(resource["id"], slot, asked["quantity"]) for slot in day_slots(dates)],
        quantity=asked["quantity"],
        title=resource["name"],
        details={"dates": [day.isoformat() for day in dates]},
        # What is ordered of a day resource is its line's quantity, so all of its days are in the price of one.
        line_quantity=asked["quantity"],
        unit_price=None if price is None else price * len(dates),
        **_sold_as(resource, terms),
    )


def _sold_as(resource: dict[str, Any], terms: Terms) -> dict[str, Any]:
    minutes, metadata = resource["hold_minutes"], resource["metadata"]
    return {
        "term": terms.term if minutes is None else timedelta(minutes=float(minutes)),
        "currency_code": str(metadata.get("currency_code") or terms.currency_code).lower(),
        "variant_id": metadata.get("variant_id") or terms.variant_id,
    }


def _price(value: object) -> Decimal | None:
    """The price staff wrote into a resource's metadata; None where it is no amount of money."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def refusal(items: Sequence[Item], short: Mapping[tuple[str, int], dict[str, Any]]) -> errors.Conflict:
    """The refusal that says which items cannot be had, and why. `short` describes the slots that are."""
    refused = [
        {
            "index": index,
            "resource_id": item.resource_id,
            "reason": _reason(missing),
            **item.details,
            "unavailable": [
                {**_named(item, slot), "requested": slot["requested"], "available": slot["available"]}
                for slot in missing
            ],
        }
        for index, item in enumerate(items)
        if (missing := [short[key] for take in item.takes if (key := (take.resource_id, take.slot_no)) in short])
    ]
    message = "; ".join(f"items.{item['index']} ({item['reason']})" for item in refused)
    if all(item["reason"] == "blackout" for item in refused):
        return errors.BlackedOut(f"Not available: {message}", items=refused)
    return errors.InsufficientCapacity(f"Insufficient capacity: {message}", items=refused)


def _reason(missing: Sequence[dict[str, Any]]) -> str:
    """Why the first of the missing slots is not to be had, in the words of availability."""
    reason = missing[0]["reason"]
    return "sold_out" if reason is None else "not_open" if reason == "closed" else str(reason)


def _named(item: Item, slot: dict[str, Any]) -> dict[str, Any]:
    return {"date": slot_day(slot["slot_no"]).isoformat()} if "dates" in item.details else {}
