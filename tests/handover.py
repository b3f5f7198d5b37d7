"""The hand-over of seats in plain words: what the rule of the waitlist makes of them, for tests to compare with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date


@dataclass(eq=False)
class Departure:
    """A departure, and whether it is run at all."""

    no: int
    day: date
    capacity: int
    runs: bool = True


@dataclass(eq=False)
class Seats:
    """Seats that somebody has or holds. Lapsed ones are theirs until somebody gives them back."""

    hold_id: str
    departure: Departure
    quantity: int
    is_sold: bool = False
    is_lapsed: bool = False


@dataclass(eq=False)
class Waiter:
    """Somebody on the waitlist, and what is held for them."""

    id: str
    day: date
    departure: Departure | None
    party: int
    rank: int
    priority: int = 0
    status: str = "active"
    passed_over: int = 0
    has_collected: bool = False
    seats: Seats | None = None

    def waits_for(self, departure: Departure) -> bool:
        """Whether seats of this departure are what they wait for."""
        return self.status == "active" and self.day == departure.day and self.departure in {None, departure}


@dataclass
class Ledger:
    """Departures of one tour, whose seats are held and sold and waited for."""

    patience: int
    departures: list[Departure]
    seats: dict[str, Seats] = field(default_factory=dict)
    waiters: dict[str, Waiter] = field(default_factory=dict)
    closed_days: list[date] = field(default_factory=list)
    unswept: list[str] = field(default_factory=list)  # Holds that lapsed and were not tidied up.
    offered: list[str] = field(default_factory=list)  # Who was given seats, under a hold not known by name yet.
    gone: dict[str, Seats] = field(default_factory=dict)  # Lapsed and given back: an order may name them late.

    # -- what there is ---------------------------------------------------------------------------------------------

    def is_open(self, departure: Departure) -> bool:
        """Whether anything of it may be sold."""
        return departure.runs and departure.day not in self.closed_days

    def taken(self, departure: Departure, *, lapsed: bool = True) -> int:
        """Seats that are held or sold, with or without what has lapsed."""
        return sum(s.quantity for s in self.seats.values() if s.departure is departure and (lapsed or not s.is_lapsed))

    def free(self, departure: Departure) -> int:
        """Seats nobody has, held or lapsed."""
        return max(0, departure.capacity - self.taken(departure)) if self.is_open(departure) else 0

    def for_sale(self, departure: Departure) -> int:
        """What the public sees: what has lapsed is free, but where somebody waits it is theirs."""
        if not self.is_open(departure):
            return 0
        return max(0, departure.capacity - self.taken(departure, lapsed=self.is_waited_for(departure)))

    def is_waited_for(self, departure: Departure) -> bool:
        """Whether anybody waits for it."""
        return any(waiter.waits_for(departure) for waiter in self.waiters.values())

    def is_collecting(self, waiter: Waiter) -> bool:
        """Whether seats are held for them that are too few still."""
        seats = waiter.seats
        return waiter.status == "active" and seats is not None and not seats.is_lapsed and seats.hold_id in self.seats

    # -- what becomes of it ----------------------------------------------------------------------------------------

    def hand_over(self, departures: Iterable[Departure], *, is_release: bool = True) -> None:
        """What is free goes to those who wait for it, by priority, then by age.

        The first whose party is too large, and who has not collected yet, is passed over; who was passed over too
        often collects, once, and on one departure.
        """
        for departure in sorted(departures, key=lambda d: (d.day, d.no)):
            self._hand_over(departure, is_release=is_release)

    def _hand_over(self, departure: Departure, *, is_release: bool) -> None:
        free = self.free(departure)
        is_passed_over = False
        queue = [waiter for waiter in self.waiters.values() if waiter.waits_for(departure)]
        for waiter in sorted(queue, key=lambda w: (-w.priority, w.rank)):
            if free == 0:
                return
            elsewhere, has = False, 0
            if self.is_collecting(waiter):
                assert waiter.seats is not None
                elsewhere = waiter.seats.departure is not departure
                has = 0 if elsewhere else waiter.seats.quantity
            if waiter.party - has <= free:
                free -= waiter.party - has
                self._hold(waiter, departure, waiter.party)
                waiter.status = "notified"
            elif elsewhere or waiter.party > departure.capacity:
                continue
            elif has or (not (waiter.has_collected or is_passed_over) and 0 < self.patience <= waiter.passed_over):
                self._hold(waiter, departure, has + free)
                waiter.has_collected = True
                free = 0
            elif not (waiter.has_collected or is_passed_over):
                is_passed_over = True
                waiter.passed_over += is_release

    def _hold(self, waiter: Waiter, departure: Departure, quantity: int) -> None:
        seats = waiter.seats
        if seats is not None and self.is_collecting(waiter):
            if seats.departure is departure:
                seats.quantity = quantity
                return
            # Served whole here, so what was collected there is let go.
            self.lapse(seats)
        # The hold is known by who has it until the database has said its name.
        waiter.seats = self.seats[waiter.id] = Seats(waiter.id, departure, quantity)
        self.offered.append(waiter.id)

    def lapse(self, seats: Seats) -> None:
        """Time runs out; an offer is over with it."""
        seats.is_lapsed = True
        self.unswept.append(seats.hold_id)
        for waiter in self.waiters.values():
            if waiter.seats is seats and waiter.status == "notified":
                waiter.status = "expired"

    def expire(self, *departures: Departure, keep: Collection[str] = ()) -> None:
        """Give back what has lapsed on them."""
        gone = [s for s in self.seats.values() if s.is_lapsed and s.departure in departures and s.hold_id not in keep]
        self.gone |= {s.hold_id: s for s in gone}
        self.give_back(*gone)

    def give_back(self, *seats: Seats) -> None:
        """These seats are nobody's any more: they go to those who wait."""
        for gone in seats:
            del self.seats[gone.hold_id]
        self.hand_over({gone.departure for gone in seats})

    def follow(self, hold_ids: Collection[str]) -> None:
        """Who loses what is held for them, and did not let it lapse, waits on; what lies free is theirs again."""
        back = [w for w in self.waiters.values() if w.status in {"active", "notified"} and w.seats is not None]
        back = [w for w in back if w.seats is not None and w.seats.hold_id in hold_ids]
        for waiter in back:
            waiter.status, waiter.seats = "active", None
        days = {waiter.day for waiter in back}
        self.hand_over([d for d in self.departures if d.day in days], is_release=False)

    def sweep(self, hold_ids: Collection[str]) -> None:
        """Tidy up these lapsed holds, and whatever else has lapsed on their departures."""
        self.expire(*{self.seats[hold_id].departure for hold_id in hold_ids if hold_id in self.seats})
        self.unswept = [hold_id for hold_id in self.unswept if hold_id not in hold_ids]
        self.follow(hold_ids)

    def can_take(self, departure: Departure, quantity: int) -> bool:
        """Whether the public gets so many seats; the very try gives back what has lapsed, where that may help."""
        has_lapsed = any(s.is_lapsed and s.departure is departure for s in self.seats.values())
        is_full = self.taken(departure) + quantity > departure.capacity
        in_vain = is_full and self.for_sale(departure) < quantity
        if self.free(departure) < quantity and not (in_vain and not (has_lapsed and self.is_waited_for(departure))):
            self.expire(departure)
        return self.free(departure) >= quantity

    def confirm(self, hold_id: str) -> bool:
        """Whether an order gets what it names: what is held, or was, as long as there is room for it."""
        seats = self.seats.get(hold_id) or self.gone[hold_id]
        self.expire(seats.departure, keep=[hold_id])
        if hold_id not in self.seats and self.free(seats.departure) < seats.quantity:
            return False
        seats.is_sold, seats.is_lapsed = True, False
        self.seats[hold_id] = seats
        self.gone.pop(hold_id, None)
        self.unswept = [other for other in self.unswept if other != hold_id]
        return True

    def change(self, hold_id: str, to: int, party: int) -> bool:
        """Whether a booking becomes one of so many seats on the departure numbered so; then the old are given back."""
        seats, departure = self.seats[hold_id], self.departures[to]
        before, more = seats.departure, party - (seats.quantity if seats.departure is departure else 0)
        if departure is not before and not self.is_open(departure):
            return False
        self.expire(before, departure, keep=[hold_id])
        if more > self.free(departure):
            return False
        seats.departure, seats.quantity = departure, party
        self.hand_over([before] if departure is not before or more < 0 else [])
        return True

    def may_join(self, n: int, party: int, *, is_any: bool) -> bool:
        """Whether so many wait for the departure numbered so, or for any of its day: not while there is room."""
        wanted = self.departures[n]
        asked = [d for d in self.departures if d is wanted or (is_any and d.day == wanted.day)]
        self.expire(*asked)
        asked = [d for d in asked if self.is_open(d)]
        return any(d.capacity >= party for d in asked) and not any(self.free(d) >= party for d in asked)

    def join(self, entry_id: str, n: int, party: int, *, is_any: bool, priority: int) -> None:
        """Somebody waits from now on."""
        wanted, rank = self.departures[n], len(self.waiters)
        self.waiters[entry_id] = Waiter(entry_id, wanted.day, None if is_any else wanted, party, rank, priority)

    def leave(self, waiter: Waiter) -> None:
        """Somebody does not wait any more; what is held for them is given back."""
        held = [waiter.seats] if waiter.status == "notified" or self.is_collecting(waiter) else []
        held = [seats for seats in held if seats is not None]
        self.expire(*{seats.departure for seats in held})
        waiter.status = "cancelled"
        self.give_back(*held)

    def let_go(self, live: Collection[Seats]) -> None:
        """Somebody else takes these seats away."""
        if live:
            self.expire(*{seats.departure for seats in live})
            self.give_back(*live)
            self.follow({seats.hold_id for seats in live})

    def call_off(self, departure: Departure) -> None:
        """It does not run: everybody loses their seats, and who waits for it alone does not wait any more."""
        departure.runs = False
        self.let_go([s for s in self.seats.values() if s.departure is departure and not s.is_lapsed])
        is_last = not any(d.runs for d in self.departures if d.day == departure.day)
        for waiter in self.waiters.values():
            if waiter.waits_for(departure) and (waiter.departure is departure or is_last):
                waiter.status = "cancelled"
