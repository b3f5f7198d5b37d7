"""Money: how fine a currency is, and how an amount is rounded to it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

# ISO 4217's minor units where they are not two digits. Currencies that are not in use any more are left out.
_NO_DIGITS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
_THREE_DIGITS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_FOUR_DIGITS = frozenset(["CLF", "UYW"])


def minor_digits(currency: str) -> int:
    """How many decimals the currency is paid in: 2 of most, 0 of yen, 3 of Bahraini dinar."""
    code = currency.upper()
    if code in _NO_DIGITS:
        return 0
    if code in _THREE_DIGITS:
        return 3
    return 4 if code in _FOUR_DIGITS else 2


def round_money(amount: Decimal, currency: str) -> Decimal:
    """`amount` in whole minor units of the currency, halves up (away from zero)."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding=ROUND_HALF_UP)
