"""What the world outside the bridge knows: every hold it was given, every order it placed, every event it sent.

Kept by those who send, never read from the bridge. In the end the ledger must be what follows from this.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

Seat = tuple[str, date]  # A resource on a day.


@dataclass(slots=True, kw_only=True)
class HoldKnown:
    """A hold the bridge answered with 201, and what its customer did with it."""

    id: str
    email: str
    resource_id: str
    days: tuple[date, ...]
    quantity: int
    expires_at: datetime
    released: bool = False
    order_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Line:
    """A line of an order as its customer wants it now."""

    id: str
    resource_id: str
    days: tuple[date, ...]
    quantity: int
    hold: HoldKnown | None = None
    returned: int = 0
    # Whether the seats may rightly be gone: no hold kept them, or not as many. Then a shortfall must say so.
    may_be_short: bool = False
    was_empty: bool = False  # At some time nothing of it was wanted, so its hold may have been given back for good.

    @property
    def wanted(self) -> int:
        return max(0, self.quantity - self.returned)


@dataclass(slots=True, kw_only=True)
class Order:
    """An order on the platform."""

    id: str
    email: str
    lines: list[Line]
    version: int = 1
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_cancelled: bool = False

    def wanted(self) -> Iterator[tuple[Line, date, int]]:
        """What each line wants of each day."""
        for line in self.lines:
            for day in line.days:
                yield line, day, 0 if self.is_cancelled else line.wanted


@dataclass(slots=True, kw_only=True)
class Sent:
    """An event, and how its sender fared."""

    webhook_id: str
    order_id: str
    event_id: str | None = None  # Named by the first 202.
    accepted_at: datetime | None = None
    posts: int = 0
    accepted: int = 0  # How many of them were answered 202: two where it was sent twice.
    unanswered: int = 0  # Posts whose connection broke, so that nobody could know.
    shuffled: bool = False


@dataclass(slots=True)
class Truth:
    """All of it. Entries are added by many threads, each changed by one."""

    capacity: dict[Seat, int] = field(default_factory=dict)
    holds: dict[str, HoldKnown] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    events: dict[str, Sent] = field(default_factory=dict)
    refused_holds: int = 0
    unanswered_calls: int = 0  # Of customers; those of senders stand in the events.
    unavailable_answers: int = 0  # 503, which asks to come again.
    surprises: list[str] = field(default_factory=list)  # Answers that nobody should ever get.
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, name: str) -> None:
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)

    def surprise(self, what: str) -> None:
        with self.lock:
            self.surprises.append(what)
