"""What cancelling costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.cancellations import FREE, is_too_late, read_policy, refund_of

STARTS = datetime(2027, 5, 1, 9, tzinfo=UTC)
STEPS = {
    "deadline_hours": 2,
    "fees": [
        {"hours_before": 168, "percent": 10},
        {"hours_before": 48, "percent": 50},
        {"hours_before": 24, "percent": 100},
    ],
}


def refund(hours: float, total: str = "99.99", currency: str = "aud") -> Decimal:
    now = STARTS - timedelta(hours=hours)
    return refund_of(read_policy(STEPS), total=Decimal(total), currency=currency, starts_at=STARTS, now=now)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(168, "99.99"), (167.9, "89.99"), (48, "89.99"), (47.9, "49.99"), (24, "49.99"), (23, "0.00"), (-1, "0.00")],
)
def test_each_step_begins_just_below_its_hours(hours: float, expected: str) -> None:
    assert refund(hours) == Decimal(expected)


def test_fees_are_rounded_to_the_currency() -> None:
    assert refund(100, "12345", "jpy") == Decimal(11110)
    assert refund(100, "10.005", "bhd") == Decimal("9.004")


@pytest.mark.parametrize("plain", [None, {}, {"fees": []}])
def test_without_a_policy_it_is_free_until_it_begins(plain: dict[str, object] | None) -> None:
    policy = read_policy(plain)
    almost = STARTS - timedelta(seconds=1)

    assert policy == FREE
    assert refund_of(policy, total=Decimal(5), currency="aud", starts_at=STARTS, now=almost) == 5
    assert not is_too_late(policy, starts_at=STARTS, now=almost)
    assert is_too_late(policy, starts_at=STARTS, now=STARTS + timedelta(seconds=1))


def test_customers_have_a_deadline() -> None:
    policy = read_policy(STEPS)

    assert not is_too_late(policy, starts_at=STARTS, now=STARTS - timedelta(hours=2))
    assert is_too_late(policy, starts_at=STARTS, now=STARTS - timedelta(hours=1, minutes=59))


@given(
    total=st.decimals(0, 10_000, places=2),
    early=st.floats(0, 500),
    late=st.floats(0, 500),
)
def test_waiting_never_pays_and_nobody_gets_more_than_they_paid(total: Decimal, early: float, late: float) -> None:
    first, last = max(early, late), min(early, late)

    assert 0 <= refund(last, str(total)) <= refund(first, str(total)) <= total
