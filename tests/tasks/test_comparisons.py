"""What the platform says of orders is compared with what stands here, bounded, and in both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge import db
from bridge.core import allocations, audits, failures
from bridge.errors import PlatformRefused, PlatformUnavailable
from bridge.ids import new_id
from tasks import maintenance
from tasks.events import apply_event
from tests.factories import counters, future_day, make_allocation, make_hold, make_resource
from tests.tasks.conftest import receive

pytestmark = pytest.mark.usefixtures("settings")


class FakeMedusa:
    """A shop with orders; it lists them, but for those it keeps from its lists."""

    def __init__(self):
        self.orders = {}
        self.unlisted = set()
        self.asked = []

    def __call__(self, _config):
        return self

    def find_orders(self, order_ids):
        assert 0 < len(order_ids) <= 20
        self.asked.append(list(order_ids))
        return {name: self.orders[name] for name in order_ids if name in self.orders and name not in self.unlisted}

    def get_order(self, order_id):
        if order_id not in self.orders:
            raise PlatformRefused("not found", status=404)
        return self.orders[order_id]

    def place(self, *, quantity=1):
        """An order that was placed there and applied here; its id, and its resource."""
        with db.transaction() as conn:
            resource_id, dates = make_resource(conn, days=1)
            hold_id = make_hold(conn, resource_id, dates, quantity)
        order = {
            "id": new_id("order"),
            "status": "pending",
            "version": 1,
            "updated_at": datetime.now(UTC).isoformat(),
            "items": [{"id": "item_1", "quantity": quantity, "metadata": {"booking_hold_id": hold_id}}],
        }
        self.orders[order["id"]] = order
        apply_event(receive({"type": "order.placed", "data": {"order": order}}, order_id=order["id"]))
        return order["id"], resource_id


@pytest.fixture
def shop(monkeypatch):
    with db.transaction() as conn:
        # Of what other tests placed, nothing is ahead.
        conn.execute("UPDATE capacity SET on_date = current_date - 30")
        conn.execute("DELETE FROM platform_cursor")
        conn.execute("INSERT INTO platform_cursor (source, seen_until) VALUES ('medusa', now())")
        audits.audit(conn)
        conn.execute("UPDATE audit SET findings = '[]', drift = 0")
    fake = FakeMedusa()
    monkeypatch.setattr(maintenance, "Medusa", fake)
    return fake


def compare():
    """Compare once, and apply what came of it; what is found."""
    maintenance.compare_orders()
    with db.transaction() as conn:
        due = conn.execute("SELECT id FROM event WHERE type = 'order.reconcile' AND status = 'pending'").fetchall()
    for row in due:
        apply_event(row["id"])
    with db.transaction() as conn:
        return [
            (row["what"], row["order_id"]) for row in audits.last_audit(conn)["findings"] if row["check"] == "platform"
        ]


def sold(resource_id):
    with db.transaction() as conn:
        return counters(conn, resource_id)[0][1]


def events_of(order_id):
    with db.transaction() as conn:
        return failures.list_events(conn, order_id=order_id)[1]


def test_orders_that_agree_cause_nothing(shop):
    placed = [shop.place() for _ in range(3)]

    assert compare() == []

    assert sorted(shop.asked[0]) == sorted(order_id for order_id, _resource in placed)
    assert [events_of(order_id) for order_id, _resource in placed] == [1, 1, 1]


def test_a_cancellation_nobody_told_us_of_is_applied(shop):
    order_id, resource_id = shop.place()
    shop.orders[order_id]["status"] = "canceled"

    assert compare() == []

    assert sold(resource_id) == 0


def test_a_return_that_did_not_count_as_a_new_version_is_applied(shop):
    order_id, resource_id = shop.place(quantity=3)
    shop.orders[order_id]["items"][0]["detail"] = {"return_received_quantity": 2}

    assert compare() == []

    assert sold(resource_id) == 1


def test_an_older_state_than_the_one_seen_changes_nothing(shop):
    order_id, resource_id = shop.place(quantity=3)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    shop.orders[order_id] = {**shop.orders[order_id], "updated_at": earlier.isoformat(), "items": []}

    assert compare() == []

    assert (sold(resource_id), events_of(order_id)) == (3, 1)


def test_an_order_that_was_only_confirmed_here_is_learnt_from_the_platform(shop):
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
        make_allocation(conn, resource_id, dates, order_id="order_confirmed")
        hold_id = db.one(conn.execute("SELECT hold_id FROM allocation WHERE resource_id = %s", [resource_id]))[
            "hold_id"
        ]
    shop.orders["order_confirmed"] = {
        "id": "order_confirmed",
        "status": "pending",
        "version": 1,
        "updated_at": datetime.now(UTC).isoformat(),
        "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}}],
    }

    assert compare() == []

    with db.transaction() as conn:
        facts = conn.execute("SELECT facts FROM platform_order WHERE id = 'order_confirmed'").fetchone()
    assert facts["facts"] is not None
    assert sold(resource_id) == 1


def test_an_order_the_platform_does_not_know_is_told_until_it_has_nothing_here(shop):
    order_id, resource_id = shop.place()
    del shop.orders[order_id]

    assert compare() == [("unknown to the platform", order_id)]
    with db.transaction() as conn:
        assert audits.last_audit(conn)["drift"] == 1
        assert ("platform", order_id) in [(row["check"], row.get("order_id")) for row in audits.audit(conn)]
        row = db.one(conn.execute("SELECT id FROM allocation WHERE order_id = %s", [order_id]))
        allocations.cancel_allocation(conn, row["id"], reason="there is no such order", quantity=None, actor="ada")

    assert compare() == []
    assert sold(resource_id) == 0


def test_an_order_that_is_only_kept_from_the_list_is_known(shop):
    order_id, _resource_id = shop.place()
    shop.unlisted.add(order_id)

    assert compare() == []


def test_what_was_applied_and_still_differs_is_for_people(shop):
    order_id, resource_id = shop.place()
    line = {"id": "item_2", "quantity": 1, "metadata": {"booking_hold_id": "hold_none"}}
    # Of one version a platform says two things, and the later one cannot be read.
    shop.orders[order_id]["items"] = [*shop.orders[order_id]["items"], {**line, "quantity": "many"}]

    first, second = compare(), compare()

    assert (first, second) == ([], [("otherwise on the platform", order_id)])
    assert sold(resource_id) == 1


def test_a_turn_asks_for_so_many_and_the_next_goes_on_there(shop, monkeypatch):
    monkeypatch.setattr(maintenance, "MAX_IDS", 2)
    monkeypatch.setattr(maintenance, "COMPARED_PAGES", 2)
    order_ids = sorted(shop.place()[0] for _ in range(5))

    for _ in range(3):
        compare()

    assert shop.asked == [order_ids[:2], order_ids[2:4], order_ids[4:], order_ids[:2], order_ids[2:4]]


def test_what_lies_behind_is_not_asked_for(shop):
    order_id, resource_id = shop.place()
    with db.transaction() as conn:
        conn.execute("UPDATE capacity SET on_date = %s WHERE resource_id = %s", [future_day(-3), resource_id])

    compare()

    assert shop.asked == []
    assert order_id


def test_a_platform_that_is_down_is_asked_the_next_time(shop, monkeypatch):
    order_id, _resource_id = shop.place()
    working = FakeMedusa.find_orders

    def fail(_self, _order_ids):
        raise PlatformUnavailable

    monkeypatch.setattr(FakeMedusa, "find_orders", fail)
    assert compare() == []
    monkeypatch.setattr(FakeMedusa, "find_orders", working)
    compare()

    assert shop.asked == [[order_id]]
