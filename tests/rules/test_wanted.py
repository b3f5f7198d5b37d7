"""Whatever an order says, what it may have is never another's."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.known import KnownClaim, KnownHold, Slot, Sold
from bridge.rules.orders import KnownOrder, LineFacts, OrderFacts, is_superseded
from bridge.rules.wanted import plan_order

RESOURCES = ["res_a", "res_b"]
HOLDS = ["hold_1", "hold_2", "hold_3", "hold_none"]
DAYS = [date(2027, 1, day) for day in range(1, 5)]

lines = st.lists(
    st.builds(
        LineFacts,
        id=st.sampled_from(["l1", "l2", "l3"]),
        quantity=st.integers(0, 4),
        hold_ids=st.lists(st.sampled_from(HOLDS), max_size=2, unique=True).map(tuple),
        resource_id=st.sampled_from([None, *RESOURCES, "res_none"]),
        dates=st.lists(st.sampled_from(DAYS), max_size=2, unique=True).map(tuple),
        complaint=st.sampled_from([None, "it cannot be read"]),
    ),
    max_size=3,
    unique_by=lambda line: line.id,
).map(tuple)

orders = st.builds(
    OrderFacts,
    source=st.just("medusa"),
    id=st.just("order_1"),
    is_cancelled=st.booleans(),
    lines=lines,
    hold_ids=st.lists(st.sampled_from(HOLDS), max_size=2, unique=True).map(tuple),
    booking_number=st.sampled_from([None, "BK-1"]),
)


def known(hold_id):
    return st.builds(
        KnownHold,
        id=st.just(hold_id),
        kind=st.sampled_from(["cart", "order"]),
        status=st.sampled_from(["ACTIVE", "CONFIRMED", "RELEASED", "EXPIRED"]),
        is_lapsed=st.booleans(),
        resource_id=st.sampled_from(RESOURCES),
        quantity=st.integers(1, 4),
        booking_number=st.sampled_from([None, "BK-1"]),
        order_id=st.sampled_from([None, "order_1", "order_2"]),
        line_item_id=st.sampled_from([None, "l1", "l9"]),
        cancelled_by_admin=st.integers(0, 2),
        claims=st.just((KnownClaim(resource_id="res_a", slot_no=1, quantity=1, state="held"),)),
    )


holds = st.tuples(known("hold_1"), known("hold_2"), known("hold_3")).map(list)


@given(orders, holds)
def test_no_hold_of_another_order_and_none_twice(facts, known_holds):
    plan = plan_order(facts, known_holds, dict.fromkeys(RESOURCES, "day"))

    had = [wanted.hold.id for wanted in plan.wanted if wanted.hold is not None]
    others = {hold.id for hold in known_holds if hold.order_id == "order_2"}
    assert len(had) == len(set(had))
    assert not others & set(had)


@given(orders, holds)
def test_a_cancelled_order_wants_nothing(facts, known_holds):
    plan = plan_order(facts, known_holds, dict.fromkeys(RESOURCES, "day"))

    if facts.is_cancelled:
        assert all(wanted.quantity == 0 for wanted in plan.wanted)
        assert plan.problems == []


@given(orders, holds)
def test_everything_the_order_has_is_decided_on(facts, known_holds):
    plan = plan_order(facts, known_holds, dict.fromkeys(RESOURCES, "day"))

    decided = {wanted.hold.id for wanted in plan.wanted if wanted.hold is not None}
    mine = {hold.id for hold in known_holds if hold.order_id == "order_1" and hold.status != "RELEASED"}
    mine -= {hold.id for hold in known_holds if hold.kind == "order" and hold.line_key is None}
    assert mine <= decided


def test_two_holds_of_one_line_share_its_quantity_where_they_overlap():
    claims = (KnownClaim(resource_id="res_a", slot_no=1, quantity=1, state="held"),)
    two = [
        KnownHold(
            id=f"hold_{n}",
            kind="cart",
            status="ACTIVE",
            is_lapsed=False,
            resource_id="res_a",
            quantity=1,
            claims=claims,
        )
        for n in (1, 2)
    ]
    line = LineFacts(id="l1", quantity=3, hold_ids=("hold_1", "hold_2"))

    plan = plan_order(OrderFacts(source="medusa", id="o", lines=(line,)), two, {})

    assert [wanted.quantity for wanted in plan.wanted] == [1, 2]


def test_nothing_known_is_superseded_by_nothing():
    assert is_superseded(OrderFacts(source="medusa", id="o"), KnownOrder()) is None


def _departure_hold(**fields):
    claim = KnownClaim(resource_id="res_a", slot_no=7, quantity=3, state="held")
    values = {"kind": "cart", "status": "ACTIVE", "is_lapsed": False, "grain": "departure", "quantity": 3}
    return KnownHold(id="hold_1", resource_id="res_a", claims=(claim,), **values | fields)


def _plan_line(hold, **fields):
    line = LineFacts(id="l1", hold_ids=("hold_1",), **fields)
    return plan_order(OrderFacts(source="medusa", id="o", lines=(line,)), [hold], {}).wanted[0]


def test_one_item_that_names_a_party_is_the_whole_party():
    assert _plan_line(_departure_hold(), quantity=1).quantity == 3
    assert _plan_line(_departure_hold(kind="booking"), quantity=2, ordered=2).quantity == 3


def test_items_that_count_seats_are_taken_at_their_number():
    assert _plan_line(_departure_hold(), quantity=2, ordered=3).quantity == 2


def test_a_line_that_wants_nothing_gives_the_whole_party_back():
    wanted = _plan_line(_departure_hold(kind="booking"), quantity=0)

    assert wanted.quantity == 0
    assert all(wanted.quantity_of(slot) == 0 for slot in wanted.slots)


def test_an_appointment_wants_of_each_quarter_hour_what_it_weighs():
    claims = [KnownClaim(resource_id="staff", slot_no=n, quantity=q, state="held") for n, q in ((1, 2), (2, 2), (3, 1))]
    hold = _departure_hold(kind="appointment", grain="quarter_hour", quantity=1)
    hold = KnownHold(**{name: getattr(hold, name) for name in hold.__dataclass_fields__} | {"claims": tuple(claims)})

    wanted = _plan_line(hold, quantity=1)

    assert wanted.is_whole
    assert [wanted.quantity_of(slot) for slot in wanted.slots] == [2, 2, 1]


def test_a_line_without_a_hold_wants_what_it_was_found_to_have_sold():
    line = LineFacts(id="l1", quantity=1, slot_id="slot_x")
    order = OrderFacts(source="medusa", id="o", lines=(line,))
    sold = {"l1": Sold("res_a", 2, [Slot("res_a", 7)])}

    found, unknown = plan_order(order, [], {}, sold), plan_order(order, [], {})

    assert [(wanted.quantity, wanted.is_whole) for wanted in found.wanted] == [(2, True)]
    assert unknown.wanted == []
    assert unknown.problems == ["line l1: slot slot_x does not exist"]


def test_a_line_that_names_what_a_later_line_has_does_not_get_it():
    hold = KnownHold(
        id="hold_1",
        kind="cart",
        status="CONFIRMED",
        is_lapsed=False,
        resource_id="res_a",
        quantity=1,
        order_id="order_1",
        line_item_id="l1",
        claims=(KnownClaim(resource_id="res_a", slot_no=1, quantity=1, state="allocated"),),
    )
    lines = (LineFacts(id="l2", quantity=1, hold_ids=("hold_1",)), LineFacts(id="l1", quantity=1))

    plan = plan_order(OrderFacts(source="medusa", id="order_1", lines=lines), [hold], {"res_a": "day"})

    assert [(wanted.line_id, wanted.quantity, wanted.hold.id) for wanted in plan.wanted] == [("l1", 1, "hold_1")]
    assert plan.problems == ["line l2: hold hold_1 is named by two lines, and the line does not say what was sold"]
