"""Which holds an order may have, and how much of each: what it says, checked against what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.rules.known import KnownHold, Slot, Sold
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.rules.slots import day_slots, slot_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one line should have: of a hold it has, or (without `hold`) of one made for it."""

    line_id: str | None
    resource_id: str
    slots: Sequence[Slot]
    quantity: int
    hold: KnownHold | None = None
    may_grow: bool = True  # False where a person decided to leave it short.
    is_late: bool = False  # The hold it named was gone when the order came.
    is_whole: bool = False  # All of it or none.

    def quantity_of(self, slot: Slot) -> int:
        """How much of one of its slots it wants."""
        if not self.quantity:
            return 0
        wanted = self.quantity if slot.weight is None else slot.weight
        if self.may_grow or self.hold is None:
            return wanted
        has = sum(
            claim.quantity
            for claim in self.hold.claims
            if (claim.resource_id, claim.slot_no, claim.state) == (slot.resource_id, slot.slot_no, "allocated")
        )
        return min(wanted, has)


@dataclass(slots=True)
class Plan:
    """What an order should have, what people must look at, and what is worth a remark."""

    wanted: list[Wanted] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan_order(
    facts: OrderFacts,
    holds: Iterable[KnownHold],
    resources: Mapping[str, str],
    sold: Mapping[str, Sold] | None = None,
) -> Plan:
    """What `facts` ask of the ledger. `holds` are those it names or has, `resources` the grain of each that exists.

    `sold` is what lines (by id) that say a departure or a service have sold, as far as there is such a thing.

    Nothing an order says is believed unchecked: a hold must exist, be of the resource the line names, and not be
    another order's. A line that lies but says what was sold is served without the hold.
    """
    return _Planner(facts, {hold.id: hold for hold in holds}, resources, sold or {}).plan()


