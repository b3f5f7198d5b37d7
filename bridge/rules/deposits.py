"""What an appointment costs now, what it costs to cancel, and what of that is paid back. Money in, money out."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from bridge.rules.money import round_money


def deposit_of(price: Decimal, currency_code: str, deposit_type: str, deposit_value: Decimal | None) -> Decimal | None:
    """What is to be paid beforehand; None where nothing is."""
    if deposit_type == "none" or deposit_value is None:
        return None
    amount = deposit_value if deposit_type == "fixed" else price * deposit_value / 100
    return round_money(min(amount, price), currency_code)


def refund_of(
    paid: Decimal | None,
    currency_code: str,
    *,
    start_at: datetime,
    now: datetime,
    free_minutes: int,
    late_percent: Decimal,
) -> Decimal:
    """What of `paid` is paid back when the customer cancels at `now`: all of it in time, a part of it late."""
    if not paid:
        return Decimal(0)
    is_late = now > start_at - timedelta(minutes=free_minutes)
    return round_money(paid * late_percent / 100 if is_late else paid, currency_code)
