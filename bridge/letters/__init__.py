"""What the bridge writes to customers: subject, text and HTML of a letter, from the templates beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from bridge.rules.money import round_money

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter ready to be sent."""

    subject: str
    text: str
    html: str


def render(name: str, /, **context: Any) -> Letter:
    """The letter `name`, such as "bookings/confirmed": <name>.subject, <name>.txt and <name>.html.

    What the customer wrote is escaped in the HTML. A template that asks for what is not in `context` is an error.
    """
    subject, text, html = (_environment().get_template(f"{name}.{kind}").render(context) for kind in _KINDS)
    # A line break in a name would end the header.
    return Letter(" ".join(subject.split()), text.strip() + "\n", html)


_KINDS = ("subject", "txt", "html")


def show_money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency: 192.50 AUD."""
    return f"{round_money(amount or Decimal(0), currency)} {currency.upper()}"


def show_time(instant: datetime, time_zone: str) -> str:
    """An instant as people there read it: Friday 25 December 2026, 09:00 (Australia/Brisbane)."""
    local = instant.astimezone(ZoneInfo(time_zone))
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({time_zone})"


def show_day(day: date) -> str:
    """A date as people read it: Friday 25 December 2026."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def show_party(booking: Any) -> str:
    """Who travels, by `num_adults`, `num_children` and `num_infants`: 2 adults, 1 child."""
    kinds = [
        (booking.num_adults, "adult", "adults"),
        (booking.num_children, "child", "children"),
        (booking.num_infants, "infant", "infants"),
    ]
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in kinds if count)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": show_money, "time": show_time, "day": show_day, "party": show_party}
    return environment
