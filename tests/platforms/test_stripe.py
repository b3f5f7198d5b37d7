"""What Stripe's events say in our own words."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import UnreadableEvent
from bridge.platforms.stripe import order_id_of, read_event, session_metadata
from bridge.rules.orders import CheckoutFacts, LineFacts, Nothing, OrderFacts


def event(event_type: str, **thing: Any) -> dict[str, Any]:
    return {"id": "evt_1", "object": "event", "type": event_type, "data": {"object": thing}}


def session(event_type: str = "checkout.session.completed", **fields: Any) -> dict[str, Any]:
    return event(event_type, **{"id": "cs_1", "object": "checkout.session", "payment_status": "paid", **fields})


def test_a_paid_session_is_an_order_with_a_line_for_each_hold() -> None:
    metadata = session_metadata("BK-1", [("hold_01A", 2), ("hold_01B", 1)])

    facts = read_event(
        session(payment_intent="pi_1", metadata=metadata, customer_details={"email": "ada@example.test"})
    )

    assert facts == OrderFacts(
        source="stripe",
        id="pi_1",
        email="ada@example.test",
        booking_number="BK-1",
        lines=(
            LineFacts(id="hold_01A", quantity=2, hold_ids=("hold_01A",)),
            LineFacts(id="hold_01B", quantity=1, hold_ids=("hold_01B",)),
        ),
    )


def test_as_many_holds_as_a_number_has_fit_into_the_metadata() -> None:
    holds = [(f"hold_{n:026}", 1_000_000) for n in range(50)]

    metadata = session_metadata("BK-1", holds)
    facts = read_event(session(metadata=metadata))

    # Stripe's limits: 50 keys of 40 characters, values of 500.
    assert len(metadata) <= 50
    assert all(len(name) <= 40 and len(value) <= 500 for name, value in metadata.items())
    assert isinstance(facts, OrderFacts)
    assert sorted((line.id, line.quantity) for line in facts.lines) == holds


@pytest.mark.parametrize(
    "names",
    [
        {"metadata": {"booking_number": "BK-1"}},
        {"metadata": {"bookingNumber": "BK-1"}},
        {"client_reference_id": "BK-1", "metadata": {}},
        {"client_reference_id": "BK-1", "metadata": None},
    ],
)
def test_a_session_names_its_number_in_one_of_several_ways(names: dict[str, Any]) -> None:
    facts = read_event(session(payment_intent={"id": "pi_1", "object": "payment_intent"}, **names))

    assert facts == OrderFacts(source="stripe", id="pi_1", booking_number="BK-1")


def test_a_session_without_a_payment_is_an_order_by_its_own_id() -> None:
    facts = read_event(session(payment_status="no_payment_required", metadata={"booking_number": "BK-1"}))

    assert isinstance(facts, OrderFacts)
    assert facts.id == "cs_1"


def test_a_session_that_is_not_paid_yet_waits_for_its_money() -> None:
    metadata = {"booking_number": "BK-1"}

    waiting = read_event(session(payment_status="unpaid", metadata=metadata))
    came = read_event(session("checkout.session.async_payment_succeeded", payment_intent="pi_1", metadata=metadata))
    failed = read_event(session("checkout.session.async_payment_failed", payment_status="unpaid", metadata=metadata))

    assert isinstance(waiting, Nothing)
    assert isinstance(came, OrderFacts)
    assert failed == CheckoutFacts(source="stripe", reference="cs_1", booking_number="BK-1")


def test_a_session_that_ran_out_is_a_payment_nobody_makes() -> None:
    facts = read_event(session("checkout.session.expired", metadata={"booking_number": "BK-1"}))

    assert facts == CheckoutFacts(source="stripe", reference="cs_1", booking_number="BK-1")


def test_a_session_of_somebody_elses_is_none_of_our_business() -> None:
    assert isinstance(read_event(session(payment_intent="pi_1", metadata={"invoice": "7"})), Nothing)


@pytest.mark.parametrize(
    "charge",
    [
        {"refunded": True, "amount": 100, "amount_refunded": 100},
        {"amount": 100, "amount_refunded": 100},
        {},
    ],
)
def test_a_charge_paid_back_cancels_its_order(charge: dict[str, Any]) -> None:
    facts = read_event(event("charge.refunded", id="ch_1", payment_intent="pi_1", **charge))

    assert facts == OrderFacts(source="stripe", id="pi_1", is_cancelled=True)


@pytest.mark.parametrize(
    "charge", [{"refunded": False, "amount": 100, "amount_refunded": 40}, {"amount": 100, "amount_refunded": 40}]
)
def test_a_part_paid_back_cancels_nothing(charge: dict[str, Any]) -> None:
    facts = read_event(event("charge.refunded", id="ch_1", payment_intent="pi_1", **charge))

    assert isinstance(facts, Nothing)
    assert "a part" in facts.reason


def test_a_charge_without_a_payment_is_no_order() -> None:
    assert isinstance(read_event(event("charge.refunded", id="ch_1", refunded=True)), Nothing)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"type": "checkout.session.completed"}, "data"),
        ({"type": "checkout.session.completed", "data": {"object": 7}}, "data.object"),
        (session(id=None), "data.object.id"),
        (session(id="x\0"), "data.object.id"),
        (session(payment_intent=7), "data.object.payment_intent"),
        (event("charge.refunded", id="ch_1", amount="much"), "data.object.amount"),
        ([], "the event"),
    ],
)
def test_what_cannot_be_read_is_named(document: Any, field: str) -> None:
    with pytest.raises(UnreadableEvent, match=field):
        read_event(document)


@pytest.mark.parametrize(
    "metadata", [7, [], {"booking_number": 7}, {"booking_number": "x" * 300}, {"booking_holds_0": 7}]
)
def test_metadata_of_another_shape_names_nothing(metadata: Any) -> None:
    assert isinstance(read_event(session(metadata=metadata)), Nothing)


def test_an_event_is_filed_under_the_order_it_is_of() -> None:
    assert order_id_of(session(payment_intent="pi_1")) == "pi_1"
    assert order_id_of(session(payment_intent={"id": "pi_1"})) == "pi_1"
    assert order_id_of(session()) == "cs_1"
    assert order_id_of(session("checkout.session.expired")) is None
    assert order_id_of(event("charge.refunded", id="ch_1", payment_intent="pi_1")) == "pi_1"
    assert order_id_of([]) is None
    assert order_id_of({"data": {"object": [1]}}) is None
