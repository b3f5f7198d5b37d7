"""A tour in the database, and beside it what ought to have become of its seats: the stage of the waitlist's model."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from copy import deepcopy
from datetime import time, timedelta

from hypothesis.stateful import RuleBasedStateMachine
from psycopg.pq import TransactionStatus

from bridge import db
from bridge.core import audits, departures, offers, schedules, takes
from bridge.core.offers import Rule
from tests.factories import future_day
from tests.handover import Departure, Ledger, Seats
from tests.waiting import make_booking, make_tour, take

PATIENCE = 1  # Little, so that parties come to collect before an example is over.
RULE = Rule(is_automatic=True, offer_term=timedelta(hours=24), cutoff=timedelta(hours=24), patience=PATIENCE)
# Two departures of one day, that some do not mind which of, and one of the next.
DEPARTURES = [(0, time(9), 2), (0, time(12), 3), (1, time(9), 2)]


class Touring(RuleBasedStateMachine):
    """One tour whose departures are full. All happens in one transaction, undone at the end."""

    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.conn = self.stack.enter_context(db.transaction())
        self.stack.enter_context(self.conn.transaction(force_rollback=True))
        offers.keep_rule(self.conn, RULE)
        self.tour_id = make_tour(self.conn)
        made = [self._depart(*departure) for departure in DEPARTURES]
        self.schedules = {departure.no: schedule_id for departure, schedule_id in made}
        self.ledger = Ledger(PATIENCE, [departure for departure, _schedule_id in made])
        self.kinds = {}  # cart, booking, offer, by hold.
        self.bookings = {}  # By hold.
        self.blackouts = []
        # Or hardly anybody would wait.
        for n, (_days, _at, capacity) in enumerate(DEPARTURES):
            for seat in range(capacity):
                self.take(n, 1, is_booking=seat == 0)

    def teardown(self):
        with self.stack:
            # Not where a statement failed: then that is what is to be told.
            if self.conn.info.transaction_status == TransactionStatus.INTRANS:
                mine = {self.tour_id, *self.kinds}
                found = audits.audit(self.conn)
                assert [row for row in found if mine & {row.get("resource_id"), row.get("hold_id")}] == []

    def _depart(self, days, at, capacity):
        day = future_day(30 + days)
        schedule = schedules.create_schedule(
            self.conn,
            tour_id=self.tour_id,
            name=f"At {at}",
            start_time=at,
            duration_minutes=60,
            recurrence="daily",
            weekdays=[],
            custom_rule=None,
            max_capacity=capacity,
            min_capacity=1,
            valid_from=day,
            valid_until=day,
            price_override=None,
            is_active=True,
        )
        departures.generate(self.conn, schedule.id, start_date=day, end_date=day)
        [slot] = self.rows("SELECT slot_no FROM slot WHERE schedule_id = %s", schedule.id)
        return Departure(slot["slot_no"], day, capacity), schedule.id

    def take(self, n, seats, *, is_booking):
        """The public tries to take seats."""
        departure = self.ledger.departures[n]
        expected = self.ledger.can_take(departure, seats)
        hold_id = None
        with suppress(takes.Short):
            if is_booking:
                booking_id = make_booking(self.conn, self.tour_id, departure.no, seats)
                [row] = self.rows("SELECT hold_id FROM booking WHERE id = %s", booking_id)
                hold_id = row["hold_id"]
                self.bookings[hold_id] = booking_id
            else:
                hold_id = take(self.conn, self.tour_id, departure.no, seats)

        assert (hold_id is not None) == expected
        if hold_id:
            self.ledger.seats[hold_id] = Seats(hold_id, departure, seats)
            self.kinds[hold_id] = "booking" if is_booking else "cart"

    def attempt(self, act, expect, *, refusals):
        """Do it in the database and in the ledger, or, when it is refused, in neither; what it answered, or None."""
        ledger = deepcopy(self.ledger)
        expected = expect(ledger)
        try:
            with self.conn.transaction():
                answer = act()
        except refusals:
            assert not expected
            return None
        assert expected
        self.ledger = ledger
        return answer

    def name_offers(self):
        """Give what was handed over the names that the database gave its holds."""
        for waiter_id in self.ledger.offered:
            seats = self.ledger.seats.pop(waiter_id, None)
            if seats is not None:
                [row] = self.rows("SELECT hold_id FROM waitlist_entry WHERE id = %s", waiter_id)
                assert row["hold_id"] is not None, "nothing is held for who comes first"
                seats.hold_id = row["hold_id"]
                self.ledger.seats[seats.hold_id] = seats
                self.kinds[seats.hold_id] = "offer"
        self.ledger.offered.clear()

    def live(self, *kinds, is_sold=None):
        """What is held or sold and has not lapsed."""
        live = [s for s in self.ledger.seats.values() if not s.is_lapsed and is_sold in {None, s.is_sold}]
        return [s for s in live if not kinds or self.kinds[s.hold_id] in kinds]

    def sellable(self):
        """What an order may name: what is held, has lapsed or was given back since, but not what is offered."""
        held = [*self.ledger.seats.values(), *self.ledger.gone.values()]
        return [s for s in held if not s.is_sold and self.kinds[s.hold_id] != "offer"]

    def waiting(self, *statuses):
        """Who stands so on the waitlist."""
        return [waiter for waiter in self.ledger.waiters.values() if waiter.status in statuses]

    def rows(self, query, *values):
        """What the database answers."""
        return self.conn.execute(query, values).fetchall()


def pick(among, n):
    """One of these."""
    return among[n % len(among)]
