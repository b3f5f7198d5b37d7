"""The terms of booking a tour: what the settings say of prices, sizes, windows and holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bridge.config import Config
from bridge.core.slots import Window
from bridge.rules.pricing import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms a tour is booked."""

    currency_code: str
    rates: Rates
    window: Window
    min_size: int
    max_size: int
    reference_prefix: str
    hold: timedelta  # How long seats are held for a booking that is not confirmed, and
    hard_hold: timedelta  # at most, however often that is extended.


def terms_of(config: Config) -> Terms:
    """The terms that the settings say."""
    return Terms(
        currency_code=config.default_currency.lower(),
        rates=Rates(child_discount=config.default_child_discount, tax=config.tax_rate),
        window=Window(
            cutoff=timedelta(hours=float(config.booking_cutoff_hours)), advance_days=config.booking_advance_days
        ),
        min_size=config.min_booking_size,
        max_size=config.max_booking_size,
        reference_prefix=config.booking_reference_prefix,
        hold=timedelta(minutes=float(config.hold_minutes)),
        hard_hold=timedelta(minutes=float(config.hold_max_minutes)),
    )


# An order may come without a booking of ours, and then one is made for it. What reads orders knows of no settings, so
# each process is told once, as it is told of its database.
_kept = terms_of(Config())


def configure(config: Config) -> None:
    """Say under which terms this process books what orders have sold."""
    global _kept  # noqa: PLW0603  # see above
    _kept = terms_of(config)


def kept_terms() -> Terms:
    """The terms this process was told."""
    return _kept
