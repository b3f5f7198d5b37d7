"""What is known when an order is planned: its holds as the ledger has them, and what its lines sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Slot(NamedTuple):
    """A slot, and what it weighs where that is not the quantity of the whole."""

    resource_id: str
    slot_no: int
    weight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClaim:
    """What a hold takes, or took, of a slot."""

    resource_id: str
    slot_no: int
    quantity: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHold:
    """A hold an order names or has, as the ledger knows it."""

    id: str
    kind: str
    status: str
    is_lapsed: bool
    resource_id: str
    quantity: int
    grain: str = "day"
    customer_email: str | None = None
    booking_number: str | None = None
    line_key: str | None = None  # Of a hold made for an order's line: which line.
    order_id: str | None = None  # Whose allocation it became.
    line_item_id: str | None = None
    cancelled_by_admin: int = 0
    is_short: bool = False  # This order has, or had, a shortfall on it.
    given_up: str | None = None  # "refund" or "dismiss": what was decided on its shortfall.
    # The slots it stands for, where that is written down: an order's line's, an appointment's.
    made_for: Sequence[Slot] = ()
    claims: Sequence[KnownClaim] = ()

    @property
    def slots(self) -> Sequence[Slot]:
        """What it stands for: what it has, or had before it was given back."""
        if self.made_for:
            return self.made_for
        # Days are never moved: one that it has not is one that it lost, or found taken when it wanted it again.
        kept = self.claims if self.grain == "day" else [claim for claim in self.claims if claim.state != "released"]
        standing = kept or self.claims
        # A chair's quarter hours weigh what they weigh; of anything else each slot has the quantity of the whole.
        is_weighed = self.grain == "quarter_hour"
        return [Slot(claim.resource_id, claim.slot_no, claim.quantity if is_weighed else None) for claim in standing]

    @property
    def is_whole(self) -> bool:
        """Whether an order can only have all of it or none: half an appointment or half a party is no booking."""
        return self.kind in {"booking", "appointment"} or self.grain == "quarter_hour"


@dataclass(frozen=True, slots=True)
class Sold:
    """What a line without a hold sold, looked up: a departure's seats, a chair's quarter hours."""

    resource_id: str
    quantity: int  # Seats of a party; 1 for an appointment.
    slots: Sequence[Slot]
