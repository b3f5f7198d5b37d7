"""What a party pays."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.money import minor_digits, round_money
from bridge.rules.pricing import Party, Rates, price_heads, price_paid, price_party

USUAL = Rates(child_discount=Decimal("0.30"), tax=Decimal("0.10"))
PARTIES = st.builds(Party, adults=st.integers(1, 60), children=st.integers(0, 60), infants=st.integers(0, 20))
PRICES = st.decimals(0, 100_000, places=3)
CURRENCIES = st.sampled_from(["aud", "JPY", "bhd", "usd", "CLF"])


@pytest.mark.parametrize(("currency", "digits"), [("aud", 2), ("JPY", 0), ("bhd", 3), ("CLF", 4), ("xyz", 2)])
def test_a_currency_has_its_minor_units(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.125", "aud", "0.13"),
        ("0.124", "aud", "0.12"),
        ("0.5", "jpy", "1"),
        ("-0.125", "aud", "-0.13"),
        ("1.0005", "bhd", "1.001"),
    ],
)
def test_halves_go_up(amount: str, currency: str, rounded: str) -> None:
    assert str(round_money(Decimal(amount), currency)) == rounded


@pytest.mark.parametrize(
    ("currency", "per_person", "child", "tax", "total"),
    [
        ("aud", "75", "52.50", "20.25", "222.75"),
        ("aud", "33.33", "23.33", "9.00", "98.99"),
        ("jpy", "7777", "5444", "2100", "23098"),
        ("bhd", "10.555", "7.389", "2.850", "31.349"),
    ],
)
def test_each_head_is_rounded_and_tax_once(currency: str, per_person: str, child: str, tax: str, total: str) -> None:
    price = price_party(
        Party(adults=2, children=1, infants=1), per_person=Decimal(per_person), currency=currency, rates=USUAL
    )

    assert (str(price.price_per_child), str(price.tax_amount), str(price.total_amount)) == (child, tax, total)


@given(party=PARTIES, per_person=PRICES, currency=CURRENCIES)
def test_the_parts_add_up_in_whole_minor_units(party: Party, per_person: Decimal, currency: str) -> None:
    price = price_party(party, per_person=per_person, currency=currency, rates=USUAL)

    assert price.subtotal == party.adults * price.price_per_adult + party.children * price.price_per_child
    assert price.subtotal - price.discount_amount + price.tax_amount == price.total_amount
    for amount in (price.price_per_adult, price.price_per_child, price.tax_amount, price.total_amount):
        assert amount == round_money(amount, currency)
    # No head, nor the tax, is more than half a minor unit away from what it would be unrounded.
    unit = Decimal(1).scaleb(-minor_digits(currency))
    exact = per_person * (party.adults + party.children * Decimal("0.7")) * Decimal("1.1")
    assert abs(price.total_amount - exact) <= unit * (party.adults + party.children + 1)


@given(party=PARTIES, per_person=PRICES, currency=CURRENCIES)
def test_infants_come_free_and_nobody_pays_more_for_a_smaller_party(
    party: Party, per_person: Decimal, currency: str
) -> None:
    price = price_party(party, per_person=per_person, currency=currency, rates=USUAL)
    alone = price_party(Party(adults=party.adults), per_person=per_person, currency=currency, rates=USUAL)
    without = price_party(
        Party(adults=party.adults, children=party.children), per_person=per_person, currency=currency, rates=USUAL
    )

    assert without.total_amount == price.total_amount
    assert alone.total_amount <= price.total_amount


@given(party=PARTIES, per_person=PRICES, currency=CURRENCIES)
def test_heads_priced_before_cost_what_they_cost_then(party: Party, per_person: Decimal, currency: str) -> None:
    booked = price_party(party, per_person=per_person, currency=currency, rates=USUAL)

    again = price_heads(
        party, adult=booked.price_per_adult, child=booked.price_per_child, currency=currency, tax_rate=USUAL.tax
    )

    assert again == booked


@given(party=PARTIES, per_person=PRICES, paid=PRICES, currency=CURRENCIES)
def test_what_was_paid_elsewhere_is_the_total(party: Party, per_person: Decimal, paid: Decimal, currency: str) -> None:
    price = price_paid(party, per_person=per_person, paid=paid, currency=currency)

    assert price.total_amount == round_money(paid, currency)
    assert price.subtotal - price.discount_amount + price.tax_amount == price.total_amount
    assert 0 in {price.discount_amount, price.tax_amount}


@given(party=PARTIES)
def test_an_infant_takes_a_seat_only_where_the_tour_says_so(party: Party) -> None:
    assert party.seats(infants_take_seats=False) == party.people - party.infants
    assert party.seats(infants_take_seats=True) == party.people
