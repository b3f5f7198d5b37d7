"""Whatever is said of an order, in whatever order, its claims become what it wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from bridge import db, errors
from bridge.core import allocations, audits, carts, holds, orders, reservations, resolutions, shortfalls
from bridge.ids import new_id
from bridge.rules.orders import CartFacts, LineFacts, OrderFacts, order_from_json, order_to_json
from bridge.rules.slots import day_slot
from tests.concurrency.rush import in_transaction, rush
from tests.factories import counters, future_day, lapse, make_hold, make_reservation, make_resource

pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.xdist_group("rush")]
T0 = datetime(2026, 11, 1, tzinfo=UTC)


def order(*lines, order_id=None, minute=0, **fields):
    return OrderFacts(
        source="medusa",
        id=order_id or new_id("order"),
        lines=lines,
        updated_at=T0 + timedelta(minutes=minute),
        **fields,
    )


def line(hold_id=None, quantity=1, line_id="item_1", **fields):
    return LineFacts(id=line_id, quantity=quantity, hold_ids=(hold_id,) if hold_id else (), **fields)


def reconcile(conn, facts):
    return orders.reconcile(conn, facts, actor="evt_test")


def allocations_of(conn, order_id):
    return conn.execute(
        "SELECT hold_id, line_item_id, quantity, status::text, posted_late FROM allocation"
        " WHERE order_id = %s ORDER BY id",
        [order_id],
    ).fetchall()


def open_shortfalls(conn, order_id):
    rows, _count = shortfalls.list_shortfalls(conn, order_id=order_id, status="open")
    return rows


def drift(conn, resource_id):
    return [found for found in audits.audit(conn) if found.get("resource_id") == resource_id]


def test_a_placed_order_posts_its_hold(conn):
    resource_id, dates = make_resource(conn, capacity=5)
    hold_id = make_hold(conn, resource_id, dates, quantity=2)
    facts = order(line(hold_id, 2))

    done = reconcile(conn, facts)

    assert not done.problems
    assert counters(conn, resource_id) == [(0, 2)] * 3
    assert holds.get_hold(conn, hold_id).status == "CONFIRMED"
    assert [(row["line_item_id"], row["quantity"], row["posted_late"]) for row in allocations_of(conn, facts.id)] == [
        ("item_1", 2, False)
    ]


def test_the_same_event_again_changes_nothing(conn):
    resource_id, dates = make_resource(conn)
    facts = order(line(make_hold(conn, resource_id, dates)))

    reconcile(conn, facts)
    reconcile(conn, facts)

    assert counters(conn, resource_id) == [(0, 1)] * 3
    assert len(allocations_of(conn, facts.id)) == 1


def test_a_cancelled_order_gives_everything_back_once(conn):
    resource_id, dates = make_resource(conn)
    facts = order(line(make_hold(conn, resource_id, dates)))
    cancelled = order(*facts.lines, order_id=facts.id, minute=1, is_cancelled=True)

    reconcile(conn, facts)
    reconcile(conn, cancelled)
    reconcile(conn, cancelled)

    assert counters(conn, resource_id) == [(0, 0)] * 3
    assert [row["status"] for row in allocations_of(conn, facts.id)] == ["CANCELLED"]


def test_a_cancel_seen_first_is_a_tombstone(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    placed = order(line(hold_id))

    reconcile(conn, order(*placed.lines, order_id=placed.id, minute=1, is_cancelled=True))
    late = reconcile(conn, placed)

    assert late.ignored
    assert "cancelled" in late.outcome
    assert counters(conn, resource_id) == [(0, 0)] * 3
    assert holds.get_hold(conn, hold_id).status == "RELEASED"


def test_a_cancel_without_lines_is_enough(conn):
    resource_id, dates = make_resource(conn)
    facts = order(line(make_hold(conn, resource_id, dates)))
    reconcile(conn, facts)

    reconcile(conn, OrderFacts(source="medusa", id=facts.id, is_cancelled=True))

    assert counters(conn, resource_id) == [(0, 0)] * 3


def test_old_news_cannot_undo_new(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates, quantity=3)
    first = order(line(hold_id, 3), version=1)
    edited = order(line(hold_id, 1), order_id=first.id, minute=5, version=2)

    reconcile(conn, edited)
    old = reconcile(conn, first)

    assert old.ignored
    assert "superseded" in old.outcome
    assert counters(conn, resource_id) == [(0, 1)] * 3


@pytest.mark.parametrize("sequence", list(permutations(range(4))))
def test_any_order_of_arrival_ends_the_same(conn, sequence):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates, quantity=3)
    first = order(line(hold_id, 3), version=1)
    states = [
        first,
        order(line(hold_id, 2), order_id=first.id, minute=1, version=2),
        order(
            line(hold_id, 4),
            line(line_id="item_2", resource_id=resource_id, dates=(dates[0],)),
            order_id=first.id,
            minute=2,
            version=3,
        ),
        order(line(hold_id, 1), order_id=first.id, minute=3, version=4),
    ]

    for n in sequence:
        reconcile(conn, states[n])

    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_removed_line_is_given_back_and_an_added_one_taken(conn):
    resource_id, dates = make_resource(conn)
    keep, drop = make_hold(conn, resource_id, dates), make_hold(conn, resource_id, dates, quantity=4)
    first = order(line(keep), line(drop, 4, "item_2"))
    reconcile(conn, first)

    added = line(line_id="item_3", quantity=2, resource_id=resource_id, dates=(dates[0],))
    reconcile(conn, order(line(keep), added, order_id=first.id, minute=1))

    assert counters(conn, resource_id) == [(0, 3), (0, 1), (0, 1)]
    assert [row["status"] for row in allocations_of(conn, first.id)] == ["CONFIRMED", "CANCELLED", "CONFIRMED"]


def test_more_is_taken_when_there_is_room_and_short_when_there_is_not(conn):
    resource_id, dates = make_resource(conn, capacity=3)
    hold_id = make_hold(conn, resource_id, dates)
    facts = order(line(hold_id))
    reconcile(conn, facts)

    reconcile(conn, order(line(hold_id, 3), order_id=facts.id, minute=1))
    assert counters(conn, resource_id) == [(0, 3)] * 3
    assert open_shortfalls(conn, facts.id) == []

    reconcile(conn, order(line(hold_id, 5), order_id=facts.id, minute=2))
    assert counters(conn, resource_id) == [(0, 3)] * 3
    assert open_shortfalls(conn, facts.id)[0]["missing"] == [{"date": str(day), "quantity": 2} for day in dates]

    reconcile(conn, order(line(hold_id, 2), order_id=facts.id, minute=3))
    assert counters(conn, resource_id) == [(0, 2)] * 3
    assert open_shortfalls(conn, facts.id) == []


def test_a_late_order_with_room_is_posted_late(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)
    holds.expire_holds(conn, limit=1000)
    facts = order(line(hold_id))

    done = reconcile(conn, facts)

    assert "posted_late" in done.outcome
    assert allocations_of(conn, facts.id)[0]["posted_late"]
    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_late_order_without_room_opens_one_shortfall(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)
    make_hold(conn, resource_id, [dates[0]])
    facts = order(line(hold_id))

    reconcile(conn, facts)
    reconcile(conn, facts)

    (shortfall,) = open_shortfalls(conn, facts.id)
    assert shortfall["missing"] == [{"date": str(dates[0]), "quantity": 1}]
    assert shortfall["policy"] == "flag"
    # What there was is kept for the customer while people decide.
    assert counters(conn, resource_id) == [(1, 0), (0, 1), (0, 1)]
    mails = conn.execute(
        "SELECT count(*) AS n FROM event WHERE dedupe_key = %s", [f"mail:{shortfall['id']}"]
    ).fetchone()
    assert mails["n"] == 1


def test_a_shortfall_closes_itself_when_room_appears(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)
    rival = make_hold(conn, resource_id, dates)
    facts = order(line(hold_id))
    reconcile(conn, facts)
    (shortfall,) = open_shortfalls(conn, facts.id)
    with pytest.raises(errors.StillShort), conn.transaction():
        resolutions.resolve_shortfall(conn, shortfall["id"], action="retry", actor="tests")

    holds.release_hold(conn, rival, actor="tests")
    resolved = resolutions.resolve_shortfall(conn, shortfall["id"], action="retry", actor="tests")

    assert (resolved["status"], resolved["action"]) == ("resolved", "retry")
    assert counters(conn, resource_id) == [(0, 1)] * 3
    with pytest.raises(errors.ShortfallClosed):
        resolutions.resolve_shortfall(conn, shortfall["id"], action="dismiss", actor="tests")


def test_a_hold_of_two_days_stands_for_both_though_only_one_was_to_be_had(conn):
    resource_id, dates = make_resource(conn, capacity=1, days=2)
    hold_id = make_hold(conn, resource_id, dates)
    order_id = new_id("order")
    reconcile(conn, order(line(hold_id), order_id=order_id))
    reconcile(conn, order(line(hold_id, 0), order_id=order_id, minute=1))
    make_hold(conn, resource_id, dates[1:])

    reconcile(conn, order(line(hold_id), order_id=order_id, minute=2))
    reconcile(conn, order(line(hold_id), order_id=order_id, minute=3))

    assert counters(conn, resource_id) == [(0, 1), (1, 0)]
    [shortfall] = open_shortfalls(conn, order_id)
    assert [slot["date"] for slot in shortfall["missing"]] == [dates[1].isoformat()]


def short_order(conn, **fields):
    """An order that is short of one place on each of two dates."""
    resource_id, dates = make_resource(conn, capacity=1, days=2, **fields)
    hold_id = make_hold(conn, resource_id, dates)
    lapse(conn, hold_id)
    make_hold(conn, resource_id, dates)
    facts = order(line(hold_id))
    reconcile(conn, facts)
    return resource_id, facts


def test_force_sells_above_capacity_and_counts_it(conn):
    resource_id, facts = short_order(conn)
    (shortfall,) = open_shortfalls(conn, facts.id)

    resolved = resolutions.resolve_shortfall(
        conn, shortfall["id"], action="force", actor="tests", note="we have a spare"
    )
    reconcile(conn, facts)

    assert (resolved["status"], resolved["action"], resolved["note"]) == ("resolved", "force", "we have a spare")
    assert counters(conn, resource_id) == [(1, 1)] * 2
    over = conn.execute("SELECT sum(overbooked) AS n FROM capacity WHERE resource_id = %s", [resource_id]).fetchone()
    assert over["n"] == 2
    assert drift(conn, resource_id) == []


def test_refund_gives_the_line_up_for_good(conn):
    resource_id, facts = short_order(conn)
    (shortfall,) = open_shortfalls(conn, facts.id)

    resolutions.resolve_shortfall(conn, shortfall["id"], action="refund", actor="tests")
    reconcile(conn, facts)

    assert open_shortfalls(conn, facts.id) == []
    assert counters(conn, resource_id) == [(1, 0)] * 2
    asked = conn.execute("SELECT type FROM event WHERE dedupe_key = %s", [f"refund:{shortfall['id']}"]).fetchall()
    assert [row["type"] for row in asked] == ["platform.refund"]


def test_dismiss_leaves_it_short_and_does_not_open_it_again(conn):
    resource_id, facts = short_order(conn)
    (shortfall,) = open_shortfalls(conn, facts.id)

    resolved = resolutions.resolve_shortfall(conn, shortfall["id"], action="dismiss", actor="tests")
    reconcile(conn, facts)

    assert resolved["status"] == "dismissed"
    assert open_shortfalls(conn, facts.id) == []
    assert counters(conn, resource_id) == [(1, 0)] * 2


def test_the_policy_refund_needs_nobody(conn):
    resource_id, facts = short_order(conn, shortfall_policy="refund")

    rows, _count = shortfalls.list_shortfalls(conn, order_id=facts.id)

    assert [(row["status"], row["action"]) for row in rows] == [("resolved", "refund")]
    assert counters(conn, resource_id) == [(1, 0)] * 2


def test_the_policy_overbook_sells_up_to_its_limit(conn):
    resource_id, _facts = short_order(conn, shortfall_policy="overbook", overbook_limit=1)
    assert counters(conn, resource_id) == [(1, 1)] * 2

    dates = [
        row["on_date"]
        for row in conn.execute("SELECT on_date FROM capacity WHERE resource_id = %s ORDER BY 1", [resource_id])
    ]
    another = order(line(resource_id=resource_id, dates=tuple(dates)))
    reconcile(conn, another)

    assert counters(conn, resource_id) == [(1, 1)] * 2
    assert len(open_shortfalls(conn, another.id)) == 1
    assert drift(conn, resource_id) == []


def test_the_policy_alternatives_names_the_nearest_dates(conn):
    resource_id, dates = make_resource(conn, capacity=1, days=5, shortfall_policy="alternatives")
    make_hold(conn, resource_id, [dates[2]])
    facts = order(line(resource_id=resource_id, dates=(dates[2],)))

    reconcile(conn, facts)

    (shortfall,) = open_shortfalls(conn, facts.id)
    assert [day["date"] for day in shortfall["alternatives"]] == [str(dates[n]) for n in (1, 3, 0, 4)]


def test_cancelling_the_order_closes_its_shortfall(conn):
    _resource_id, facts = short_order(conn)
    (shortfall,) = open_shortfalls(conn, facts.id)

    reconcile(conn, order(*facts.lines, order_id=facts.id, minute=1, is_cancelled=True))

    closed = shortfalls.get_shortfall(conn, shortfall["id"])
    assert (closed["status"], closed["action"]) == ("resolved", "cancel")


def test_a_line_that_vanishes_closes_its_shortfall(conn):
    _resource_id, facts = short_order(conn)

    reconcile(conn, order(order_id=facts.id, minute=1))

    assert open_shortfalls(conn, facts.id) == []


def test_a_line_without_a_hold_is_taken_at_its_word(conn):
    resource_id, dates = make_resource(conn)

    facts = order(line(quantity=2, resource_id=resource_id, dates=tuple(dates)))
    reconcile(conn, facts)
    reconcile(conn, facts)

    assert counters(conn, resource_id) == [(0, 2)] * 3
    assert len(allocations_of(conn, facts.id)) == 1


def test_two_lines_that_want_one_seat_are_summed(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    lines = [line(line_id=f"item_{n}", resource_id=resource_id, dates=(dates[0],)) for n in (1, 2)]
    facts = order(*lines)

    reconcile(conn, facts)

    assert counters(conn, resource_id)[0] == (0, 1)
    assert len(open_shortfalls(conn, facts.id)) == 1


@pytest.mark.parametrize("lie", ["missing", "other_resource", "other_order", "twice"])
def test_a_lying_hold_id_takes_nothing_and_needs_a_person(conn, lie):
    resource_id, dates = make_resource(conn)
    other, _dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    if lie == "other_order":
        reconcile(conn, order(line(hold_id)))
    before = counters(conn, resource_id), counters(conn, other)
    liar = {
        "missing": [line("hold_does_not_exist")],
        "other_resource": [line(hold_id, resource_id=other)],
        "other_order": [line(hold_id)],
        "twice": [line(hold_id), line(hold_id, line_id="item_2")],
    }[lie]

    done = reconcile(conn, order(*liar))

    assert len(done.problems) == 1
    if lie != "twice":
        assert (counters(conn, resource_id), counters(conn, other)) == before


def test_a_lie_beside_an_honest_line_does_not_hurt_it(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)

    done = reconcile(conn, order(line("hold_none"), line(hold_id, line_id="item_2")))

    assert len(done.problems) == 1
    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_lie_that_says_what_was_sold_is_served_without_the_hold(conn):
    resource_id, dates = make_resource(conn)

    done = reconcile(conn, order(line("hold_none", 2, resource_id=resource_id, dates=(dates[1],))))

    assert not done.problems
    assert "does not exist" in done.outcome
    assert counters(conn, resource_id) == [(0, 0), (0, 2), (0, 0)]


def test_an_unknown_resource_needs_a_person(conn):
    done = reconcile(conn, order(line(resource_id="res_none", dates=(T0.date(),))))

    assert done.problems == ["line item_1: resource res_none does not exist"]


def test_an_order_without_bookings_is_none_of_our_business(conn):
    done = reconcile(conn, order(line()))

    assert not done.problems
    assert "nothing of ours" in done.outcome


def test_a_hold_named_by_the_order_goes_to_the_line_it_fits(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    facts = order(line(line_id="t-shirt"), line(line_id="tour", resource_id=resource_id), hold_ids=(hold_id,))

    reconcile(conn, facts)
    reconcile(conn, facts)

    assert [row["line_item_id"] for row in allocations_of(conn, facts.id)] == ["tour"]
    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_the_holds_of_a_booking_number_become_permanent_together(conn):
    first, dates = make_resource(conn)
    second, _dates = make_resource(conn)
    number = new_id("BK")
    make_hold(conn, first, dates, booking_number=number)
    make_hold(conn, second, dates, quantity=2, booking_number=number)
    dropped = make_hold(conn, second, dates, booking_number=number)
    holds.release_hold(conn, dropped, actor="tests")

    lines = (line(line_id="a", resource_id=first), line(line_id="b", quantity=2, resource_id=second))
    reconcile(conn, order(*lines, booking_number=number))

    assert counters(conn, first) == [(0, 1)] * 3
    assert counters(conn, second) == [(0, 2)] * 3


def test_another_address_is_noted_and_no_reason_to_refuse(conn):
    resource_id, dates = make_resource(conn)
    done = reconcile(conn, order(line(make_hold(conn, resource_id, dates)), email="grace@example.test"))

    assert "another e-mail address" in done.outcome
    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_hold_the_customer_released_is_taken_anew_for_a_paid_order(conn):
    resource_id, dates = make_resource(conn, capacity=1)
    hold_id = make_hold(conn, resource_id, dates)
    holds.release_hold(conn, hold_id, actor="tests")
    facts = order(line(hold_id))

    reconcile(conn, facts)
    reconcile(conn, facts)

    assert counters(conn, resource_id) == [(0, 1)] * 3
    assert holds.get_hold(conn, hold_id).status == "RELEASED"
    assert [row["posted_late"] for row in allocations_of(conn, facts.id)] == [True]


def test_what_an_admin_cancelled_stays_cancelled(conn):
    resource_id, dates = make_resource(conn)
    facts = order(line(make_hold(conn, resource_id, dates, quantity=3), 3))
    reconcile(conn, facts)
    allocation_id = conn.execute("SELECT id FROM allocation WHERE order_id = %s", [facts.id]).fetchone()["id"]

    part, returned = allocations.cancel_allocation(conn, allocation_id, reason="ill", quantity=1, actor="tests")
    reconcile(conn, facts)
    assert (part.quantity, returned) == (2, 3)
    assert counters(conn, resource_id) == [(0, 2)] * 3

    whole, returned = allocations.cancel_allocation(conn, allocation_id, reason=None, quantity=None, actor="tests")
    reconcile(conn, order(*facts.lines, order_id=facts.id, minute=9))
    assert (whole.status, returned) == ("CANCELLED", 6)
    assert counters(conn, resource_id) == [(0, 0)] * 3
    with pytest.raises(errors.AllocationCancelled):
        allocations.cancel_allocation(conn, allocation_id, reason=None, quantity=None, actor="tests")


def test_no_more_is_cancelled_than_there_is(conn):
    resource_id, dates = make_resource(conn)
    facts = order(line(make_hold(conn, resource_id, dates, quantity=2), 2))
    reconcile(conn, facts)
    allocation_id = conn.execute("SELECT id FROM allocation WHERE order_id = %s", [facts.id]).fetchone()["id"]

    with pytest.raises(errors.QuantityTooLarge):
        allocations.cancel_allocation(conn, allocation_id, reason=None, quantity=3, actor="tests")
    with pytest.raises(errors.AllocationNotFound):
        allocations.cancel_allocation(conn, "alloc_none", reason=None, quantity=None, actor="tests")
    assert counters(conn, resource_id) == [(0, 2)] * 3


def test_a_draft_wants_nothing(conn):
    resource_id, dates = make_resource(conn)

    done = reconcile(conn, order(line(resource_id=resource_id, dates=tuple(dates)), is_placed=False))

    assert done.ignored
    assert counters(conn, resource_id) == [(0, 0)] * 3


def test_many_events_of_one_order_at_once_end_in_its_last_state():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=20)
        hold_id = make_hold(conn, resource_id, dates, quantity=5)
    facts = [order(line(hold_id, 5 - n), order_id=hold_id, minute=n, version=n + 1) for n in range(5)]

    answers = rush([in_transaction(lambda conn, f=f: reconcile(conn, f)) for f in facts * 6])

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 1)] * 3
        assert drift(conn, resource_id) == []


def test_cancelling_twice_at_once_gives_back_once():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=4)
        facts = order(line(make_hold(conn, resource_id, dates, quantity=2), 2))
        reconcile(conn, facts)
        other = order(line(make_hold(conn, resource_id, dates, quantity=2), 2))
        reconcile(conn, other)
        allocation_id = conn.execute("SELECT id FROM allocation WHERE order_id = %s", [facts.id]).fetchone()["id"]
    gone = order(*facts.lines, order_id=facts.id, minute=1, is_cancelled=True)

    def by_hand(conn):
        return allocations.cancel_allocation(conn, allocation_id, reason=None, quantity=None, actor="tests")

    answers = rush([in_transaction(by_hand), in_transaction(lambda conn: reconcile(conn, gone))] * 10)

    assert not [
        answer
        for answer in answers
        if isinstance(answer, Exception) and not isinstance(answer, errors.AllocationCancelled)
    ]
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 2)] * 3
        assert drift(conn, resource_id) == []


def test_a_hold_dropped_from_its_cart_is_released(conn):
    resource_id, dates = make_resource(conn)
    kept, dropped = make_hold(conn, resource_id, dates), make_hold(conn, resource_id, dates, quantity=2)
    cart_id = new_id("cart")

    def cart(minute, *hold_ids, **fields):
        facts = CartFacts(
            source="medusa", id=cart_id, updated_at=T0 + timedelta(minutes=minute), hold_ids=hold_ids, **fields
        )
        return carts.follow(conn, facts, actor="evt_test")

    before = holds.get_hold(conn, kept)
    cart(0, kept, dropped)
    stale = cart(-5, kept)
    assert counters(conn, resource_id) == [(3, 0)] * 3
    assert stale.ignored or "carries" in stale.outcome

    assert dropped in cart(1, kept).outcome
    assert counters(conn, resource_id) == [(1, 0)] * 3
    assert holds.get_hold(conn, dropped).status == "RELEASED"
    assert holds.get_hold(conn, kept).expires_at == before.expires_at
    assert cart(2, is_completed=True).ignored
    assert counters(conn, resource_id) == [(1, 0)] * 3


def test_facts_survive_being_written_down():
    facts = order(
        line("hold_1", 2, resource_id="res_1", dates=(T0.date(),), start_at=T0, unit_price=None),
        hold_ids=("h",),
        version=3,
    )

    assert order_from_json(order_to_json(facts)) == facts


def test_parts_cancelled_by_hand_at_once_add_up():
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=9)
        hold_id = make_hold(conn, resource_id, dates, quantity=9)
        allocation, _hold = holds.confirm_hold(conn, hold_id, order_id=hold_id, line_item_id="i", actor="tests")

    def cancel_one(conn):
        return allocations.cancel_allocation(conn, allocation.id, reason=None, quantity=1, actor="tests")

    answers = rush([in_transaction(cancel_one)] * 8, at_once=8)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    with db.transaction() as conn:
        assert holds.get_allocation(conn, allocation.id).quantity == 1
        assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_hold_named_by_the_order_goes_with_the_line_it_was_for(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    facts = order(line(line_id="tour", resource_id=resource_id), line(line_id="t-shirt"), hold_ids=(hold_id,))
    reconcile(conn, facts)

    reconcile(conn, order(line(line_id="t-shirt"), order_id=facts.id, minute=1, hold_ids=(hold_id,)))

    assert counters(conn, resource_id) == [(0, 0)] * 3


def test_a_confirmation_under_another_line_id_stays_with_the_order(conn):
    resource_id, dates = make_resource(conn)
    hold_id = make_hold(conn, resource_id, dates)
    facts = order(line(line_id="tour", resource_id=resource_id), hold_ids=(hold_id,))
    holds.confirm_hold(conn, hold_id, order_id=facts.id, line_item_id="named by the shop", actor="tests")

    reconcile(conn, facts)

    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_a_hold_made_for_another_orders_line_cannot_be_had(conn):
    _resource_id, facts = short_order(conn)
    waiting = order(line(resource_id=_resource_id, dates=(future_day(),)))
    reconcile(conn, waiting)
    made = conn.execute("SELECT hold_id FROM shortfall WHERE order_id = %s", [waiting.id]).fetchone()["hold_id"]

    done = reconcile(conn, order(line(made)))

    assert "belongs to another order" in done.problems[0]
    assert facts.id != waiting.id


def test_what_a_cart_wrote_into_its_holds_metadata_does_not_say_what_it_takes(conn):
    """A browser chose it: a seat of a cheap resource would else become one of another."""
    cheap, dates = make_resource(conn, capacity=5, days=1)
    dear, _dates = make_resource(conn, capacity=5, days=1)
    hold_id = make_hold(conn, cheap, dates, metadata={"slots": [[dear, day_slot(dates[0])]]})

    reconcile(conn, order(line(hold_id)))

    assert counters(conn, cheap) == [(0, 1)]
    assert counters(conn, dear) == [(0, 0)]


def test_an_order_with_nothing_of_the_number_it_names_leaves_the_number_open(conn):
    """Its line is for another hold; the number would read paid, then cancelled, and its items be held all the while."""
    resource_id, dates = make_resource(conn)
    made = make_reservation(conn, resource_id, dates)
    facts = order(
        line(make_hold(conn, resource_id, dates)), booking_number=made.booking_number, email="eve@example.test"
    )

    reconcile(conn, facts)
    placed = reservations.get_reservation(conn, made.booking_number)
    reconcile(conn, replace(facts, is_cancelled=True))
    cancelled = reservations.get_reservation(conn, made.booking_number)

    assert placed == replace(made, seconds_left=placed.seconds_left)
    assert cancelled == replace(made, seconds_left=cancelled.seconds_left)
    reconcile(conn, order(line(made.items[0].id), booking_number=made.booking_number))
    assert reservations.get_reservation(conn, made.booking_number).status == "paid"


@pytest.mark.parametrize("names_the_hold", [True, False])
def test_a_number_that_is_paid_twice_is_for_people_to_look_at(conn, names_the_hold):
    resource_id, dates = make_resource(conn)
    made = make_reservation(conn, resource_id, dates)
    lines = [line(made.items[0].id) if names_the_hold else line()]
    reconcile(conn, order(*lines, booking_number=made.booking_number))

    done = reconcile(conn, order(*lines, booking_number=made.booking_number))

    assert "belongs to another order" in done.problems[0]
    assert len(done.problems) == 1
    assert counters(conn, resource_id) == [(0, 1)] * 3


def test_what_is_paid_twice_is_had_twice_or_short_where_lines_say_what_they_sold(conn):
    resource_id, dates = make_resource(conn, capacity=2)
    made = make_reservation(conn, resource_id, dates)
    lines = [line(made.items[0].id, resource_id=resource_id, dates=tuple(dates))]
    paid = [order(*lines, booking_number=made.booking_number) for _ in range(3)]

    done = [reconcile(conn, facts) for facts in paid]

    assert [each.problems for each in done] == [[]] * 3
    assert counters(conn, resource_id) == [(0, 2)] * 3
    assert [len(open_shortfalls(conn, facts.id)) for facts in paid] == [0, 0, 1]
