"""What cancelling costs: how late it is, and what the policy says of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bridge.rules.money import round_money

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Step:
    """Cancelled less than `hours_before` it begins, `percent` of the price is kept."""

    hours_before: Decimal
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Policy:
    """Until when customers may cancel, and what it costs them. Without steps it is free; staff always may."""

    deadline_hours: Decimal = Decimal(0)
    steps: tuple[Step, ...] = ()


FREE = Policy()


def read_policy(plain: Mapping[str, Any] | None) -> Policy:
    """The policy that is written as {deadline_hours, fees: [{hours_before, percent}]}; none is free."""
    if not plain:
        return FREE
    fees = tuple(
        Step(Decimal(str(step["hours_before"])), Decimal(str(step["percent"]))) for step in plain.get("fees") or ()
    )
    return Policy(Decimal(str(plain.get("deadline_hours") or 0)), fees)


def is_too_late(policy: Policy, *, starts_at: datetime, now: datetime) -> bool:
    """Whether the customer's deadline has passed."""
    return starts_at - now < timedelta(hours=float(policy.deadline_hours))


def refund_of(policy: Policy, *, total: Decimal, currency: str, starts_at: datetime, now: datetime) -> Decimal:
    """What is paid back of `total`: all of it, less the highest fee among the steps that apply by now."""
    left = starts_at - now
    percents = [step.percent for step in policy.steps if left < timedelta(hours=float(step.hours_before))]
    fee = round_money(total * max(percents, default=Decimal(0)) / _HUNDRED, currency)
    return max(total - fee, Decimal(0))
