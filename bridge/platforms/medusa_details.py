"""What an order of Medusa says of its customer and its money. It decides on no capacity, so nothing of it may raise."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from schemas.medusa import is_storable

_LONGEST_NAME = 200
_MOST_COLLECTIONS = 100


def customer_name(order: dict[str, Any]) -> str | None:
    """Whom it is for, as the first address says that has a name."""
    for where in ("shipping_address", "billing_address"):
        address = order.get(where)
        if isinstance(address, dict):
            parts = [part for name in ("first_name", "last_name") if isinstance(part := address.get(name), str)]
            full = " ".join(part.strip() for part in parts if part.strip())
            if full and len(full) <= _LONGEST_NAME and is_storable(full):
                return full
    return None


def is_paid_back(order: dict[str, Any]) -> bool:
    """Whether something was paid, and all of that has been paid back."""
    collections = order.get("payment_collections")
    if not isinstance(collections, list):
        return False
    known = [collection for collection in collections[:_MOST_COLLECTIONS] if isinstance(collection, dict)]
    captured = sum((_amount(collection.get("captured_amount")) for collection in known), Decimal(0))
    refunded = sum((_amount(collection.get("refunded_amount")) for collection in known), Decimal(0))
    return 0 < captured <= refunded


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return Decimal(0)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() and -18 < amount.adjusted() < 18 else Decimal(0)
