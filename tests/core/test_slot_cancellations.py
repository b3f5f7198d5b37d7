"""A departure that does not run is closed at once; its parties are moved or cancelled, each once."""

from __future__ import annotations

from datetime import time

import pytest

from bridge.core import bookings, holds, slot_cancellations, takes, waitlist
from bridge.db import Connection
from bridge.errors import InvalidData, SlotCancelled, SlotNotFound
from bridge.ids import new_id
from tests.factories import counters
from tests.waiting import make_booking, make_slot, make_tour, slot_id_of, statuses, take, wait


def cancel(
    conn: Connection, slot_no: int, *, to: int | None = None, limit: int = 100
) -> slot_cancellations.Cancellation:
    """Cancel a departure, with all the steps a worker takes."""
    slot_id = slot_id_of(conn, slot_no)
    alternative = slot_id_of(conn, to) if to else None
    slot_cancellations.begin(conn, slot_id, reason="Storm", alternative_slot_id=alternative, actor="key:1")
    while slot_cancellations.take_step(conn, slot_no, limit=limit):
        pass
    return slot_cancellations.get_cancellation(conn, slot_id)


def owed(conn: Connection, booking_id: str) -> list[dict[str, object]]:
    """The refunds asked for of a booking."""
    rows = conn.execute(
        "SELECT convert_from(raw, 'UTF8')::jsonb AS work FROM event WHERE dedupe_key = %s ORDER BY id",
        [f"refund:{booking_id}"],
    )
    return [row["work"] for row in rows]


def test_nothing_is_sold_of_it_from_the_first_moment(conn: Connection) -> None:
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=5)

    slot_cancellations.begin(conn, slot_id_of(conn, slot_no), reason="Storm", alternative_slot_id=None, actor="key:1")

    with pytest.raises(takes.Short):
        take(conn, tour_id, slot_no)


def test_bookings_are_cancelled_and_what_was_paid_is_to_be_paid_back(conn: Connection) -> None:
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=10)
    order_id = new_id("order")
    paid = make_booking(conn, tour_id, slot_no, 2, order_id=order_id)
    pending = make_booking(conn, tour_id, slot_no)
    only_a_cart = take(conn, tour_id, slot_no, 3)

    done = cancel(conn, slot_no)

    assert (done.status, done.bookings, done.cancelled, done.holds_released, done.refunds) == ("done", 2, 2, 1, 1)
    stand = [bookings.get_booking(conn, booking_id) for booking_id in (paid, pending)]
    assert [(booking.status, booking.cancellation_reason) for booking in stand] == [("cancelled", "Storm")] * 2
    assert [booking.refund_amount for booking in stand] == [stand[0].total_amount, None]
    assert holds.get_hold(conn, only_a_cart).status == "RELEASED"
    assert counters(conn, tour_id) == [(0, 0)]
    (refund,) = owed(conn, paid)
    assert (refund["order_id"], refund["line_item_id"], refund["amount"]) == (order_id, f"line_{paid}", None)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_parties_are_moved_in_the_order_in_which_they_booked_while_seats_last(conn: Connection, limit: int) -> None:
    tour_id = make_tour(conn)
    slot_no, other = make_slot(conn, tour_id, capacity=10), make_slot(conn, tour_id, capacity=4, at=time(12))
    first = make_booking(conn, tour_id, slot_no, 2, order_id=new_id("order"))
    second = make_booking(conn, tour_id, slot_no, 3, order_id=new_id("order"))
    third = make_booking(conn, tour_id, slot_no, 2)

    done = cancel(conn, slot_no, to=other, limit=limit)

    assert (done.moved, done.cancelled, done.refunds) == (2, 1, 1)
    stand = [bookings.get_booking(conn, booking_id) for booking_id in (first, second, third)]
    assert [(booking.status, booking.slot_no) for booking in stand] == [
        ("confirmed", other),
        ("cancelled", slot_no),
        ("pending", other),
    ]
    assert counters(conn, tour_id) == [(0, 0), (2, 2)]


def test_dry_run_says_what_it_would_do_and_changes_nothing(conn: Connection) -> None:
    tour_id = make_tour(conn)
    slot_no, other = make_slot(conn, tour_id, capacity=10), make_slot(conn, tour_id, capacity=2, at=time(12))
    moved = make_booking(conn, tour_id, slot_no, 2)
    cancelled = make_booking(conn, tour_id, slot_no, 1, order_id=new_id("order"))
    take(conn, tour_id, slot_no)
    before = counters(conn, tour_id)

    preview = slot_cancellations.preview(conn, slot_id_of(conn, slot_no), alternative_slot_id=slot_id_of(conn, other))

    assert [(party.action, party.booking_id) for party in preview.parties] == [
        ("move", moved),
        ("cancel", cancelled),
        ("release", None),
    ]
    assert counters(conn, tour_id) == before
    with pytest.raises(SlotNotFound):
        slot_cancellations.get_cancellation(conn, slot_id_of(conn, slot_no))


def test_asked_again_it_says_how_far_it_is_and_another_wish_is_refused(conn: Connection) -> None:
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=3)
    make_booking(conn, tour_id, slot_no)
    done = cancel(conn, slot_no)

    again = slot_cancellations.begin(
        conn, slot_id_of(conn, slot_no), reason="Storm", alternative_slot_id=None, actor="key:2"
    )

    assert again == done
    with pytest.raises(SlotCancelled):
        slot_cancellations.begin(
            conn, slot_id_of(conn, slot_no), reason="Whim", alternative_slot_id=None, actor="key:1"
        )


def test_a_step_taken_twice_does_nothing_more(conn: Connection) -> None:
    tour_id = make_tour(conn)
    slot_no = make_slot(conn, tour_id, capacity=3)
    booking_id = make_booking(conn, tour_id, slot_no, order_id=new_id("order"))
    done = cancel(conn, slot_no)

    assert slot_cancellations.take_step(conn, slot_no) is False
    assert slot_cancellations.get_cancellation(conn, slot_id_of(conn, slot_no)) == done
    assert len(owed(conn, booking_id)) == 1


def test_the_queue_of_the_departure_is_closed_and_others_wait_on(conn: Connection) -> None:
    tour_id = make_tour(conn)
    slot_no, other = make_slot(conn, tour_id, capacity=1), make_slot(conn, tour_id, capacity=1, at=time(12))
    held = take(conn, tour_id, slot_no)
    take(conn, tour_id, other)
    offered = wait(conn, tour_id, slot_id=slot_id_of(conn, slot_no))
    only_this = wait(conn, tour_id, slot_id=slot_id_of(conn, slot_no))
    any_time = wait(conn, tour_id)
    holds.release_hold(conn, held, actor="tests")

    done = cancel(conn, slot_no)

    assert statuses(conn, offered, only_this, any_time) == ["cancelled", "cancelled", "active"]
    assert done.waitlist_closed == 2
    assert waitlist.get_entry(conn, any_time.id).position == 1


def test_the_alternative_must_be_another_departure_of_the_tour_that_runs(conn: Connection) -> None:
    tour_id, another_tour = make_tour(conn), make_tour(conn)
    slot_no, elsewhere = make_slot(conn, tour_id), make_slot(conn, another_tour)

    for alternative in (slot_no, elsewhere):
        with pytest.raises(InvalidData):
            cancel(conn, slot_no, to=alternative)
    with pytest.raises(InvalidData):
        slot_cancellations.begin(
            conn, slot_id_of(conn, slot_no), reason="Storm", alternative_slot_id="slot_none", actor="key:1"
        )
