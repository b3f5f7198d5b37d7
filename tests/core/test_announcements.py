"""What is announced: every change of a hold or an allocation, once, whichever door made it; if anybody listens."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from bridge import db, errors
from bridge.core import allocations, blackouts, capacity, carts, holds, orders, resources
from bridge.core.announcements import announce
from bridge.core.takes import Take
from bridge.ids import new_id
from bridge.rules.orders import CartFacts, LineFacts, OrderFacts
from tests.core.test_takes import place
from tests.databases import own_database
from tests.factories import lapse, make_allocation, make_hold, make_resource

HOLD = "resource_booking.hold"
ALLOCATION = "resource_booking.allocation"
DEPLETED = "resource_booking.capacity.depleted"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def own(database_url):
    """A database whose webhooks are this file's alone."""
    with own_database(database_url) as url:
        yield url


@pytest.fixture(autouse=True)
def everybody(own):
    """Somebody who wants to hear everything."""
    with db.transaction() as conn:
        conn.execute("DELETE FROM webhook")
        subscribe(conn, "*")


def subscribe(conn, *types):
    conn.execute(
        "INSERT INTO webhook (id, url, types, secret) VALUES (%s, 'https://x.test', %s, 's')",
        [new_id("webhook"), list(types)],
    )


def said_of(subject):
    """Types announced of what has this id, or of this resource's slots, the first first."""
    return [row["type"] for row in announced(subject)]


def announced(subject):
    with db.transaction() as conn:
        return conn.execute(
            "SELECT type, data, key FROM announcement WHERE starts_with(key, %s) ORDER BY n", [subject + ":"]
        ).fetchall()