class _Planner:
    def __init__(
        self, facts: OrderFacts, holds: dict[str, KnownHold], resources: Mapping[str, str], sold: Mapping[str, Sold]
    ) -> None:
        self.facts = facts
        self.holds = holds
        self.resources = resources
        self.sold = sold
        self.used: set[str] = set()
        self.result = Plan()

    def plan(self) -> Plan:
        # What lines have comes first: another line that names it comes too late, wherever it stands.
        bookings = {line.id: self._had(line) for line in self.facts.lines}
        for line in self.facts.lines:
            bookings[line.id] = bookings[line.id] or self._named(line)
        self._share_out(bookings)
        for line in self.facts.lines:
            self._want(line, bookings[line.id])
        self._drop_the_rest()
        return self.result

    def _had(self, line: LineFacts) -> list[KnownHold]:
        """The holds a line has already."""
        had = [hold for hold in self.holds.values() if hold.order_id == self.facts.id and hold.line_item_id == line.id]
        self.used.update(hold.id for hold in had)
        return had

    def _named(self, line: LineFacts) -> list[KnownHold]:
        """The holds a line names and may have."""
        named = [hold for name in line.hold_ids if (hold := self._checked(name, line)) is not None]
        self.used.update(hold.id for hold in named)
        return named

    def _checked(self, name: str, line: LineFacts) -> KnownHold | None:
        hold = self.holds.get(name)
        lie = None
        if hold is None:
            lie = f"hold {name} does not exist"
        elif not self._may_have(hold):
            lie = f"hold {name} belongs to another order"
        elif hold.id in self.used:
            lie = f"hold {name} is named by two lines"
        elif line.resource_id not in {None, hold.resource_id}:
            lie = f"hold {name} is not of {line.resource_id}"
        if lie is None:
            return hold
        says_what_was_sold = line.id in self.sold or (line.resource_id in self.resources and line.dates)
        if says_what_was_sold or not line.quantity or self.facts.is_cancelled:
            self.result.notes.append(f"line {line.id}: {lie}")
        else:
            is_unknown = line.resource_id is not None and line.resource_id not in self.resources
            unknown = f"resource {line.resource_id} does not exist either"
            why = unknown if is_unknown else "the line does not say what was sold"
            self.result.problems.append(f"line {line.id}: {lie}, and {why}")
        return None

    def _may_have(self, hold: KnownHold) -> bool:
        is_made_for_another = hold.kind == "order" and hold.line_key is None
        # Confirmed without an order, to be paid in the shop: an order that pays may have it, one that is off may not.
        is_kept = hold.order_id is None and hold.status == "CONFIRMED" and self.facts.is_cancelled
        return hold.order_id in {None, self.facts.id} and not is_made_for_another and not is_kept

    def _share_out(self, bookings: dict[str, list[KnownHold]]) -> None:
        """Give the holds that only the order as a whole names to the lines they must be for."""
        named = [self.holds[name] for name in self.facts.hold_ids if name in self.holds]
        number = self.facts.booking_number
        # An item the customer took out of the basket keeps the number, and is not of the order.
        named += [
            hold
            for hold in self.holds.values()
            if number and hold.booking_number == number and hold.status != "RELEASED"
        ]
        spare = [
            hold
            for hold in {hold.id: hold for hold in named}.values()
            if hold.id not in self.used and self._may_have(hold)
        ]
        self._complain_of_unknown(bookings)
        for hold in list(spare):
            empty = [line for line in self.facts.lines if not bookings[line.id] and not line.dates]
            same = [line for line in self.facts.lines if not bookings[line.id] and line.resource_id == hold.resource_id]
            others = [line for line in empty if line.resource_id is None]
            # Without a word of the resource, only one hold and one line leave no doubt.
            is_certain = len(others) == 1 == len(spare) and hold.line_item_id is None
            line = same[0] if same else others[0] if is_certain else None
            if line is not None:
                bookings[line.id].append(hold)
                self.used.add(hold.id)
                spare.remove(hold)
        for hold in spare:
            # One that was some line's goes with that line, though the order still names it.
            if hold.line_item_id is not None:
                continue
            if self._is_of_another_payment(hold):
                self.result.notes.append(f"hold {hold.id} has the number, and no line of this order is for it")
            else:
                self._want_hold(None, hold, 0 if self.facts.is_cancelled else hold.quantity)

    def _is_of_another_payment(self, hold: KnownHold) -> bool:
        """Whether only the number speaks for a hold, where lines say which holds they are for.

        It was added after the cart was made, or its line was taken out of it: nobody pays for it.
        """
        is_named = hold.id in self.facts.hold_ids or hold.order_id == self.facts.id
        return not is_named and any(line.hold_ids for line in self.facts.lines)

    def _complain_of_unknown(self, bookings: dict[str, list[KnownHold]]) -> None:
        notes, problems = self.result.notes, self.result.problems
        is_covered = self.facts.is_cancelled or any(bookings.values())
        for name in self.facts.hold_ids:
            hold = self.holds.get(name)
            if hold is None or not self._may_have(hold):
                why = "does not exist" if hold is None else "belongs to another order"
                (notes if is_covered else problems).append(f"the order names hold {name}, which {why}")
        number = self.facts.booking_number
        of_number = [hold for hold in self.holds.values() if number and hold.booking_number == number]
        if number and not of_number:
            notes.append(f"booking number {number} is not known")
        elif of_number and not any(map(self._may_have, of_number)):
            # Paid twice. Lines that say what they are for are served, short or complained of, each for itself.
            is_covered |= any(line.names_a_booking for line in self.facts.lines)
            (notes if is_covered else problems).append(f"booking number {number} belongs to another order")

    def _want(self, line: LineFacts, holds: list[KnownHold]) -> None:
        quantity = 0 if self.facts.is_cancelled else line.quantity
        if holds:
            counted = [hold for hold in holds if not _counts_as_one(line, hold)]
            shares = dict(zip((hold.id for hold in counted), _shares(counted, quantity), strict=True))
            for hold in holds:
                self._want_hold(line, hold, shares.get(hold.id, hold.quantity if quantity else 0))
            return
        if not quantity or any(problem.startswith(f"line {line.id}:") for problem in self.result.problems):
            return
        if line.complaint and line.names_a_booking:
            self.result.problems.append(f"line {line.id}: {line.complaint}")
        elif sold := self.sold.get(line.id):
            self._add(line.id, sold.resource_id, sold.slots, sold.quantity, self._made_for(line), is_whole=True)
        elif line.resource_id or line.slot_id or line.service_id:
            self._want_what_it_says(line, quantity)

    def _want_what_it_says(self, line: LineFacts, quantity: int) -> None:
        """A line without a hold is taken at its word of what was sold, as far as there is such a thing."""
        grain = self.resources.get(line.resource_id or "")
        if line.resource_id and grain == "day" and line.dates:
            slots = [Slot(line.resource_id, slot) for slot in day_slots(line.dates)]
            self._add(line.id, line.resource_id, slots, quantity, self._made_for(line))
            return
        what = f"slot {line.slot_id}" if line.slot_id else f"service {line.service_id} at {line.start_at}"
        if line.resource_id and grain is None:
            what = f"resource {line.resource_id}"
        elif line.resource_id and not line.slot_id and not line.service_id:
            self.result.problems.append(f"line {line.id}: it does not say which dates of {line.resource_id} were sold")
            return
        self.result.problems.append(f"line {line.id}: {what} does not exist")

    def _made_for(self, line: LineFacts | None) -> KnownHold | None:
        return next((hold for hold in self.holds.values() if line and hold.line_key == line.id), None)

    def _want_hold(self, line: LineFacts | None, hold: KnownHold, quantity: int) -> None:
        slots = hold.slots
        sold = self.sold.get(line.id) if line is not None and hold.kind == "order" else None
        if sold is not None and sold.resource_id == hold.resource_id:
            slots, quantity = sold.slots, sold.quantity if quantity else 0
        elif hold.kind == "order" and line is not None and line.dates and line.resource_id == hold.resource_id:
            slots = [Slot(hold.resource_id, slot) for slot in day_slots(line.dates)]
        elif line is not None and line.dates and hold.kind != "order" and hold.grain == "day":
            held = sorted(slot_day(slot.slot_no) for slot in slots)
            if held != sorted(line.dates):
                self.result.notes.append(f"line {line.id} says other dates than its hold; the hold counts")
        mine, theirs = (self.facts.email or "").lower(), (hold.customer_email or "").lower()
        if mine and theirs and mine != theirs:
            self.result.notes.append(f"hold {hold.id} was made with another e-mail address")
        is_gone = hold.kind != "order" and (hold.is_lapsed or hold.status in {"EXPIRED", "RELEASED"})
        is_late = is_gone and hold.status != "CONFIRMED"
        # A released hold was given back by somebody's decision, and resolves once: the order gets one of its own.
        reuse = self._made_for(line) if hold.status == "RELEASED" and quantity else hold
        line_id, is_whole = line.id if line else None, hold.is_whole or sold is not None
        self._add(line_id, hold.resource_id, slots, quantity, reuse, is_late=is_late, is_whole=is_whole)

    def _add(
        self,
        line_id: str | None,
        resource_id: str,
        slots: Sequence[Slot],
        quantity: int,
        hold: KnownHold | None,
        *,
        is_late: bool = False,
        is_whole: bool = False,
    ) -> None:
        if hold is not None:
            self.used.add(hold.id)
            quantity = max(0, quantity - hold.cancelled_by_admin)
            if hold.given_up == "refund":
                quantity = 0
        self.result.wanted.append(
            Wanted(
                line_id=line_id,
                resource_id=resource_id,
                slots=slots,
                quantity=quantity,
                hold=hold,
                may_grow=hold is None or hold.given_up != "dismiss",
                is_late=is_late,
                is_whole=is_whole,
            )
        )

    def _drop_the_rest(self) -> None:
        """Whatever else the order has is of lines that are gone."""
        for hold in self.holds.values():
            is_ours = hold.order_id == self.facts.id or hold.line_key is not None or hold.is_short
            if is_ours and hold.id not in self.used:
                self._add(hold.line_item_id or hold.line_key, hold.resource_id, hold.slots, 0, hold)


def _counts_as_one(line: LineFacts, hold: KnownHold) -> bool:
    """Whether the line's quantity counts bookings, not places: one departure sold as one item is the whole party."""
    return hold.is_whole or (hold.grain == "departure" and line.ordered == 1)


def _shares(holds: Sequence[KnownHold], quantity: int) -> list[int]:
    """How a line's quantity falls on its holds: all of it on each where they are of different slots."""
    slots = [slot[:2] for hold in holds for slot in hold.slots]
    if len(set(slots)) == len(slots):
        return [quantity] * len(holds)
    shares = []
    left = quantity
    for hold in holds:
        shares.append(min(hold.quantity, left))
        left -= shares[-1]
    shares[-1] += left
    return shares
