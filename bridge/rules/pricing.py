"""What a party pays for a departure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bridge.rules.money import round_money


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who comes along."""

    adults: int
    children: int = 0
    infants: int = 0

    @property
    def people(self) -> int:
        """Everybody."""
        return self.adults + self.children + self.infants

    def seats(self, *, infants_take_seats: bool) -> int:
        """How many seats they need: an infant sits on a lap unless the tour says otherwise."""
        return self.adults + self.children + (self.infants if infants_take_seats else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What the settings say: what children pay less (0.30 is 30 %), and the tax on all of it."""

    child_discount: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price in every part: subtotal - discount_amount + tax_amount is total_amount."""

    currency_code: str
    price_per_adult: Decimal
    price_per_child: Decimal
    price_per_infant: Decimal
    subtotal: Decimal
    discount_amount: Decimal
    tax_rate: Decimal
    tax_amount: Decimal
    total_amount: Decimal


def price_party(party: Party, *, per_person: Decimal, currency: str, rates: Rates) -> Price:
    """What the party pays: adults in full, children less, infants nothing; each head rounded, tax once on the sum."""
    adult = round_money(per_person, currency)
    child = round_money(per_person * (1 - rates.child_discount), currency)
    return price_heads(party, adult=adult, child=child, currency=currency, tax_rate=rates.tax)


def price_heads(party: Party, *, adult: Decimal, child: Decimal, currency: str, tax_rate: Decimal) -> Price:
    """What the party pays where the heads' prices are fixed already."""
    free = round_money(Decimal(0), currency)
    subtotal = party.adults * adult + party.children * child
    tax = round_money(subtotal * tax_rate, currency)
    return Price(
        currency_code=currency,
        price_per_adult=adult,
        price_per_child=child,
        price_per_infant=free,
        subtotal=subtotal,
        discount_amount=free,
        tax_rate=tax_rate,
        tax_amount=tax,
        total_amount=subtotal + tax,
    )


def price_paid(party: Party, *, per_person: Decimal, paid: Decimal, currency: str) -> Price:
    """What a party paid elsewhere, told beside the heads' full prices: less is a discount, more is tax."""
    head = round_money(per_person, currency)
    total = round_money(paid, currency)
    subtotal = (party.adults + party.children) * head
    free = round_money(Decimal(0), currency)
    return Price(
        currency_code=currency,
        price_per_adult=head,
        price_per_child=head,
        price_per_infant=free,
        subtotal=subtotal,
        discount_amount=max(free, subtotal - total),
        tax_rate=Decimal(0),
        tax_amount=max(free, total - subtotal),
        total_amount=total,
    )
