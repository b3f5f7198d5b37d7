"""Links that let a guest manage one booking: signed, so that nobody can make one, and good for a limited time."""

from __future__ import annotations

from itsdangerous import BadData, URLSafeTimedSerializer

from bridge.config import Config
from bridge.errors import LinkInvalid

# Longer than anything is booked ahead, so that a link in a mail works until the day.
_GOOD_FOR_DAYS = 400


def sign(config: Config, kind: str, id: str) -> str:  # noqa: A002 - the field's word
    """The token for the thing `id` of a kind: "booking", "appointment", …"""
    return str(_serializer(config).dumps([kind, id]))


def read(config: Config, token: str) -> tuple[str, str]:
    """(kind, id) of a token that `sign` made. Raises LinkInvalid."""
    try:
        kind, thing_id = _serializer(config).loads(token, max_age=_GOOD_FOR_DAYS * 24 * 3600)
    except (BadData, ValueError, TypeError) as error:
        raise LinkInvalid from error
    return str(kind), str(thing_id)


def manage_url(config: Config, kind: str, id: str) -> str:  # noqa: A002 - as above
    """The address of the guest's page for it."""
    return f"{config.base_url}/manage/{sign(config, kind, id)}"


def _serializer(config: Config) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(config.secret_key, salt="manage")
