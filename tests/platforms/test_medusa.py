"""How Medusa's events, orders and carts are read. What it really sends: test_captures.py."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import UnreadableEvent
from bridge.platforms import medusa
from bridge.platforms.medusa import is_known, order_id_of, read_cart, read_event, read_order
from bridge.rules.orders import CartFacts, LookUp, Nothing, OrderFacts


def placed(**order: Any) -> dict[str, Any]:
    return {"type": "order.placed", "data": {"order": {"id": "order_1", "items": []} | order}}


def read_placed(**order: Any) -> OrderFacts:
    facts = read_event(placed(**order))
    assert isinstance(facts, OrderFacts)
    return facts


def test_the_smallest_events_made_by_hand() -> None:
    item = {"id": "item_1", "quantity": 2, "metadata": {"booking_hold_id": "hold_x"}}

    whole = read_event({"type": "order.placed", "data": {"order": {"id": "order_1", "items": [item]}}})
    thin = read_event({"type": "order.placed", "data": {"id": "order_1"}})
    bare = read_event({"type": "order.canceled", "data": {"id": "order_1", "status": "canceled", "items": [item]}})

    assert isinstance(whole, OrderFacts)
    assert (whole.lines[0].quantity, whole.lines[0].hold_ids) == (2, ("hold_x",))
    assert thin == LookUp(source="medusa", kind="order", id="order_1")
    assert isinstance(bare, OrderFacts)
    assert (bare.is_cancelled, len(bare.lines)) == (True, 1)


def test_an_order_shown_without_its_lines_is_looked_up() -> None:
    shown = {"id": "order_1", "status": "canceled", "metadata": {"booking_hold_id": "hold_x"}}

    reading = read_event({"type": "order.updated", "data": {"order": shown}})

    assert reading == LookUp(source="medusa", kind="order", id="order_1", is_cancelled=True)


def test_a_return_names_its_order_beside_its_own_id() -> None:
    reading = read_event({"type": "order.return_received", "data": {"id": "return_1", "order_id": "order_1"}})

    assert reading == LookUp(source="medusa", kind="order", id="order_1")


def test_a_canceled_event_is_proof_whatever_its_body_says() -> None:
    reading = read_event(placed(status="pending") | {"type": "order.canceled"})

    assert isinstance(reading, OrderFacts)
    assert reading.is_cancelled


@pytest.mark.parametrize("order", [{"status": "canceled"}, {"canceled_at": "2026-11-21T03:55:31.699Z"}])
def test_an_order_says_itself_that_it_is_cancelled(order: dict[str, Any]) -> None:
    assert read_placed(**order).is_cancelled


@pytest.mark.parametrize("order", [{"status": "draft"}, {"is_draft_order": True}])
def test_a_draft_wants_nothing_until_it_is_placed(order: dict[str, Any]) -> None:
    updated = read_event(placed(**order) | {"type": "order.updated"})

    assert isinstance(updated, OrderFacts)
    assert not updated.is_placed
    assert read_placed(**order).is_placed


def test_what_came_back_or_was_written_off_is_not_wanted() -> None:
    detail = {"return_received_quantity": "1", "written_off_quantity": 1.0, "return_requested_quantity": 1}
    items = [
        {"id": "a", "quantity": 5, "detail": detail, "raw_quantity": {"value": "9"}},
        {"id": "b", "quantity": 1, "detail": detail},
        {"id": "c", "quantity": "3", "detail": None},
        {"id": "d", "quantity": 3, "deleted_at": "2026-11-21T03:55:31.699Z"},
        {"id": "e", "quantity": -1},
    ]

    assert [line.quantity for line in read_placed(items=items).lines] == [3, 0, 3, 0, 0]


def test_an_order_names_holds_as_a_whole_too() -> None:
    metadata = {"booking_hold_id": "h1", "booking_holds": ["h2", {"id": "h3"}, "h1"], "booking_number": "BK-1"}

    order = read_placed(metadata=metadata)

    assert (order.hold_ids, order.booking_number) == (("h1", "h2", "h3"), "BK-1")


def test_the_metadata_of_a_line_stands_in_three_places() -> None:
    claim = {"booking_hold_id": "h1"}
    for item in ({"metadata": claim}, {"metadata": {}, "line_item_metadata": claim}, {"detail": {"metadata": claim}}):
        (line,) = read_placed(items=[{"id": "a", "quantity": 1} | item]).lines

        assert line.hold_ids == ("h1",)


def test_texts_that_cannot_be_stored_are_left_out() -> None:
    order = read_placed(email="a\0@b.test", items=[{"id": "a", "quantity": 1, "title": "To\0ur\ud800" + "x" * 500}])

    assert order.email is None
    assert order.lines[0].title == "Tour" + "x" * 194


def test_a_cart_names_holds_in_its_lines_and_itself() -> None:
    cart = read_cart(
        {
            "id": "cart_1",
            "metadata": {"booking_hold_id": "h3"},
            "items": [
                {"id": "a", "metadata": {"booking_hold_id": "h1"}},
                {"id": "b", "metadata": {"booking_holds": [{"hold_id": "h2"}, "h1"]}},
                {"id": "c", "metadata": {"booking_hold_id": "gone"}, "deleted_at": "2026-11-21T03:55:31.699Z"},
            ],
        }
    )

    assert cart == CartFacts(source="medusa", id="cart_1", hold_ids=("h1", "h2", "h3"))


def test_a_thin_cart_event_is_looked_up() -> None:
    for data in ({"id": "cart_1"}, {"event_data": {"id": "cart_1"}}, {"cart": {"id": "cart_1"}}):
        assert read_event({"type": "cart.updated", "data": data}) == LookUp(source="medusa", kind="cart", id="cart_1")


def test_an_order_of_the_api_must_show_its_lines() -> None:
    assert read_order(placed()["data"]["order"]) == OrderFacts(source="medusa", id="order_1")
    with pytest.raises(UnreadableEvent, match=r"^order\.items: "):
        read_order({"id": "order_1"})
    with pytest.raises(UnreadableEvent, match=r"^cart\.items: "):
        read_cart({"id": "cart_1"})


def test_types_are_matched_whole() -> None:
    for event_type in (
        "order.order.updated",
        "Order.placed",
        "order.placed ",
        "cart.line-item.created",
        "order.edited",
    ):
        reading = read_event({"type": event_type, "data": {"id": "x"}})

        assert not is_known(event_type)
        assert isinstance(reading, Nothing)
        assert event_type in reading.reason
    assert all(is_known(kind) for kind in (*medusa.ORDER_TYPES, *medusa.CART_TYPES, *medusa.WITHOUT_EFFECT))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (None, "the event"),
        ({}, "type"),
        ({"type": 7}, "type"),
        ({"type": "order.placed"}, "data"),
        ({"type": "order.placed", "data": []}, "data"),
        ({"type": "order.placed", "data": {}}, "data.id"),
        ({"type": "order.placed", "data": {"id": 7}}, "data.id"),
        ({"type": "order.placed", "data": {"order": "order_1"}}, "data.order"),
        ({"type": "order.placed", "data": {"order": {"items": []}}}, "data.order.id"),
        (placed(items=[{"id": "a", "quantity": [2]}]), "data.order.items.0.quantity"),
        (placed(items=[{"id": "a", "quantity": 1}, {"id": "a", "quantity": 1}]), "data.order.items.1.id"),
        ({"type": "order.canceled", "data": {"id": "order_1", "items": [7]}}, "data.items.0"),
        ({"type": "cart.updated", "data": {"cart": {"id": "cart_1", "items": 7}}}, "data.cart.items"),
    ],
)
def test_what_cannot_be_read_is_named(document: object, named: str) -> None:
    with pytest.raises(UnreadableEvent) as caught:
        read_event(document)

    assert caught.value.message.partition(": ")[0] == named


@pytest.mark.parametrize(
    ("document", "order_id"),
    [
        ({"type": "order.placed", "data": {"id": "order_1"}}, "order_1"),
        ({"type": "payment.captured", "data": {"id": "pay_1"}}, None),
        ({"type": "cart.updated", "data": {"id": "cart_1"}}, None),
        ({"type": "reservation-item.created", "data": {"event_data": {"id": "r", "order_id": "order_1"}}}, "order_1"),
        ({"type": "order.placed", "data": {"order": {"id": 7}, "id": "order_1"}}, "order_1"),
        ({"type": "order.placed", "data": {"id": "order\0"}}, None),
        ({"type": [], "data": {"id": "order_1"}}, None),
        (7, None),
    ],
)
def test_an_event_is_filed_under_the_order_it_names(document: object, order_id: str | None) -> None:
    assert order_id_of(document) == order_id
