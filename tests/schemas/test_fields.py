"""Amounts of money and times of day: what is taken, and what is not."""

from __future__ import annotations

from datetime import time
from decimal import Decimal

import pytest
from marshmallow import ValidationError

from schemas.fields import LocalTime, Money


@pytest.mark.parametrize(("given", "amount"), [(75, "75"), (75.5, "75.5"), (0.1, "0.1"), (19.999, "19.999"), (0, "0")])
def test_an_amount_is_the_decimal_that_was_written(given, amount):
    assert Money().deserialize(given) == Decimal(amount)


@pytest.mark.parametrize("given", [True, "75", None, [], -1, 1e12, 0.0001, float("nan"), float("inf")])
def test_what_is_no_amount_is_refused(given):
    with pytest.raises(ValidationError):
        Money().deserialize(given)


def test_an_amount_is_shown_as_it_is():
    assert Money().serialize("price", {"price": Decimal("192.50")}) == 192.5


@pytest.mark.parametrize(("given", "read"), [("09:00", time(9)), ("09:00:00", time(9)), ("23:59:59", time(23, 59, 59))])
def test_a_time_of_day_is_read_in_both_forms(given, read):
    assert LocalTime().deserialize(given) == read


@pytest.mark.parametrize("given", ["9:00", "24:00", "09:60", "09", "0900", "09:00Z", "09:00:00.5", 900, None, True])
def test_what_is_no_time_of_day_is_refused(given):
    with pytest.raises(ValidationError):
        LocalTime().deserialize(given)
