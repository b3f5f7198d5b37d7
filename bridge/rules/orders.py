"""What an order or a cart of any platform says that matters to the ledger, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """One line of an order. Everything that names a booking is a browser's claim, to be checked."""

    id: str
    quantity: int  # What is still wanted: ordered, less returned and written off. Never below 0.
    title: str = ""
    hold_ids: tuple[str, ...] = ()
    resource_id: str | None = None
    dates: tuple[date, ...] = ()
    slot_id: str | None = None
    service_id: str | None = None
    start_at: datetime | None = None
    unit_price: Decimal | None = None
    complaint: str | None = None  # Why what the line says of its booking cannot be read, in words for people.


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


Reading = OrderFacts | CartFacts | LookUp | Nothing
