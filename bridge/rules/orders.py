"""What an order or a cart of any platform says that matters to the ledger, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """One line of an order. Everything that names a booking is a browser's claim, to be checked."""

    id: str
    quantity: int  # What is still wanted: ordered, less returned and written off. Never below 0.
    ordered: int = 1  # What was asked for at first. Of 1, `quantity` counts bookings; of more, it counts places.
    title: str = ""
    hold_ids: tuple[str, ...] = ()
    resource_id: str | None = None
    dates: tuple[date, ...] = ()
    slot_id: str | None = None
    service_id: str | None = None
    staff_id: str | None = None
    start_at: datetime | None = None
    party: tuple[int, int, int] | None = None  # Adults, children, infants on a departure.
    unit_price: Decimal | None = None
    complaint: str | None = None  # Why what the line says of its booking cannot be read, in words for people.

    @property
    def names_a_booking(self) -> bool:
        """Whether it says that it is for time of ours, of whatever kind."""
        return bool(self.hold_ids or self.resource_id or self.slot_id or self.service_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """An order as its platform showed it at one moment."""

    source: str
    id: str
    is_placed: bool = True  # False for a draft: nothing is wanted yet.
    is_cancelled: bool = False
    version: int | None = None
    updated_at: datetime | None = None
    email: str | None = None
    customer_name: str | None = None
    is_paid_back: bool = False  # Something was paid, and all of it has been paid back.
    lines: tuple[LineFacts, ...] = ()
    hold_ids: tuple[str, ...] = ()  # Named by the order as a whole.
    booking_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartFacts:
    """A cart as its platform showed it at one moment."""

    source: str
    id: str
    is_completed: bool = False
    updated_at: datetime | None = None
    hold_ids: tuple[str, ...] = ()  # Named by any of its lines or by the cart itself.


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutFacts:
    """A payment that was begun and that nobody will make any more."""

    source: str
    reference: str  # The platform's session.
    booking_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """A thin event: the platform must be asked what the order or cart looks like now."""

    source: str
    kind: str  # "order" or "cart"
    id: str
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """An event that changes nothing here."""

    reason: str = field(default="")


Reading = OrderFacts | CartFacts | CheckoutFacts | LookUp | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOrder:
    """What was last seen of an order."""

    version: int | None = None
    updated_at: datetime | None = None
    is_cancelled: bool = False


def is_superseded(facts: OrderFacts, known: KnownOrder) -> str | None:
    """Why these facts are old news, or None. A cancellation never is: it is the last thing that happens to an order."""
    if facts.is_cancelled:
        return None
    if known.is_cancelled:
        return "the order was cancelled; what was said of it before counts no more"
    if None not in (facts.version, known.version) and facts.version < known.version:  # type: ignore[operator]  # neither is None
        return f"superseded: version {known.version} of the order was seen, this is {facts.version}"
    if facts.updated_at and known.updated_at and facts.updated_at < known.updated_at:
        return "superseded: a later state of the order was seen"
    return None


def order_to_json(facts: OrderFacts) -> dict[str, Any]:
    """`facts` as plain JSON, for order_from_json."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(facts, default=str))
    return plain


def order_from_json(plain: dict[str, Any]) -> OrderFacts:
    """The facts that order_to_json wrote down."""
    lines = tuple(
        LineFacts(
            **line
            | {
                "hold_ids": tuple(line["hold_ids"]),
                "dates": tuple(map(date.fromisoformat, line["dates"])),
                "start_at": _instant(line["start_at"]),
                "party": tuple(line["party"]) if line.get("party") else None,
                "unit_price": None if line["unit_price"] is None else Decimal(line["unit_price"]),
            }
        )
        for line in plain["lines"]
    )
    return OrderFacts(
        **plain | {"lines": lines, "hold_ids": tuple(plain["hold_ids"]), "updated_at": _instant(plain["updated_at"])}
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