def hold_of(quantity=1, *, capacity=5, days=2, **fields):
    """A hold in a transaction of its own: its id, its resource, its dates."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=capacity, days=days, **fields)
        return make_hold(conn, resource_id, dates, quantity), resource_id, dates


def allocation_of(quantity=1, **fields):
    hold_id, _resource_id, _dates = hold_of(quantity)
    with db.transaction() as conn:
        allocation, _hold = holds.confirm_hold(
            conn, hold_id, order_id=fields.get("order_id", new_id("order")), line_item_id="item_1", actor="tests"
        )
    return allocation.id, hold_id


def order_of(hold_id, **fields):
    line = LineFacts(id="item_1", quantity=fields.pop("quantity", 1), hold_ids=(hold_id,))
    return OrderFacts(**{"source": "medusa", "id": new_id("order"), "lines": (line,), **fields})


def reconcile(facts):
    with db.transaction() as conn:
        return orders.reconcile(conn, facts, actor="tests")


# -- announcing --------------------------------------------------------------------------------------------------------


def test_a_key_is_announced_once():
    key = uuid4().hex

    for _ in range(2):
        with db.transaction() as conn:
            announce(conn, "booking.confirmed", {"id": key}, key=f"{key}:confirmed")

    assert said_of(key) == ["booking.confirmed"]


def test_nothing_is_announced_when_the_transaction_fails():
    key = uuid4().hex

    with pytest.raises(ZeroDivisionError), db.transaction() as conn:
        announce(conn, "booking.confirmed", {}, key=f"{key}:confirmed")
        raise ZeroDivisionError

    assert said_of(key) == []


@pytest.mark.parametrize(
    ("types", "heard"),
    [
        (["booking.confirmed"], True),
        (["booking.*"], True),
        (["*"], True),
        (["waitlist.*", "booking.confirmed"], True),
        (["booking.cancelled"], False),
        (["booking"], False),
        (["book.*"], False),
        (["waitlist.*"], False),
    ],
)
def test_only_what_somebody_wants_is_written(types, heard):
    key = uuid4().hex
    with db.transaction() as conn:
        conn.execute("DELETE FROM webhook")
        subscribe(conn, *types)

        announce(conn, "booking.confirmed", {}, key=f"{key}:confirmed")

    assert bool(said_of(key)) is heard


def test_somebody_who_is_disabled_hears_nothing():
    key = uuid4().hex
    with db.transaction() as conn:
        conn.execute("UPDATE webhook SET disabled_at = now(), disabled_reason = 'tests'")

        announce(conn, "booking.confirmed", {}, key=f"{key}:confirmed")

    assert said_of(key) == []


def test_dates_instants_and_money_may_be_announced():
    key = uuid4().hex
    data = {"date": date(2026, 5, 1), "at": NOW, "price": Decimal("80.10"), "big": Decimal("12345678901234567890.12")}

    with db.transaction() as conn:
        announce(conn, "booking.created", data, key=f"{key}:created")

    with db.transaction() as conn:
        text = db.one(conn.execute("SELECT data::text FROM announcement WHERE key = %s", [f"{key}:created"]))["data"]
    assert '"price": 80.10' in text
    assert '"big": 12345678901234567890.12' in text
    assert '"date": "2026-05-01"' in text


# -- holds -------------------------------------------------------------------------------------------------------------


def test_a_hold_that_is_placed_is_announced_with_its_slots():
    hold_id, resource_id, dates = hold_of(2)

    (said,) = announced(hold_id)
    assert said["type"] == f"{HOLD}.created"
    assert said["data"]["slots"] == [
        {"resource_id": resource_id, "date": str(day), "quantity": 2, "slot_id": None, "start_at": None}
        for day in dates
    ]
    assert said["data"] | {"id": hold_id, "status": "ACTIVE", "quantity": 2, "kind": "cart"} == said["data"]


def test_a_hold_asked_for_twice_is_announced_once():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
    token = uuid4().hex

    for _ in range(2):
        with db.transaction() as conn:
            hold_id = make_hold(conn, resource_id, dates, idempotency_token=token)

    assert said_of(hold_id) == [f"{HOLD}.created"]


def test_a_hold_that_is_refused_is_not_announced():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=1)

    with pytest.raises(errors.InsufficientCapacity), db.transaction() as conn:
        make_hold(conn, resource_id, dates, quantity=2)

    with db.transaction() as conn:
        heard = conn.execute("SELECT FROM announcement WHERE data ->> 'resource_id' = %s", [resource_id]).fetchall()
    assert heard == []


def test_a_hold_by_one_statement_is_announced():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)

    with db.statement() as conn:
        hold_id = make_hold(conn, resource_id, dates)

    assert said_of(hold_id) == [f"{HOLD}.created"]


def test_an_extension_is_no_news():
    hold_id, _resource_id, _dates = hold_of()

    with db.transaction() as conn:
        holds.extend_hold(conn, hold_id)

    assert said_of(hold_id) == [f"{HOLD}.created"]


def test_a_hold_confirmed_twice_is_announced_once_and_so_is_its_allocation():
    hold_id, _resource_id, _dates = hold_of()

    for _ in range(2):
        with db.transaction() as conn:
            allocation, _hold = holds.confirm_hold(conn, hold_id, order_id="o_1", line_item_id="item_1", actor="tests")

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.confirmed"]
    assert said_of(allocation.id) == [f"{ALLOCATION}.created"]


def test_a_hold_released_by_its_customer_is_announced_once():
    hold_id, _resource_id, dates = hold_of()
    with db.transaction() as conn:
        holds.release_hold(conn, hold_id, actor="tests")

    with pytest.raises(errors.HoldNotActive), db.transaction() as conn:
        holds.release_hold(conn, hold_id, actor="tests")

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.released"]
    assert [slot["date"] for slot in announced(hold_id)[-1]["data"]["slots"]] == [str(day) for day in dates]


def test_a_hold_released_with_its_cart_is_announced():
    hold_id, _resource_id, _dates = hold_of()
    cart = new_id("cart")
    for named in [[hold_id], []]:
        with db.transaction() as conn:
            carts.follow(conn, CartFacts(source="medusa", id=cart, hold_ids=tuple(named)), actor="tests")

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.released"]


def test_a_hold_released_for_a_blackout_is_announced():
    hold_id, resource_id, dates = hold_of()

    with db.transaction() as conn:
        blackouts.create_blackout(
            conn,
            resource_id=resource_id,
            start_date=dates[0],
            end_date=dates[0],
            actor="tests",
            cancel_existing_holds=True,
        )

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.released"]


def test_what_is_only_tried_is_not_announced():
    hold_id, resource_id, dates = hold_of()

    with db.transaction() as conn:
        blackouts.create_blackout(
            conn,
            resource_id=resource_id,
            start_date=dates[0],
            end_date=dates[0],
            actor="tests",
            cancel_existing_holds=True,
            dry_run=True,
        )

    assert said_of(hold_id) == [f"{HOLD}.created"]


def test_what_goes_with_a_deleted_resource_is_announced():
    hold_id, resource_id, dates = hold_of()
    with db.transaction() as conn:
        allocation_id = make_allocation(conn, resource_id, dates)

    with db.transaction() as conn:
        resources.delete_resource(conn, resource_id, force=True, actor="tests")

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.released"]
    assert said_of(allocation_id) == [f"{ALLOCATION}.created", f"{ALLOCATION}.cancelled"]
    assert announced(allocation_id)[-1]["data"]["quantity"] == 1


def test_a_lapsed_hold_is_announced_once_by_the_sweeper():
    hold_id, _resource_id, _dates = hold_of()
    with db.transaction() as conn:
        lapse(conn, hold_id)

    for _ in range(2):
        with db.transaction() as conn:
            holds.expire_holds(conn, limit=1000)

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.expired"]


def test_a_lapsed_hold_whose_seat_somebody_took_is_announced_once():
    hold_id, resource_id, dates = hold_of(capacity=1)
    with db.transaction() as conn:
        lapse(conn, hold_id)
    with db.transaction() as conn:
        taker = make_hold(conn, resource_id, dates)
    assert said_of(hold_id) == [f"{HOLD}.created"]

    for _ in range(2):
        with db.transaction() as conn:
            holds.expire_holds(conn, limit=1000)

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.expired"]
    assert said_of(taker) == [f"{HOLD}.created"]


def test_a_lapsed_hold_that_is_confirmed_after_all_never_expired():
    hold_id, _resource_id, _dates = hold_of()
    with db.transaction() as conn:
        lapse(conn, hold_id)

    with db.transaction() as conn:
        holds.confirm_hold(conn, hold_id, order_id="o_1", line_item_id="item_1", actor="tests")
        holds.expire_holds(conn, limit=1000)

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.confirmed"]


def test_a_lapsed_hold_that_its_order_cannot_have_is_announced_expired_once_and_its_shortfall_opened():
    hold_id, resource_id, dates = hold_of(capacity=1)
    with db.transaction() as conn:
        lapse(conn, hold_id)
    with db.transaction() as conn:
        make_hold(conn, resource_id, dates)
    order = order_of(hold_id)

    for _ in range(2):
        reconcile(order)
        with db.transaction() as conn:
            holds.expire_holds(conn, limit=1000)

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.expired"]
    with db.transaction() as conn:
        (opened,) = conn.execute(
            "SELECT data FROM announcement WHERE type = 'shortfall.opened' AND data ->> 'order_id' = %s", [order.id]
        ).fetchall()
    assert [slot["date"] for slot in opened["data"]["missing"]] == [str(day) for day in dates]


# -- orders ------------------------------------------------------------------------------------------------------------


def test_an_order_seen_twice_confirms_once():
    hold_id, _resource_id, _dates = hold_of()
    order = order_of(hold_id)

    reconcile(order)
    reconcile(order)

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.confirmed"]
    assert [said["type"] for said in allocations_of(order)] == [f"{ALLOCATION}.created"]


def test_a_cancelled_order_gives_its_allocation_up_once():
    hold_id, _resource_id, _dates = hold_of(2)
    order = order_of(hold_id, quantity=2)
    reconcile(order)

    for _ in range(2):
        reconcile(OrderFacts(source="medusa", id=order.id, is_cancelled=True))

    created, cancelled = allocations_of(order)
    assert (created["type"], cancelled["type"]) == (f"{ALLOCATION}.created", f"{ALLOCATION}.cancelled")
    assert cancelled["data"]["quantity"] == 2
    assert cancelled["data"]["slots"] == created["data"]["slots"]


def test_an_order_for_an_active_hold_it_does_not_want_releases_it():
    hold_id, _resource_id, _dates = hold_of()

    reconcile(order_of(hold_id, is_cancelled=True))

    assert said_of(hold_id) == [f"{HOLD}.created", f"{HOLD}.released"]


def test_a_changed_quantity_is_announced_as_that():
    hold_id, _resource_id, _dates = hold_of()
    order = order_of(hold_id, version=1)
    reconcile(order)

    reconcile(order_of(hold_id, id=order.id, version=2, quantity=3))

    _created, changed = allocations_of(order)
    assert changed["type"] == f"{ALLOCATION}.changed"
    assert (changed["data"]["previous_quantity"], changed["data"]["quantity"]) == (1, 3)


def allocations_of(order):
    with db.transaction() as conn:
        return conn.execute(
            "SELECT type, data FROM announcement WHERE data ->> 'order_id' = %s AND starts_with(type, %s) ORDER BY n",
            [order.id, ALLOCATION],
        ).fetchall()


def test_an_order_without_a_hold_announces_its_allocation_alone():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
    line = LineFacts(id="item_1", quantity=1, resource_id=resource_id, dates=tuple(dates))
    order = OrderFacts(source="medusa", id=new_id("order"), lines=(line,))

    reconcile(order)

    (created,) = allocations_of(order)
    assert created["type"] == f"{ALLOCATION}.created"
    assert said_of(created["data"]["hold_id"]) == []


def test_an_allocation_cancelled_by_hand_in_part_and_then_whole():
    allocation_id, _hold_id = allocation_of(3)

    for quantity in (1, None):
        with db.transaction() as conn:
            allocations.cancel_allocation(conn, allocation_id, reason="asked", quantity=quantity, actor="tests")
    with pytest.raises(errors.AllocationCancelled), db.transaction() as conn:
        allocations.cancel_allocation(conn, allocation_id, reason="asked", quantity=None, actor="tests")

    _created, changed, cancelled = announced(allocation_id)
    assert (changed["type"], changed["data"]["quantity"]) == (f"{ALLOCATION}.changed", 2)
    assert (cancelled["type"], cancelled["data"]["quantity"]) == (f"{ALLOCATION}.cancelled", 2)
    assert cancelled["data"]["reason"] == "asked"


# -- depleted slots ----------------------------------------------------------------------------------------------------


def test_the_last_seat_is_announced_and_no_other():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=2, days=2)
    with db.transaction() as conn:
        make_hold(conn, resource_id, dates)
    assert said_of(resource_id) == []

    with db.transaction() as conn:
        last = make_hold(conn, resource_id, dates[:1])

    (said,) = announced(resource_id)
    assert said["type"] == DEPLETED
    assert said["data"] | {"date": str(dates[0]), "max_capacity": 2, "held": 2, "allocated": 0} == said["data"]

    with db.transaction() as conn:
        holds.confirm_hold(conn, last, order_id="o_1", line_item_id="item_1", actor="tests")
    assert len(announced(resource_id)) == 1


def test_a_seat_whose_hold_has_lapsed_is_left():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=2, days=1)
        lapse(conn, make_hold(conn, resource_id, dates))

    with db.transaction() as conn:
        make_hold(conn, resource_id, dates)
    assert said_of(resource_id) == []

    with db.transaction() as conn:
        make_hold(conn, resource_id, dates)
    assert said_of(resource_id) == [DEPLETED]


def test_a_day_that_is_closed_has_nothing_left():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)

    with db.transaction() as conn:
        capacity.adjust_capacity(
            conn, resource_id=resource_id, dates=dates, adjustment=-999, reason="closed", actor="tests"
        )

    assert said_of(resource_id) == [DEPLETED]


def test_a_slot_that_is_freed_and_taken_in_one_transaction_is_announced_once():
    hold_id, resource_id, dates = hold_of(capacity=1, days=1)
    assert said_of(resource_id) == [DEPLETED]

    with db.transaction() as conn:
        for _ in range(2):
            holds.release_hold(conn, hold_id, actor="tests")
            hold_id = make_hold(conn, resource_id, dates)

    assert said_of(resource_id) == [DEPLETED] * 2


def test_a_departure_is_told_by_its_id():
    with db.transaction() as conn:
        resource_id, _dates = make_resource(conn, grain="departure", days=0)
        slot_no = db.one(
            conn.execute(
                "INSERT INTO slot (id, resource_id, slot_date, start_time, time_zone, duration_minutes, starts_at,"
                " ends_at, end_time, min_capacity, price_per_person) VALUES (%s, %s, current_date + 9, '09:00', 'UTC',"
                " 60, now() + INTERVAL '9 days', now() + INTERVAL '9 days 1 hour', '10:00', 1, 80) RETURNING slot_no",
                [new_id("slot"), resource_id],
            )
        )["slot_no"]
        conn.execute(
            "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, %s, current_date + 9, 2)",
            [resource_id, slot_no],
        )
    with db.transaction() as conn:
        hold_id = place(conn, [Take(resource_id, slot_no, 2)]).hold_id
        slot_id = db.one(conn.execute("SELECT id FROM slot WHERE slot_no = %s", [slot_no]))["id"]

    assert announced(hold_id)[0]["data"]["slots"][0]["slot_id"] == slot_id
    assert announced(resource_id)[0]["data"]["slot_id"] == slot_id
