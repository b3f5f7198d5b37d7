"""The fields every schema is made of, with the bounds that keep absurd input out."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
from marshmallow import ValidationError, fields
from marshmallow.validate import Length, Range

from schemas.quick import all_usual

# Dates a booking may have anything to do with; PostgreSQL and Python both hold them without trouble.
_FIRST_DAY = date(2000, 1, 1)
_LAST_DAY = date(2199, 12, 31)
MAX_QUANTITY = 1_000_000  # Far above any party, far below what a counter overflows at.
_METADATA_BYTES = 16 * 1024
_METADATA_DEPTH = 20
_MOST_MONEY = 1_000_000_000  # Far above any price in any currency, far below what numeric columns hold.
_MONEY_DECIMALS = 3  # As many as any currency has.
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_LONGEST_EMAIL = 254
_LOGGED = {"start_at", "starts_at"}  # The instants among what logs keep.
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")  # No more than 64 bits, which is also what JSON is read with.

# What nearly everybody sends: part of what is valid, so that whatever else comes takes the long way.
_PLAIN_EMAIL = re.compile(
    r"[a-zA-Z0-9_+-]+(\.[a-zA-Z0-9_+-]+)*@([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.){1,3}[a-zA-Z]{2,6}"
)
_PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAIN_NUMBER = re.compile(r"[0-9]{1,7}")
_PLAIN = frozenset({str, int, bool, type(None)})


def show_instant(instant: datetime) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Text(fields.String):
    """A string of 1 to `longest` characters."""

    def __init__(self, *, longest: int = 200, shortest: int = 1, **kwargs: Any) -> None:
        super().__init__(validate=Length(min=shortest, max=longest), **kwargs)
        self._lengths = range(shortest, longest + 1)

    def read_usual(self, value: Any) -> str | None:
        """See schemas/quick.py."""
        return value if type(value) is str and len(value) in self._lengths else None


class Email(fields.Email):
    """An e-mail address, in lower case: no mailbox anybody uses tells the two apart."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Length(max=_LONGEST_EMAIL), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.lower()

    def read_usual(self, value: Any) -> str | None:
        """See schemas/quick.py."""
        plain = type(value) is str and len(value) <= _LONGEST_EMAIL and _PLAIN_EMAIL.fullmatch(value)
        return value.lower() if plain else None


class Day(fields.Date):
    """A local date, YYYY-MM-DD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Range(min=_FIRST_DAY, max=_LAST_DAY), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        # The ISO parser takes week dates and basic forms too; the contract has one form.
        if not isinstance(value, str) or len(value) != len("YYYY-MM-DD") or value[4] != "-" or value[7] != "-":
            raise ValidationError("Not a date of the form YYYY-MM-DD.")
        parsed: date = super()._deserialize(value, attr, data, **kwargs)
        return parsed

    def read_usual(self, value: Any) -> date | None:
        """See schemas/quick.py."""
        if type(value) is not str or not _PLAIN_DAY.fullmatch(value):
            return None
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return None
        return day if _FIRST_DAY <= day <= _LAST_DAY else None


class DayList(fields.List[date]):
    """`least` to `most` days."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(Day(), validate=Length(min=least, max=most), **kwargs)
        self._lengths = range(least, most + 1)

    def read_usual(self, value: Any) -> list[date] | None:
        """See schemas/quick.py."""
        if type(value) is not list or len(value) not in self._lengths:
            return None
        return all_usual(self.inner.read_usual, value)  # type: ignore[attr-defined]  # a Day, as made above


class Instant(fields.AwareDateTime):
    """An instant, RFC 3339. Shown in UTC with a Z."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if not isinstance(value, datetime):
            return None
        return show_instant(value)


class Logged(fields.Dict):
    """Values as a log has kept them. Its instants are the database's own text, and are shown as everywhere else."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        instants = {name: show_instant(datetime.fromisoformat(value[name])) for name in _LOGGED & value.keys()}
        return {**value, **instants}


class Count(fields.Integer):
    """A whole number from `least` up."""

    def __init__(self, *, least: int = 0, most: int = MAX_QUANTITY, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=Range(min=least, max=most), **kwargs)
        self._values = range(least, most + 1)

    def read_usual(self, value: Any) -> int | None:
        """See schemas/quick.py."""
        if type(value) is str and _PLAIN_NUMBER.fullmatch(value):
            value = int(value)
        return value if type(value) is int and value in self._values else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool):  # True is an int to Python, and not to the contract.
            raise self.make_error("invalid", input=value)
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):  # A query has nothing but text.
            value = int(value)
        number: int = super()._deserialize(value, attr, data, **kwargs)
        return number


class BodyCount(Count):
    """A whole number in a JSON body, where "3" is not 3."""

    def read_usual(self, value: Any) -> int | None:
        """See schemas/quick.py."""
        return super().read_usual(value) if type(value) is int else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class BodyFlag(fields.Boolean):
    """true or false in a JSON body, where "yes" and 1 are neither."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Money(fields.Field[Decimal]):
    """An amount of money: a JSON number, a Decimal inside. Never below 0, and no finer than a thousandth."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("Not a number.")
        # By way of text: the decimal that was written, not the binary fraction nearest to it.
        amount = Decimal(str(value))
        if not amount.is_finite() or not 0 <= amount <= _MOST_MONEY:
            raise ValidationError(f"Must be between 0 and {_MOST_MONEY}.")
        if amount != round(amount, _MONEY_DECIMALS):
            raise ValidationError(f"At most {_MONEY_DECIMALS} decimals.")
        return amount

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        # A float is written as the shortest decimal that reads back as itself, which is the amount.
        return None if value is None else float(value)


class LocalTime(fields.Time):
    """A wall-clock time, HH:MM or HH:MM:SS. Shown as HH:MM:SS."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:
        if not isinstance(value, str) or not _CLOCK.fullmatch(value):
            raise ValidationError("Not a time of the form HH:MM or HH:MM:SS.")
        return time.fromisoformat(value)


class Metadata(fields.Dict):
    """Any JSON object of at most 16 KiB, kept as it came."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        content: dict[str, Any] = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]  # untyped in marshmallow
        # First of all: what is nested deeper than orjson writes is an error there.
        if _is_deeper(content, _METADATA_DEPTH):
            raise ValidationError("Nested too deeply.")
        if len(orjson.dumps(content)) > _METADATA_BYTES:
            raise ValidationError("Longer than 16 KiB.")
        return content

    def read_usual(self, value: Any) -> dict[str, Any] | None:
        """See schemas/quick.py."""
        if type(value) is not dict or not all(type(inner) in _PLAIN for inner in value.values()):
            return None
        return dict(value) if len(orjson.dumps(value)) <= _METADATA_BYTES else None


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists stand in one another more than `levels` deep. Level by level: no stack to overflow."""
    level = [value]
    for _ in range(levels):
        level = [inner for part in level for inner in _inside(part)]
    return any(isinstance(part, dict | list) for part in level)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
