"""What an appointment costs now, what it costs to cancel, and what of that is paid back. Money in, money out."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

# Decimals of the currencies that have not two (ISO 4217).
_DECIMALS = {
    **dict.fromkeys(
        "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf".split(),  # noqa: SIM905 - reads like the standard
        0,
    ),
    **dict.fromkeys("bhd iqd jod kwd lyd omr tnd".split(), 3),  # noqa: SIM905 - as above
}


def rounded(amount: Decimal, currency_code: str) -> Decimal:
    """`amount` to the currency's smallest unit, half up."""
    unit = Decimal(1).scaleb(-_DECIMALS.get(currency_code.lower(), 2))
    return amount.quantize(unit, ROUND_HALF_UP)


def deposit_of(price: Decimal, currency_code: str, deposit_type: str, deposit_value: Decimal | None) -> Decimal | None:
    """What is to be paid beforehand; None where nothing is."""
    if deposit_type == "none" or deposit_value is None:
        return None
    amount = deposit_value if deposit_type == "fixed" else price * deposit_value / 100
    return rounded(min(amount, price), currency_code)


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
    return rounded(paid * late_percent / 100 if is_late else paid, currency_code)
