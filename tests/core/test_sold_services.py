"""What orders have to do with appointments: they pay for them, sell them, give them up and come too late for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from bridge.core import appointments, audits, moves, orders, resolutions, shortfalls
from bridge.core.appointments import Appointment
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from tests.factories import Shop, at, counters, lapse, make_appointment, make_shop, make_staff

pytestmark = pytest.mark.usefixtures("database_url")
T0 = datetime(2026, 11, 1, tzinfo=UTC)


def order(*lines: LineFacts, minute: int = 0, **fields: Any) -> OrderFacts:
    values = {"id": new_id("order"), "email": "ada@example.test", **fields}
    return OrderFacts(source="medusa", lines=lines, updated_at=T0 + timedelta(minutes=minute), **values)


def later(facts: OrderFacts, minute: int = 1, **changes: Any) -> OrderFacts:
    return replace(facts, updated_at=T0 + timedelta(minutes=minute), **changes)


def paying(booking: Appointment, amount: int = 10, **fields: Any) -> LineFacts:
    values = {"id": "item_1", "quantity": 1, "hold_ids": (booking.hold_id,), "unit_price": Decimal(amount), **fields}
    return LineFacts(**values)


def selling(shop: Shop, clock: str = "10:00", **fields: Any) -> LineFacts:
    values = {"id": "item_1", "quantity": 1, "unit_price": Decimal(40), "start_at": at(clock), **fields}
    return LineFacts(service_id=shop.service_id, **values)


def reconcile(conn: Connection, facts: OrderFacts) -> orders.Reconciled:
    return orders.reconcile(conn, facts, actor="evt_test")


def of_order(conn: Connection, facts: OrderFacts) -> list[Appointment]:
    return appointments.list_appointments(conn, order_id=facts.id, limit=10, offset=0)[0]


def drift(conn: Connection, shop: Shop) -> list[dict[str, Any]]:
    return [found for found in audits.audit(conn) if found.get("resource_id") == shop.staff_id]


def owed(conn: Connection, type: str, order_id: str) -> list[dict[str, Any]]:  # noqa: A002 - the field's word
    rows = conn.execute("SELECT raw FROM event WHERE type = %s AND order_id = %s", [type, order_id])
    return [orjson.loads(row["raw"]) for row in rows]


@pytest.fixture
def shop(conn: Connection) -> Shop:
    return make_shop(conn, deposit_type="fixed", deposit_value=Decimal(10), payment_modes_allowed=["deposit", "full"])


def held(conn: Connection, shop: Shop, **fields: Any) -> Appointment:
    return make_appointment(conn, service_id=shop.service_id, staff_id=shop.staff_id, **fields)


# -- paying ------------------------------------------------------------------------------------------------------------


def test_a_paid_order_confirms_the_booking_and_says_how_much_was_paid(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    facts = order(paying(booking))

    done = reconcile(conn, facts)

    after = appointments.get_appointment(conn, booking.id)
    assert not done.problems
    assert (after.status, after.amount_paid, after.payment_mode) == ("confirmed", 10, "deposit")
    assert (after.order_id, after.line_item_id) == (facts.id, "item_1")
    assert [found.id for found in of_order(conn, facts)] == [booking.id]
    assert counters(conn, shop.staff_id) == [(0, 2), (0, 2)]
    assert drift(conn, shop) == []


def test_the_same_event_again_changes_nothing(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    facts = order(paying(booking, 40))

    for _ in range(3):
        reconcile(conn, facts)

    assert appointments.get_appointment(conn, booking.id).payment_mode == "full"
    assert [change["what"] for change in appointments.list_changes(conn, booking.id)] == ["created", "confirmed"]


def test_a_cancelled_order_cancels_the_booking(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    facts = order(paying(booking))
    reconcile(conn, facts)

    reconcile(conn, later(facts, is_cancelled=True))

    after = appointments.get_appointment(conn, booking.id)
    assert (after.status, after.cancellation_reason) == ("cancelled", "the order was cancelled")
    assert counters(conn, shop.staff_id) == [(0, 0), (0, 0)]
    # The platform has paid back what it cancelled.
    assert owed(conn, "platform.refund", facts.id) == []


def test_a_line_that_is_taken_out_and_put_back_is_followed(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    facts = order(paying(booking))
    reconcile(conn, facts)

    reconcile(conn, later(facts, lines=(paying(booking, quantity=0),)))
    between = appointments.get_appointment(conn, booking.id)
    reconcile(conn, later(facts, minute=2))

    assert between.status == "cancelled"
    assert appointments.get_appointment(conn, booking.id).status == "confirmed"
    assert drift(conn, shop) == []


def test_what_people_cancelled_stays_cancelled_and_is_paid_back_once(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    facts = order(paying(booking))
    reconcile(conn, facts)

    cancelled = appointments.cancel_appointment(conn, booking.id, actor="user:1", reason="ill")
    reconcile(conn, later(facts))

    assert cancelled.refund_amount == 10
    assert appointments.get_appointment(conn, booking.id).status == "cancelled"
    assert counters(conn, shop.staff_id) == [(0, 0), (0, 0)]
    assert [
        (refund["amount"], refund["line_item_id"], refund["source"])
        for refund in owed(conn, "platform.refund", facts.id)
    ] == [("10.00", "item_1", "medusa")]


@pytest.mark.parametrize(("by_customer", "refund"), [(True, Decimal("5.00")), (False, Decimal(10))])
def test_who_cancels_late_gets_back_what_the_terms_say_unless_staff_cancel(
    conn: Connection, by_customer: bool, refund: Decimal
) -> None:
    shop = make_shop(
        conn,
        deposit_type="fixed",
        deposit_value=Decimal(10),
        payment_modes_allowed=["deposit"],
        free_cancellation_minutes=60 * 24 * 60,
        late_refund_percent=Decimal(50),
    )
    booking = held(conn, shop)
    reconcile(conn, order(paying(booking)))

    cancelled = appointments.cancel_appointment(conn, booking.id, actor="x", by_customer=by_customer)

    assert cancelled.refund_amount == refund


def test_who_pays_after_all_for_what_was_to_be_paid_in_the_shop_has_paid_for_it(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop, confirmed=True)
    facts = order(paying(booking, 40))

    done = reconcile(conn, facts)
    after = appointments.get_appointment(conn, booking.id)
    reconcile(conn, later(facts, is_cancelled=True))

    assert not done.problems
    assert (after.order_id, after.amount_paid, after.payment_mode) == (facts.id, 40, "full")
    assert appointments.get_appointment(conn, booking.id).status == "cancelled"


def test_a_cancelled_order_that_names_what_is_paid_in_the_shop_has_no_say_in_it(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop, confirmed=True)

    reconcile(conn, order(paying(booking), is_cancelled=True))

    assert appointments.get_appointment(conn, booking.id).status == "confirmed"
    assert counters(conn, shop.staff_id) == [(0, 2), (0, 2)]


# -- too late ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swept", [False, True])
def test_paid_late_it_stands_again_when_its_time_is_free(conn: Connection, shop: Shop, swept: bool) -> None:
    booking = held(conn, shop)
    lapse(conn, booking.hold_id)
    if swept:
        conn.execute("SELECT expire_holds(1000)")
        assert appointments.get_appointment(conn, booking.id).cancellation_reason == "expired"

    done = reconcile(conn, order(paying(booking)))

    after = appointments.get_appointment(conn, booking.id)
    assert "posted_late" in done.outcome
    assert (after.status, after.amount_paid, after.cancelled_at) == ("confirmed", 10, None)
    assert drift(conn, shop) == []


def test_paid_late_and_taken_it_is_a_shortfall_that_room_resolves(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    lapse(conn, booking.hold_id)
    other = held(conn, shop, start_at=at("10:15"), confirmed=True)
    facts = order(paying(booking))

    reconcile(conn, facts)
    (short,), _count = shortfalls.list_shortfalls(conn, order_id=facts.id, status="open")
    after = appointments.get_appointment(conn, booking.id)
    appointments.cancel_appointment(conn, other.id, actor="user:1")
    resolutions.resolve_shortfall(conn, short["id"], action="retry", actor="user:1")

    assert [slot["start_at"] for slot in short["missing"]] == [at("10:15").isoformat().replace("+00:00", "Z")]
    assert (after.status, after.cancellation_reason) == ("cancelled", "expired")
    assert counters(conn, shop.staff_id)[0] == (0, 2)
    assert appointments.get_appointment(conn, booking.id).status == "confirmed"
    assert drift(conn, shop) == []


def test_who_cancels_and_then_pays_gets_a_booking_of_the_orders_own(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop, customer_name="Ada")
    appointments.cancel_appointment(conn, booking.id, actor="guest", by_customer=True)
    facts = order(paying(booking))

    reconcile(conn, facts)
    reconcile(conn, later(facts))

    (made,) = of_order(conn, facts)
    assert made.id != booking.id
    assert (made.status, made.start_at, made.customer_name, made.amount_paid) == ("confirmed", at("10:00"), "Ada", 10)
    assert appointments.get_appointment(conn, booking.id).status == "cancelled"


# -- selling -----------------------------------------------------------------------------------------------------------


def test_an_order_that_names_a_service_and_a_time_books_it(conn: Connection, shop: Shop) -> None:
    facts = order(selling(shop))

    done = reconcile(conn, facts)
    reconcile(conn, later(facts))

    (made,) = of_order(conn, facts)
    assert not done.problems
    assert (made.status, made.staff_id, made.start_at, made.end_at) == (
        "confirmed",
        shop.staff_id,
        at("10:00"),
        at("10:30"),
    )
    assert (made.amount_paid, made.payment_mode, made.customer_email) == (40, "full", "ada@example.test")
    assert counters(conn, shop.staff_id) == [(0, 2), (0, 2)]
    assert drift(conn, shop) == []


def test_an_order_gets_whoever_is_free_or_the_one_it_names(conn: Connection, shop: Shop) -> None:
    other = make_staff(conn, service_ids=[shop.service_id])
    held(conn, shop, confirmed=True)

    anybody, named = order(selling(shop)), order(selling(shop, "14:00", staff_id=other))
    reconcile(conn, anybody)
    reconcile(conn, named)

    assert [of_order(conn, facts)[0].staff_id for facts in (anybody, named)] == [other, other]


def test_what_an_order_sold_and_staff_moved_stays_where_it_was_moved_to(conn: Connection, shop: Shop) -> None:
    facts = order(selling(shop))
    reconcile(conn, facts)
    other = make_staff(conn, service_ids=[shop.service_id])
    (made,) = of_order(conn, facts)

    moves.move_appointment(conn, made.id, start_at=at("15:00"), staff_id=other, actor="user:1")
    reconcile(conn, later(facts))

    (after,) = of_order(conn, facts)
    assert (after.id, after.start_at, after.staff_id) == (made.id, at("15:00"), other)
    assert counters(conn, shop.staff_id) == [(0, 0), (0, 0)]
    assert counters(conn, other) == [(0, 2), (0, 2)]


def test_a_sold_time_that_is_taken_is_a_shortfall_and_booked_when_there_is_room(conn: Connection, shop: Shop) -> None:
    other = held(conn, shop, confirmed=True)
    facts = order(selling(shop))

    reconcile(conn, facts)
    (short,), _count = shortfalls.list_shortfalls(conn, order_id=facts.id, status="open")
    before = of_order(conn, facts)
    appointments.cancel_appointment(conn, other.id, actor="user:1")
    resolutions.resolve_shortfall(conn, short["id"], action="retry", actor="user:1")

    assert before == []
    assert of_order(conn, facts)[0].status == "confirmed"


@pytest.mark.parametrize(
    "fields",
    [{"start_at": at("10:07")}, {"start_at": at("22:00")}, {"staff_id": "bkstf_none"}, {"resource_id": "res_none"}],
)
def test_a_line_that_sells_what_there_is_not_is_for_people_to_see(
    conn: Connection, shop: Shop, fields: dict[str, Any]
) -> None:
    facts = order(selling(shop, **fields))

    done = reconcile(conn, facts)

    assert len(done.problems) == 1
    assert of_order(conn, facts) == []


def test_an_order_of_a_moved_booking_keeps_it_where_it_is(conn: Connection, shop: Shop) -> None:
    booking = held(conn, shop)
    facts = order(paying(booking))
    reconcile(conn, facts)

    moves.move_appointment(conn, booking.id, start_at=at("11:00"), actor="user:1")
    reconcile(conn, later(facts))

    assert appointments.get_appointment(conn, booking.id).start_at == at("11:00")
    assert counters(conn, shop.staff_id) == [(0, 0), (0, 0), (0, 2), (0, 2)]
    assert drift(conn, shop) == []
