"""A short way through a schema, for the bodies and queries that nearly every request has.

marshmallow asks of each field of each request what could be known before the first: 190 of the 1,100 calls that placing
a hold over HTTP took. Here each field is asked once whether what came is plainly what it should be; whatever is not, or
not plainly, goes to marshmallow, which alone refuses and says why. So this takes no decision: a test holds it to
answering what marshmallow does, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from marshmallow import Schema, missing


@runtime_checkable
class QuickField(Protocol):
    """A field that knows what it usually gets."""

    def read_usual(self, value: Any) -> Any:
        """What `deserialize` would make of `value`; None when that takes a closer look."""


class QuickSchema(Schema):
    """A schema all of whose fields are quick ones."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._readers = [
            (name, field.read_usual, _default_of(field))
            for name, field in self.load_fields.items()
            if isinstance(field, QuickField)
        ]
        assert len(self._readers) == len(self.load_fields), "a field of this schema is not a quick one"

    def load(self, data: Any, **options: Any) -> Any:
        """As marshmallow has it."""
        loaded = None if options else self.load_usual(data)
        return super().load(data, **options) if loaded is None else loaded

    def load_usual(self, data: Any) -> dict[str, Any] | None:
        """What `load` answers to plain `data`; None when that takes a closer look."""
        if type(data) is not dict:
            return None
        loaded = {}
        found = 0
        for name, read_usual, default in self._readers:
            if name in data:
                found += 1
                value = read_usual(data[name])
                if value is None:
                    return None
                loaded[name] = value
            elif default is None:
                return None
            else:
                loaded[name] = default()
        # Of the fields there are, each was found that is in `data`: so what else is in it is unknown.
        return loaded if found == len(data) and self.is_usual(loaded) else None

    def is_usual(self, loaded: dict[str, Any]) -> bool:
        """Whether the fields plainly go together: what the schema's own `validates` methods ask."""
        return True


def all_usual(read_usual: Callable[[Any], Any], values: Iterable[Any]) -> list[Any] | None:
    """Each of `values` as read; None when one of them takes a closer look."""
    read = [read_usual(value) for value in values]
    return None if None in read else read


def _default_of(field: Any) -> Callable[[], Any] | None:
    if field.required or field.load_default is missing:
        return None
    return field.load_default if callable(field.load_default) else lambda: field.load_default
