"""How Medusa's events, orders and carts are read. The fixtures are captures from Medusa 2.21."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UnreadableEvent
from bridge.platforms import medusa
from bridge.platforms.medusa import is_known, order_id_of, read_cart, read_event, read_order
from bridge.rules.orders import CartFacts, LookUp, Nothing, OrderFacts

FIXTURES = Path(__file__).parents[1] / "fixtures" / "medusa"

TOUR_AND_GUIDE = (2, 1)

# File → what kind of reading, then: version and the quantities wanted, line by line; or how many holds the cart names.
EXPECTED: dict[str, tuple[Any, ...]] = {
    "01-cart.created": ("cart", 0),
    "02-cart.updated-line1": ("cart", 1),
    "03-cart.updated-line2": ("cart", 2),
    "04-cart.updated-metadata": ("cart", 2),
    "05-cart.updated-email-address": ("cart", 2),
    "06-cart.updated-shipping": ("cart", 2),
    "07-order.placed": ("order", 1, TOUR_AND_GUIDE),
    "08-order.updated-metadata": ("order", 1, TOUR_AND_GUIDE),
    "09-order.updated-email": ("order", 1, TOUR_AND_GUIDE),
    "10-payment.captured-full": ("nothing",),
    "11-order.fulfillment_created": ("order", 2, TOUR_AND_GUIDE),
    "12-shipment.created": ("nothing",),
    "13-delivery.created": ("nothing",),
    "14-order.return_requested": ("order", 5, TOUR_AND_GUIDE),
    "15-order.return_received": ("order", 6, (2, 0)),
    "16-payment.refunded": ("nothing",),
    "17-order.completed": ("order", 6, (2, 0)),
    "18-order.archived": ("order", 6, (2, 0)),
    "19-order.canceled-uncaptured": ("cancelled", 2, (1, 2)),
    "20-order.canceled-captured": ("cancelled", 2, (1, 2)),
    "21-order-edit.requested": ("order", 1, (1, 2)),
    "22-order-edit.confirmed-item-removed": ("order", 2, (2,)),
    "23-order-edit.confirmed-qty-and-add": ("order", 3, (1, 1)),
    "24-order-edit.canceled": ("order", 3, (1, 1)),
    "25-payment.captured-partial": ("nothing",),
    "26-payment.refunded-partial": ("nothing",),
    "27-cart.updated-same-variant-other-metadata": ("cart", 2),
    "28-cart.updated-line-deleted": ("cart", 1),
    "29-reservation-item.created-before-order.placed": ("nothing",),
    "30-order.placed-managed": ("order", 1, (3,)),
    "31-order.canceled-managed": ("cancelled", 2, (3,)),
    "32-reservation-item.deleted": ("nothing",),
    "33-cart.customer_transferred": ("cart", 0),
    "34-cart.region_updated": ("cart", 0),
    "35-order.transfer_requested": ("order", 1, (1, 2)),
    "36-order.fulfillment_canceled": ("order", 3, (1, 2)),
    "37-order.claim_created": ("order", 7, (0, 2)),
    "38-order.exchange_created": ("order", 8, (0, 2, 1)),
    "39-order.placed-from-draft": ("order", 1, (1,)),
    "40-redis-retry-out-of-order-order.placed": ("order", 1, TOUR_AND_GUIDE),
    "41-redis-retry-out-of-order-order.canceled": ("cancelled", 2, TOUR_AND_GUIDE),
    "42-redis-retry-out-of-order-order.placed": ("cancelled", 2, TOUR_AND_GUIDE),
    "43-redis-retry-out-of-order-order.canceled": ("cancelled", 2, TOUR_AND_GUIDE),
    "44-redis-retry-out-of-order-order.placed": ("cancelled", 2, TOUR_AND_GUIDE),
    "45-redis-duplicate-1-cart.updated": ("cart", 2),
    "46-redis-duplicate-2-cart.updated": ("completed cart", 2),
}


def body(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.loads((FIXTURES / f"{name}.json").read_text())["body"])
    return document


def placed(**order: Any) -> dict[str, Any]:
    return {"type": "order.placed", "data": {"order": {"id": "order_1", "items": []} | order}}


def read_placed(**order: Any) -> OrderFacts:
    facts = read_event(placed(**order))
    assert isinstance(facts, OrderFacts)
    return facts


def in_short(name: str) -> tuple[Any, ...]:
    match read_event(body(name)):
        case OrderFacts() as order:
            kind = "cancelled" if order.is_cancelled else "order"
            return kind, order.version, tuple(line.quantity for line in order.lines)
        case CartFacts() as cart:
            return "completed cart" if cart.is_completed else "cart", len(cart.hold_ids)
        case LookUp():
            return ("look up",)
        case Nothing() as nothing:
            assert nothing.reason
            return ("nothing",)


def test_every_capture_has_an_expectation() -> None:
    assert {path.stem for path in FIXTURES.glob("[0-9]*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_capture_is_read(name: str) -> None:
    assert in_short(name) == EXPECTED[name]


@pytest.mark.parametrize("name", [name for name in EXPECTED if "order" in name.partition(".")[0]])
def test_an_order_event_without_its_order_is_looked_up(name: str) -> None:
    document = body(name)
    order_id = document["data"].pop("order")["id"]

    assert read_event(document) == LookUp(
        source="medusa", kind="order", id=order_id, is_cancelled=document["type"] == "order.canceled"
    )
    assert order_id_of(document) == order_id


def test_all_that_an_order_says_is_read() -> None:
    order = read_event(body("07-order.placed"))

    assert isinstance(order, OrderFacts)
    assert (order.source, order.id) == ("medusa", "order_01M7Y3XEF7R127A276S23X994X")
    assert (order.is_placed, order.is_cancelled, order.version) == (True, False, 1)
    assert order.updated_at == datetime(2026, 11, 21, 3, 55, 31, 699000, UTC)
    assert (order.email, order.booking_number, order.hold_ids) == ("ada@example.test", "BK-A", ())
    tour = order.lines[0]
    assert (tour.id, tour.quantity, tour.title) == ("ordli_01M7Y3XEFB7VMBWSKY2W98DAEG", 2, "Harbour tour")
    assert (tour.hold_ids, tour.resource_id, tour.dates) == (("hold-A-0",), "res-tour-1", (date(2026, 12, 24),))
    assert (tour.unit_price, tour.complaint) == (Decimal(40), None)


def test_a_line_removed_by_an_edit_is_absent() -> None:
    before, after = (
        read_event(body("21-order-edit.requested")),
        read_event(body("22-order-edit.confirmed-item-removed")),
    )

    assert isinstance(before, OrderFacts)
    assert isinstance(after, OrderFacts)
    assert {line.hold_ids for line in before.lines} - {line.hold_ids for line in after.lines} == {("hold-D-1",)}


def test_a_late_placed_event_shows_the_order_cancelled() -> None:
    readings = [read_event(body(name)) for name in EXPECTED if name[:2] in {"40", "41", "42", "43", "44"}]

    assert [reading.is_cancelled for reading in readings if isinstance(reading, OrderFacts)] == [
        False,
        True,
        True,
        True,
        True,
    ]
    assert len({reading.id for reading in readings if isinstance(reading, OrderFacts)}) == 1


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


def test_a_payment_is_filed_under_its_order() -> None:
    assert order_id_of(body("16-payment.refunded")) == "order_01M7Y3XEF7R127A276S23X994X"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["canceled", "1", "2026-12-24"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = """id order_id event_data order cart items quantity metadata detail status version updated_at canceled_at email
    title unit_price deleted_at completed_at is_draft_order return_received_quantity payment booking_hold_id
    booking_holds booking_dates date start_date end_date start_at slot_id resource_id booking_number""".split()
likely_values = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)
types = st.sampled_from(sorted(medusa.ORDER_TYPES | medusa.CART_TYPES)) | json_values


def readable(document: object) -> None:
    order_id_of(document)
    try:
        reading = read_event(document)
    except UnreadableEvent as error:
        error.message.encode()
    else:
        repr(reading).encode()


@given(json_values)
def test_any_json_is_read_or_refused(document: object) -> None:
    readable(document)


@given(types, likely_values)
def test_any_event_is_read_or_refused(event_type: object, data: object) -> None:
    readable({"type": event_type, "data": data})


@given(st.sampled_from([*medusa.ORDER_TYPES, *medusa.CART_TYPES]), st.data())
def test_any_damage_to_a_real_event_is_read_or_refused(event_type: str, data: st.DataObject) -> None:
    document = body(data.draw(st.sampled_from(sorted(EXPECTED)))) | {"type": event_type}
    holder: Any = document["data"]
    while isinstance(holder, dict | list) and holder:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if data.draw(st.booleans()):
            holder[key] = data.draw(likely_values)
            break
        holder = holder[key]

    readable(document)
