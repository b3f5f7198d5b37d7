"""However the news of several orders is shuffled, repeated and lost, the ledger ends as their last states want it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import db
from bridge.core import audits, holds, orders
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from tests.factories import counters, lapse, make_hold, make_resource

pytestmark = pytest.mark.usefixtures("database_url")

ORDERS, LINES, MOST = 3, 2, 4
T0 = datetime(2026, 11, 1, tzinfo=UTC)

# An order's life: how many of each of its lines it wants, version by version, and whether it is cancelled in the end.
lives = st.tuples(st.lists(st.tuples(*[st.integers(0, MOST)] * LINES), min_size=1, max_size=4), st.booleans())


@st.composite
def news(draw):
    """The lives of some orders, and what arrives, in its sequence: (order, version), or what the clock does.

    Anything may be lost but the last state of each order: that the reconciler finds, however late.
    """
    drawn = draw(st.lists(lives, min_size=ORDERS, max_size=ORDERS))
    told = [
        (n, version) for n, (states, is_cancelled) in enumerate(drawn) for version in range(len(states) + is_cancelled)
    ]
    last = [(n, len(states) + is_cancelled - 1) for n, (states, is_cancelled) in enumerate(drawn)]
    arrives = draw(st.lists(st.sampled_from([*told, "sweep", "lapse"]), max_size=12))
    return drawn, draw(st.permutations([*arrives, *last]))


class Shop:
    """Orders with a hold for each of their lines, all of one day with room for everybody."""

    def __init__(self, conn, drawn):
        self.conn = conn
        self.resource_id, dates = make_resource(conn, days=1, capacity=1000)
        self.hold_ids = [[make_hold(conn, self.resource_id, dates, MOST) for _ in range(LINES)] for _ in drawn]
        self.states = [self._states(states, is_cancelled, n) for n, (states, is_cancelled) in enumerate(drawn)]

    def _states(self, wanted, is_cancelled, n):
        order_id = new_id("order")
        states = [
            OrderFacts(
                source="medusa",
                id=order_id,
                version=version,
                updated_at=T0 + timedelta(minutes=version),
                lines=tuple(
                    # The platform leaves out what is not wanted any more.
                    LineFacts(id=f"item_{line}", quantity=quantity, hold_ids=(self.hold_ids[n][line],))
                    for line, quantity in enumerate(quantities)
                    if quantity
                ),
            )
            for version, quantities in enumerate(wanted)
        ]
        return [*states, replace(states[-1], is_cancelled=True)] if is_cancelled else states

    def live(self, what):
        if what == "sweep":
            holds.expire_holds(self.conn, limit=100)
        elif what == "lapse":
            lapse(self.conn, *(hold_id for pair in self.hold_ids for hold_id in pair))
        else:
            n, version = what
            orders.reconcile(self.conn, self.states[n][version], actor="tests")

    def findings(self):
        mine = {self.resource_id, *(hold_id for pair in self.hold_ids for hold_id in pair)}
        return [row for row in audits.audit(self.conn) if mine & {row.get("resource_id"), row.get("hold_id")}]


@settings(max_examples=60)
@given(news())
def test_whatever_arrives_when_and_how_often_the_end_is_the_same(drawn_news):
    drawn, arrives = drawn_news
    with db.transaction() as conn, conn.transaction(force_rollback=True):
        shop = Shop(conn, drawn)

        for what in [*arrives, "lapse", "sweep"]:
            shop.live(what)

        wanted = sum(sum(states[-1]) for states, is_cancelled in drawn if not is_cancelled)
        assert counters(conn, shop.resource_id) == [(0, wanted)]
        assert shop.findings() == []
        # Each change of a counter stands in the journal, once.
        noted = conn.execute(
            "SELECT sum(held_change) AS held, sum(allocated_change) AS sold FROM journal WHERE resource_id = %s",
            [shop.resource_id],
        )
        assert db.one(noted) == {"held": 0, "sold": wanted}
        for states, (quantities, is_cancelled) in zip(shop.states, drawn, strict=True):
            stands = conn.execute(
                "SELECT coalesce(sum(quantity), 0) AS n FROM allocation WHERE order_id = %s AND status = 'CONFIRMED'",
                [states[0].id],
            )
            assert db.one(stands)["n"] == (0 if is_cancelled else sum(quantities[-1]))


# Version by version: how many a line of two days wants, and then what of either day others want.
versions = st.lists(
    st.tuples(st.sampled_from([1, 0, 2]), st.sampled_from([0, 2, 1]), st.sampled_from([0, 2, 1])),
    min_size=3,
    max_size=5,
)


@settings(max_examples=100)
@given(versions)
def test_of_each_day_a_line_has_what_it_wants_or_is_known_to_miss_it(versions):
    """While others take turns on the days; each word comes twice, before and after theirs."""
    with db.transaction() as conn, conn.transaction(force_rollback=True):
        resource_id, dates = make_resource(conn, days=2, capacity=2)
        hold_id, order_id = make_hold(conn, resource_id, dates), new_id("order")
        rivals = [OrderFacts(source="medusa", id=new_id("order")) for _day in dates]

        for version, (wanted, *others) in enumerate(versions):
            line = LineFacts(id="item_1", quantity=wanted, hold_ids=(hold_id,))
            facts = OrderFacts(source="medusa", id=order_id, version=version, lines=(line,))
            orders.reconcile(conn, facts, actor="tests")
            for rival, day, quantity in zip(rivals, dates, others, strict=True):
                line = LineFacts(id="item_1", quantity=quantity, resource_id=resource_id, dates=(day,))
                orders.reconcile(conn, replace(rival, lines=(line,)), actor="tests")
            orders.reconcile(conn, facts, actor="tests")

            assert has_and_misses(conn, order_id, resource_id) == dict.fromkeys(dates, wanted)


def has_and_misses(conn, order_id, resource_id):
    rows = conn.execute(
        "SELECT c.on_date, coalesce((SELECT sum(k.quantity) FROM claim k JOIN allocation a ON a.hold_id = k.hold_id"
        "   WHERE a.order_id = %(order)s AND k.state = 'allocated' AND k.slot_no = c.slot_no), 0)"
        " + coalesce((SELECT sum(m.quantity) FROM shortfall s,"
        "   jsonb_to_recordset(s.missing) AS m (slot_no bigint, quantity integer)"
        "   WHERE s.order_id = %(order)s AND s.status = 'open' AND m.slot_no = c.slot_no), 0) AS n"
        " FROM capacity c WHERE c.resource_id = %(resource)s",
        {"order": order_id, "resource": resource_id},
    )
    return {row["on_date"]: row["n"] for row in rows}
