"""What Medusa 2.21 really sent, event by event, and that no damage to it can do more than make it unreadable."""

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
from bridge.platforms.medusa import order_id_of, read_event
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
KEYS = [
    "id",
    "order_id",
    "event_data",
    "order",
    "cart",
    "items",
    "quantity",
    "metadata",
    "detail",
    "status",
    "version",
    "updated_at",
    "canceled_at",
    "email",
    "title",
    "unit_price",
    "deleted_at",
    "completed_at",
    "is_draft_order",
    "return_received_quantity",
    "payment",
    "booking_hold_id",
    "booking_holds",
    "booking_dates",
    "date",
    "start_date",
    "end_date",
    "start_at",
    "slot_id",
    "resource_id",
    "booking_number",
]
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


@given(st.sampled_from(sorted(medusa.ORDER_TYPES | medusa.CART_TYPES)), st.data())
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
