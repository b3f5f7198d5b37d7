"""The auditor sees what does not add up, says it, and says nothing else; what can be put right is put right."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import pytest

from bridge import db
from bridge.core import audits, orders, repairs
from bridge.ids import new_id
from bridge.rules.findings import explain
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.rules.slots import day_slot
from tests.factories import counters, make_allocation, make_hold, make_resource


@pytest.fixture
def broken(database_url):
    """A transaction that is rolled back: what a test breaks is whole again afterwards."""
    with db.transaction() as conn, conn.transaction(force_rollback=True):
        yield conn


@dataclass
class World:
    """A day of ten places: one held, two sold to an order that was seen, three to one that was not."""

    conn: db.Connection
    order_id: str = field(default_factory=lambda: new_id("order"))

    def __post_init__(self):
        self.resource_id, self.dates = make_resource(self.conn, days=1)
        self.live = make_hold(self.conn, self.resource_id, self.dates)
        self.sold = make_hold(self.conn, self.resource_id, self.dates, quantity=2)
        self.see_order()
        self.unseen_order_id = new_id("order")
        make_allocation(self.conn, self.resource_id, self.dates, quantity=3, order_id=self.unseen_order_id)
        self.unseen = self.ask("SELECT hold_id FROM allocation WHERE order_id = %s", self.unseen_order_id)["hold_id"]

    def see_order(self, **fields):
        line = LineFacts(id="item_1", quantity=2, hold_ids=(self.sold,))
        values = {"updated_at": datetime.now(UTC), "lines": (line,), **fields}
        orders.reconcile(self.conn, OrderFacts(source="medusa", id=self.order_id, **values), actor="tests")

    def ask(self, query, *values):
        return db.one(self.conn.execute(query, values))

    def do(self, query, *values):
        assert self.conn.execute(query, values).rowcount > 0

    def findings(self):
        mine = {self.resource_id, self.live, self.sold, self.unseen, self.order_id, self.unseen_order_id}
        return [row for row in audits.audit(self.conn) if mine & set(map(str, row.values()))]

    def kinds(self):
        return {row.get("what") or row["check"] for row in self.findings()}

    def repair(self):
        """As the command does: each finding once, and whatever comes to light by that."""
        tried = set()
        while new := [row for row in self.findings() if audits.identify(row) not in tried]:
            for row in new:
                tried.add(audits.identify(row))
                repairs.repair(self.conn, row, actor="cli:ada")

    @property
    def counts(self):
        return counters(self.conn, self.resource_id)[0]

    def journal(self, hold_id):
        rows = self.conn.execute(
            "SELECT cause, held_change, allocated_change FROM journal WHERE hold_id = %s ORDER BY n", [hold_id]
        )
        return [tuple(row.values()) for row in rows]


@pytest.fixture
def world(broken):
    return World(broken)


def insert_allocation(world, order_id):
    world.do(
        "INSERT INTO allocation (id, hold_id, resource_id, source, order_id, quantity)"
        " VALUES (%s, %s, %s, 'medusa', %s, 1)",
        new_id("alloc"),
        world.live,
        world.resource_id,
        order_id,
    )


COUNTERS, OVERBOOKED, HISTORY, ORDERS = "counters", "overbooked", "history", "orders"
NOT_CONFIRMED, CLOSED = "claim of a hold that is not confirmed", "live claim of a closed hold"
NO_ALLOCATION, OTHERWISE = "allocated claim without an allocation", "allocation whose claims say otherwise"
NOTHING, OTHER_TIME = "live hold that has nothing", "claim that ends at another time than its hold"
UNPOSTED = "confirmed hold without an allocation"

# What somebody does by hand, what is found of it and nothing else, and what is counted when it is repaired, held and
# sold; nothing is left then, unless it says so.
BREAKS = {
    "a counter that is too high": (
        lambda w: w.do("UPDATE capacity SET held = held + 2 WHERE resource_id = %s", w.resource_id),
        {COUNTERS},
        (1, 5),
    ),
    "a counter that is too low": (
        lambda w: w.do("UPDATE capacity SET held = 0, allocated = 1 WHERE resource_id = %s", w.resource_id),
        {COUNTERS},
        (1, 5),
    ),
    "an excess nobody decided on": (
        lambda w: w.do("UPDATE capacity SET overbooked = 3 WHERE resource_id = %s", w.resource_id),
        {OVERBOOKED},
        (1, 5),
    ),
    "a deleted claim of a live hold": (
        lambda w: w.do("DELETE FROM claim WHERE hold_id = %s", w.live),
        {COUNTERS, NOTHING, HISTORY},
        (1, 5),
    ),
    "a deleted claim of an order": (
        lambda w: w.do("DELETE FROM claim WHERE hold_id = %s", w.sold),
        {COUNTERS, OTHERWISE, HISTORY},
        (1, 5),
    ),
    "a claim said to be released": (
        lambda w: w.do("UPDATE claim SET state = 'released', expires_at = NULL WHERE hold_id = %s", w.live),
        {COUNTERS, NOTHING, HISTORY},
        (1, 5),
    ),
    "a live claim said to be sold": (
        lambda w: w.do("UPDATE claim SET state = 'allocated', expires_at = NULL WHERE hold_id = %s", w.live),
        {COUNTERS, NOT_CONFIRMED, HISTORY},
        (1, 5),
    ),
    "a sold claim said to be held": (
        lambda w: w.do("UPDATE claim SET state = 'held', expires_at = now() + '1 h' WHERE hold_id = %s", w.sold),
        {COUNTERS, CLOSED, OTHERWISE, HISTORY},
        (1, 5),
    ),
    "a claim that takes more than its order": (
        lambda w: w.do("UPDATE claim SET quantity = 4 WHERE hold_id = %s", w.sold),
        {COUNTERS, OTHERWISE, HISTORY},
        (1, 5),
    ),
    "a claim that outlives its hold": (
        lambda w: w.do("UPDATE claim SET expires_at = expires_at + '1 h' WHERE hold_id = %s", w.live),
        {OTHER_TIME},
        (1, 5),
    ),
    "a hold said to be over": (
        lambda w: w.do("UPDATE hold SET status = 'RELEASED', closed_at = now() WHERE id = %s", w.live),
        {CLOSED},
        (0, 5),
    ),
    "a hold of an order said to be over": (
        lambda w: w.do("UPDATE hold SET status = 'EXPIRED' WHERE id = %s", w.sold),
        {NOT_CONFIRMED},
        (1, 5),
    ),
    "an allocation said to be cancelled": (
        lambda w: w.do("UPDATE allocation SET status = 'CANCELLED', cancelled_at = now() WHERE hold_id = %s", w.sold),
        {NO_ALLOCATION},
        (1, 5),
    ),
    "an allocation said to be cancelled, of an order that was never seen": (
        lambda w: w.do("UPDATE allocation SET status = 'CANCELLED', cancelled_at = now() WHERE hold_id = %s", w.unseen),
        {NO_ALLOCATION},
        (1, 2),
    ),
    "an allocation said to be larger": (
        lambda w: w.do("UPDATE allocation SET quantity = 7 WHERE hold_id = %s", w.sold),
        {OTHERWISE},
        (1, 5),
    ),
    "an order cancelled by hand": (
        lambda w: w.do("UPDATE platform_order SET cancelled_at = now() WHERE id = %s", w.order_id),
        {ORDERS},
        (1, 3),
    ),
    "a line of the journal that is gone": (
        lambda w: w.do("DELETE FROM journal WHERE hold_id = %s AND cause = 'order'", w.sold),
        {HISTORY},
        (1, 5),
    ),
}

# What nobody here can know: it is told to people, and left as it is.
RIDDLES = {
    "a forged allocation": (lambda w: insert_allocation(w, "order_forged"), {OTHERWISE}),
    "a deleted allocation": (
        lambda w: w.do("DELETE FROM allocation WHERE hold_id = %s", w.unseen),
        {NO_ALLOCATION, UNPOSTED},
    ),
    "a deleted claim of an order that was never seen": (
        lambda w: w.do("DELETE FROM claim WHERE hold_id = %s", w.unseen),
        {OTHERWISE, HISTORY},
    ),
}


def test_an_untouched_ledger_adds_up(world):
    assert world.findings() == []
    assert world.counts == (1, 5)
    assert audits.last_audit(world.conn)["round_ended_at"] is not None


@pytest.mark.parametrize(("do", "found", "_counts"), BREAKS.values(), ids=BREAKS)
def test_what_is_broken_by_hand_is_found_and_nothing_else(world, do, found, _counts):
    do(world)

    assert world.kinds() == found


@pytest.mark.parametrize(("do", "_found", "counts"), BREAKS.values(), ids=BREAKS)
def test_what_is_broken_is_repaired(world, do, _found, counts):
    do(world)

    world.repair()

    assert world.findings() == []
    assert world.counts == counts
    noted = world.conn.execute("SELECT action FROM ops_action WHERE actor = 'cli:ada'").fetchall()
    assert {row["action"] for row in noted} == {"ledger.repair"}


@pytest.mark.parametrize(("do", "found"), RIDDLES.values(), ids=RIDDLES)
def test_what_nobody_here_can_know_is_left_to_people(world, do, found):
    do(world)
    before = world.kinds()

    world.repair()

    assert before >= found
    assert world.kinds() == found
    assert all(explain(row).person for row in world.findings())


def test_an_order_that_names_a_booking_and_has_nothing_is_found_and_reconciled_again(world):
    world.do("DELETE FROM allocation WHERE hold_id = %s", world.sold)
    world.do("UPDATE claim SET state = 'released' WHERE hold_id = %s", world.sold)
    world.do("UPDATE hold SET status = 'EXPIRED' WHERE id = %s", world.sold)

    assert world.kinds() == {"forgotten", COUNTERS, HISTORY}
    world.repair()

    assert world.findings() == []
    assert world.counts == (1, 5)


def test_what_a_repair_does_stands_in_the_journal(world):
    world.do("DELETE FROM claim WHERE hold_id = %s", world.sold)

    world.repair()

    assert world.journal(world.sold) == [("place", 2, 0), ("order", -2, 2), ("repair", 0, -2), ("repair", 0, 2)]


def test_a_repair_that_is_repeated_changes_nothing(world):
    world.do("DELETE FROM claim WHERE hold_id = %s", world.sold)
    world.do("UPDATE capacity SET held = 3 WHERE resource_id = %s", world.resource_id)
    findings = world.findings()
    world.repair()
    journal = world.journal(world.sold)

    for finding in findings:
        repairs.repair(world.conn, finding, actor="cli:ada")

    assert world.findings() == []
    assert (world.counts, world.journal(world.sold)) == ((1, 5), journal)


def test_a_lost_night_of_a_stay_is_taken_again(broken):
    resource_id, dates = make_resource(broken, days=3)
    hold_id = make_hold(broken, resource_id, dates)
    line = LineFacts(id="item_1", quantity=1, hold_ids=(hold_id,))
    order_id = new_id("order")
    orders.reconcile(broken, OrderFacts(source="medusa", id=order_id, lines=(line,)), actor="tests")
    broken.execute("DELETE FROM claim WHERE hold_id = %s AND slot_no = %s", [hold_id, day_slot(dates[2])])
    broken.execute("UPDATE capacity SET allocated = 0 WHERE resource_id = %s AND on_date = %s", [resource_id, dates[2]])
    (finding,) = [row for row in audits.audit(broken) if row.get("hold_id") == hold_id]

    repairs.repair(broken, finding, actor="cli:ada")

    assert finding["check"] == "history"
    assert counters(broken, resource_id) == [(0, 1)] * 3
    assert [row for row in audits.audit(broken) if row.get("resource_id") == resource_id] == []


def sell_out(world):
    """Somebody else has bought what a lost claim left free."""
    world.do("UPDATE capacity SET held = 0, allocated = 0 WHERE resource_id = %s", world.resource_id)
    for row in world.findings():
        if row["check"] == "counters":
            repairs.repair(world.conn, row, actor="cli:ada")
    held, allocated = world.counts
    make_allocation(world.conn, world.resource_id, world.dates, quantity=10 - held - allocated)


def test_an_order_whose_lost_place_is_sold_is_a_shortfall(world):
    world.do("DELETE FROM claim WHERE hold_id = %s", world.sold)
    sell_out(world)

    world.repair()

    assert world.findings() == []
    assert world.counts == (1, 9)
    assert world.ask("SELECT status::text FROM shortfall WHERE order_id = %s", world.order_id) == {"status": "open"}


def test_a_live_hold_whose_lost_place_is_sold_is_left_to_people(world):
    world.do("DELETE FROM claim WHERE hold_id = %s", world.live)
    sell_out(world)

    world.repair()

    assert world.kinds() == {NOTHING, HISTORY}
    assert world.counts == (0, 10)
    assert "tell the customer" in explain(world.findings()[0]).person


# -- a large ledger ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(audits, "PART", 2)


def test_a_run_that_has_no_time_goes_on_where_the_last_one_stopped_until_the_round_is_done(world, small_parts):
    world.do("UPDATE capacity SET held = held + 2 WHERE resource_id = %s", world.resource_id)
    world.do("UPDATE claim SET expires_at = expires_at + '1 h' WHERE hold_id = %s", world.live)
    whole = audits.audit(world.conn)
    world.conn.execute("UPDATE audit SET findings = '[]', drift = 0, round_ended_at = NULL")

    runs = []
    while not runs or runs[-1]["is_partial"]:
        audits.audit(world.conn, seconds=0)
        runs.append(audits.last_audit(world.conn))

    assert len(runs) >= 3
    assert [run["round_ended_at"] is not None for run in runs] == [False] * (len(runs) - 1) + [True]
    assert sorted(map(audits.identify, runs[-1]["findings"]), key=str) == sorted(map(audits.identify, whole), key=str)


def test_what_was_found_stays_until_its_part_is_looked_at_again(world, small_parts):
    world.do("UPDATE capacity SET held = held + 2 WHERE resource_id = %s", world.resource_id)
    audits.audit(world.conn)
    world.do("UPDATE capacity SET held = held - 2 WHERE resource_id = %s", world.resource_id)

    audits.audit(world.conn, seconds=0)  # The first holds.
    meanwhile = audits.last_audit(world.conn)
    while audits.last_audit(world.conn)["is_partial"]:
        audits.audit(world.conn, seconds=0)

    assert (meanwhile["is_partial"], meanwhile["drift"]) == (True, 1 + audits.last_audit(world.conn)["drift"])


def test_on_a_large_ledger_it_rests_twenty_times_as_long_as_it_took(broken):
    audits.audit(broken)
    broken.execute("UPDATE audit SET seconds = 60, checked_at = clock_timestamp() - INTERVAL '19 minutes'")
    assert not audits.is_due(broken)

    broken.execute("UPDATE audit SET checked_at = clock_timestamp() - INTERVAL '21 minutes'")
    assert audits.is_due(broken)


def test_counters_cannot_be_negative(broken):
    resource_id, _dates = make_resource(broken, days=1)

    with pytest.raises(psycopg.errors.CheckViolation, match="capacity_not_negative"), broken.transaction():
        broken.execute("UPDATE capacity SET held = -1 WHERE resource_id = %s", [resource_id])
