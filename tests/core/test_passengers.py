"""Bookings and the orders of a platform: what an order pays, sells, cancels and pays back."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from bridge.config import Config
from bridge.core import bookings, holds, orders, outcomes, parties, rebookings
from bridge.core.booking_log import By
from bridge.core.bookings import Booking
from bridge.core.parties import Customer
from bridge.core.rebookings import Changes
from bridge.core.terms import terms_of
from bridge.db import Connection
from bridge.errors import InvalidTransition
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.rules.pricing import Party
from tests.factories import counters, lapse
from tests.waiting import make_slot, make_tour, slot_id_of

TERMS = terms_of(Config())
STAFF = By(name="key:1", is_staff=True)
GUEST = By(name="guest")


def make_departure(conn: Connection, capacity: int = 10) -> tuple[str, int, str]:
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=capacity)
    return tour_id, slot_no, slot_id_of(conn, slot_no)


def book(conn: Connection, tour_id: str, slot_id: str, **party: int) -> Booking:
    return parties.book(
        conn,
        tour_id=tour_id,
        slot_id=slot_id,
        party=Party(**{"adults": 2, "children": 1, **party}),
        customer=Customer(customer_name="Ada", customer_email="ada@example.test"),
        terms=TERMS,
        actor="tests",
    )


def order(line: dict[str, Any] | None = None, **fields: Any) -> OrderFacts:
    lines = (LineFacts(**{"id": "item_1", "quantity": 1, **(line or {})}),)
    return OrderFacts(
        **{"source": "medusa", "id": new_id("order"), "lines": lines, "email": "ada@example.test", **fields}
    )


def of(conn: Connection, facts: OrderFacts) -> list[Booking]:
    return bookings.list_bookings(conn, limit=100, offset=0, order_id=facts.id)[0]


def reconcile(conn: Connection, facts: OrderFacts) -> orders.Reconciled:
    return orders.reconcile(conn, facts, actor="tests")


# -- an order for a booking --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hold_id", "id", "reference"])
def test_an_order_that_names_a_booking_confirms_it(conn: Connection, name: str) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    facts = order({"hold_ids": (getattr(booking, name),)})

    done = reconcile(conn, facts)
    again = reconcile(conn, facts)

    assert (done.problems, again.problems) == ([], [])
    [confirmed] = of(conn, facts)
    assert (confirmed.id, confirmed.status, confirmed.line_item_id) == (booking.id, "confirmed", "item_1")
    assert confirmed.total_amount == Decimal("222.75")
    assert counters(conn, tour_id) == [(0, 3)]


def test_a_booking_named_twice_over_is_one(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    facts = order({"hold_ids": (booking.hold_id, booking.reference)}, hold_ids=(booking.id,))

    done = reconcile(conn, facts)

    assert done.problems == []
    assert counters(conn, tour_id) == [(0, 3)]


def test_a_booking_that_is_none_is_for_people_to_see(conn: Connection) -> None:
    done = reconcile(conn, order({"hold_ids": ("ST-20260101-NONE00",)}))

    assert "does not exist" in done.problems[0]


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_late_order_revives_a_booking_that_lapsed(conn: Connection, is_swept: bool) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    lapse(conn, booking.hold_id)
    if is_swept:
        holds.expire_holds(conn, limit=1000)
        assert bookings.get_booking(conn, booking.id).cancelled_by == "clock"
    facts = order({"hold_ids": (booking.hold_id,)})

    reconcile(conn, facts)

    [revived] = of(conn, facts)
    assert (revived.id, revived.status, revived.cancelled_at) == (booking.id, "confirmed", None)
    assert counters(conn, tour_id) == [(0, 3)]


def test_a_late_order_whose_seats_are_gone_leaves_it_cancelled(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn, capacity=3)
    booking = book(conn, tour_id, slot_id)
    lapse(conn, booking.hold_id)
    other = book(conn, tour_id, slot_id)

    done = reconcile(conn, order({"hold_ids": (booking.hold_id,)}))

    assert "short" in done.outcome
    assert bookings.get_booking(conn, booking.id).status == "cancelled"
    assert bookings.get_booking(conn, other.id).status == "pending"


def test_what_a_customer_cancelled_no_order_revives(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    facts = order({"hold_ids": (booking.hold_id,)})
    reconcile(conn, facts)

    outcomes.cancel_booking(conn, booking.id, by=GUEST)
    reconcile(conn, replace(facts, version=2))

    assert bookings.get_booking(conn, booking.id).status == "cancelled"
    assert counters(conn, tour_id) == [(0, 0)]


def test_a_cancelled_order_cancels_and_what_it_paid_back_refunds(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    facts = order({"hold_ids": (booking.hold_id,)})
    reconcile(conn, facts)

    reconcile(conn, replace(facts, is_cancelled=True))
    cancelled = bookings.get_booking(conn, booking.id).status
    reconcile(conn, replace(facts, is_cancelled=True, is_paid_back=True))

    assert cancelled == "cancelled"
    assert bookings.get_booking(conn, booking.id).status == "refunded"
    assert counters(conn, tour_id) == [(0, 0)]


def test_cancelling_a_paid_booking_asks_the_platform_for_its_money_once(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    facts = order({"hold_ids": (booking.hold_id,)})
    reconcile(conn, facts)

    outcomes.cancel_booking(conn, booking.id, by=GUEST, reason="Plans changed")
    with pytest.raises(InvalidTransition):
        outcomes.cancel_booking(conn, booking.id, by=GUEST)

    owed = conn.execute("SELECT dedupe_key FROM event WHERE type = 'platform.refund' AND order_id = %s", [facts.id])
    assert [row["dedupe_key"] for row in owed] == [f"refund:{booking.id}"]
    assert bookings.get_booking(conn, booking.id).refund_amount == booking.total_amount


def test_an_order_that_comes_after_staff_have_confirmed_takes_the_booking_over(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    booking = book(conn, tour_id, slot_id)
    outcomes.set_status(conn, booking.id, "confirmed", by=STAFF)
    facts = order({"hold_ids": (booking.hold_id,)})

    done = reconcile(conn, facts)
    taken_over = of(conn, facts)
    reconcile(conn, replace(facts, is_cancelled=True))

    assert done.problems == []
    assert [one.id for one in taken_over] == [booking.id]
    assert bookings.get_booking(conn, booking.id).status == "cancelled"
    assert counters(conn, tour_id) == [(0, 0)]


def test_a_moved_booking_stays_where_it_was_moved_to(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    other_id = slot_id_of(conn, make_slot(conn, tour_id, capacity=10, at=time(15)))
    booking = book(conn, tour_id, slot_id)
    facts = order({"hold_ids": (booking.hold_id,)})
    reconcile(conn, facts)
    changes = Changes(slot_id=other_id, adults=4, details={})

    rebookings.change_booking(conn, booking.id, changes=changes, by=GUEST, terms=TERMS)
    reconcile(conn, replace(facts, version=2))

    moved = bookings.get_booking(conn, booking.id)
    assert (moved.slot_id, moved.seats, moved.status) == (other_id, 5, "confirmed")
    assert counters(conn, tour_id) == [(0, 0), (0, 5)]


# -- an order that came without one ------------------------------------------------------------------------------------


def test_what_an_order_sold_is_on_the_list_at_what_was_paid(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    line = {"resource_id": tour_id, "slot_id": slot_id, "party": (2, 1, 1), "unit_price": Decimal("190.50")}
    facts = order(line, customer_name="Ada Lovelace")

    done = reconcile(conn, facts)
    reconcile(conn, facts)

    assert done.problems == []
    [booking] = of(conn, facts)
    assert (booking.status, booking.source, booking.customer_name) == ("confirmed", "order", "Ada Lovelace")
    assert (booking.num_adults, booking.num_children, booking.num_infants) == (2, 1, 1)
    assert (booking.total_amount, booking.discount_amount) == (Decimal("190.50"), Decimal("34.50"))
    assert counters(conn, tour_id) == [(0, 3)]


def test_places_without_a_party_are_adults(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    facts = order({"slot_id": slot_id, "quantity": 4, "ordered": 4})

    reconcile(conn, facts)

    [booking] = of(conn, facts)
    assert (booking.num_adults, booking.seats, booking.customer_name) == (4, 4, "ada@example.test")
    assert counters(conn, tour_id) == [(0, 4)]


def test_places_that_come_back_make_the_party_smaller(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    line = {"slot_id": slot_id, "quantity": 4, "ordered": 4, "unit_price": Decimal(70)}
    facts = order(line)
    reconcile(conn, facts)

    reconcile(conn, replace(facts, version=2, lines=(replace(facts.lines[0], quantity=1),)))

    [booking] = of(conn, facts)
    assert (booking.num_adults, booking.seats, booking.status) == (1, 1, "confirmed")
    assert counters(conn, tour_id) == [(0, 1)]


def test_a_departure_that_is_none_is_for_people_to_see(conn: Connection) -> None:
    done = reconcile(conn, order({"slot_id": "slot_none"}))

    assert "slot_none does not exist" in done.problems[0]


def test_a_booking_made_for_a_line_can_be_moved_and_stays_there(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    other_id = slot_id_of(conn, make_slot(conn, tour_id, capacity=10, at=time(15)))
    facts = order({"slot_id": slot_id, "party": (2, 0, 0)})
    reconcile(conn, facts)
    [booking] = of(conn, facts)
    changes = Changes(slot_id=other_id, adults=3, details={})

    rebookings.change_booking(conn, booking.id, changes=changes, by=STAFF, terms=TERMS)
    reconcile(conn, replace(facts, version=2))

    [moved] = of(conn, facts)
    assert (moved.slot_id, moved.seats) == (other_id, 3)
    assert counters(conn, tour_id) == [(0, 0), (0, 3)]


def test_what_the_order_no_longer_wants_is_cancelled_and_wanted_again_confirmed(conn: Connection) -> None:
    tour_id, _slot_no, slot_id = make_departure(conn)
    facts = order({"slot_id": slot_id, "party": (2, 0, 0)})
    reconcile(conn, facts)

    reconcile(conn, replace(facts, version=2, lines=()))
    [dropped] = of(conn, facts)
    reconcile(conn, replace(facts, version=3))

    assert (dropped.status, dropped.cancelled_by) == ("cancelled", "order")
    [back] = of(conn, facts)
    assert (back.id, back.status) == (dropped.id, "confirmed")
    assert counters(conn, tour_id) == [(0, 2)]


def test_a_hold_of_another_kind_that_is_confirmed_is_on_the_list(conn: Connection) -> None:
    from tests.waiting import take

    tour_id, slot_no, _slot_id = make_departure(conn)
    hold_id = take(conn, tour_id, slot_no, 2)

    holds.confirm_hold(conn, hold_id, order_id=new_id("order"), line_item_id=None, actor="tests")

    [booking] = bookings.list_bookings(conn, limit=10, offset=0, tour_id=tour_id)[0]
    assert (booking.hold_id, booking.seats, booking.status) == (hold_id, 2, "confirmed")
