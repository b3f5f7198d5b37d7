"""Money: how fine a currency is, and how an amount is rounded to it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

# ISO 4217's minor units where they are not two digits. Currencies that are not in use any more are left out.
_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_BY_CODE = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
_USUAL_DIGITS = 2


def minor_digits(currency: str) -> int:
    """How many decimals the currency is paid in: 2 of most, 0 of yen, 3 of Bahraini dinar."""
    return _BY_CODE.get(currency.upper(), _USUAL_DIGITS)


def round_money(amount: Decimal, currency: str) -> Decimal:
    """`amount` in whole minor units of the currency, halves up (away from zero)."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding=ROUND_HALF_UP)
