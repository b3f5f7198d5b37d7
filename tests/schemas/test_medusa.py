"""What the schemas take and refuse; what it means is tested with the platform."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.medusa import CartSchema, DataSchema, EnvelopeSchema, OrderSchema


def order(**fields: Any) -> dict[str, Any]:
    return {"id": "order_1", "items": [{"id": "item_1", "quantity": 2}]} | fields


def line(**fields: Any) -> dict[str, Any]:
    return order(items=[{"id": "item_1", "quantity": 2} | fields])


def test_the_least_that_can_be_read() -> None:
    assert OrderSchema().load(order()) == order()
    assert CartSchema().load({"id": "cart_1"}) == {"id": "cart_1"}
    assert EnvelopeSchema().load({"type": "order.placed"}) == {"type": "order.placed"}
    assert DataSchema().load({"id": "order_1"}) == {"id": "order_1"}


def test_what_is_not_needed_is_left_out() -> None:
    loaded = OrderSchema().load(order(display_id=7, fulfillments=[{"id": "ful_1"}]))

    assert loaded == order()


@pytest.mark.parametrize("quantity", [2, 2.0, "2", "2.00", "2e0"])
def test_a_quantity_may_come_as_any_kind_of_whole_number(quantity: object) -> None:
    (item,) = OrderSchema().load(line(quantity=quantity))["items"]

    assert item["quantity"] == 2
    assert type(item["quantity"]) is int


@pytest.mark.parametrize(
    "quantity",
    [
        [2],
        {"value": "2"},
        None,
        True,
        "two",
        "",
        1.5,
        "1.5",
        float("nan"),
        float("inf"),
        "NaN",
        "sNaN",
        10**10,
        "1e99999999",
    ],
)
def test_a_quantity_that_is_none_is_refused(quantity: object) -> None:
    with pytest.raises(ValidationError) as caught:
        OrderSchema().load(line(quantity=quantity))

    assert list(caught.value.messages["items"][0]) == ["quantity"]


@pytest.mark.parametrize("bad_id", [None, 7, [], {}, "", "x" * 201, "order\0", "\ud800"])
def test_an_id_that_is_none_is_refused(bad_id: object) -> None:
    for schema, document in ((OrderSchema(), order(id=bad_id)), (OrderSchema(), line(id=bad_id))):
        with pytest.raises(ValidationError):
            schema.load(document)
    with pytest.raises(ValidationError):
        CartSchema().load({"id": bad_id})


def test_a_line_without_a_quantity_is_refused() -> None:
    with pytest.raises(ValidationError):
        OrderSchema().load(order(items=[{"id": "item_1"}]))


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "1.5"},
        {"updated_at": "yesterday"},
        {"updated_at": 1795233348},
        {"updated_at": "2026-11-21T03:55:48"},  # No zone.
        {"updated_at": "0001-01-01T00:00:00+14:00"},  # Before the calendar, as UTC.
        {"canceled_at": {}},
        {"status": 7},
        {"items": {}},
        {"items": [None]},
    ],
)
def test_a_type_that_matters_is_not_guessed(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        OrderSchema().load(order(**fields))

    assert list(caught.value.messages) == list(fields)


def test_times_are_utc_and_prices_exact() -> None:
    loaded = OrderSchema().load(line(unit_price=19.99) | {"updated_at": "2026-11-21T13:55:48.610+10:00"})

    assert loaded["updated_at"] == datetime(2026, 11, 21, 3, 55, 48, 610000, UTC)
    assert loaded["updated_at"].tzinfo is UTC
    assert loaded["items"][0]["unit_price"] == Decimal("19.99")


def test_metadata_never_makes_an_order_unreadable() -> None:
    for metadata in (None, 7, "text", [1], {"a": {"b": []}}):
        assert OrderSchema().load(order(metadata=metadata))["metadata"] == metadata
        assert OrderSchema().load(line(metadata=metadata))["items"][0]["metadata"] == metadata
