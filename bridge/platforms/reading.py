"""How any platform's JSON is read: by a schema that names what is wrong, or by a look that never raises."""

from __future__ import annotations

from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError

from bridge.errors import UnreadableEvent
from schemas.medusa import MAX_ID_LENGTH, is_storable

MAX_EMAIL_LENGTH = 320  # RFC 3696, erratum 1690.


def load(schema: type[Schema], value: object, where: str) -> dict[str, Any]:
    """`value`, which stands at `where`, as the schema reads it. Raises UnreadableEvent, which names the field."""
    try:
        loaded: dict[str, Any] = _made(schema).load(value)  # type: ignore[arg-type]  # What it is is what load() finds out.
    except ValidationError as error:
        raise UnreadableEvent(_first_problem(error.messages, where)) from error
    return loaded


@cache
def _made(schema: type[Schema]) -> Schema:
    # To make one copies all of its fields: a millisecond for those of an order.
    return schema()


def dig(document: Any, *keys: str) -> Any:
    """What stands under `keys`, one in the other; None where nothing does."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def is_id(value: object) -> bool:
    """Whether `value` can be kept as an id."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and is_storable(value)


def usable_email(value: str | None) -> str | None:
    """An address that can be kept, or None."""
    is_usable = value and len(value) <= MAX_EMAIL_LENGTH and is_storable(value)
    return value if is_usable else None


def _first_problem(messages: Any, where: str) -> str:
    path = [where] if where else []
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        # marshmallow files what is wrong with an object as a whole under this name.
        path += [] if key == "_schema" else [str(key)]
    return f"{'.'.join(path) or 'the event'}: {' '.join(map(str, messages))}"
