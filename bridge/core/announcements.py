"""What happened here, for whoever subscribed: written in the transaction that did it, delivered by workers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from bridge.db import Connection


def announce(
    conn: Connection,
    type: str,  # noqa: A002 - the field's word, on the wire and in the table
    data: dict[str, Any],
    *,
    key: str,
) -> None:
    """Tell everybody who subscribed to `type`, once for each `key`; exactly if `conn` commits.

    One cheap statement, which writes nothing when nobody wants to hear of it. `data` is what the schema of `type` in
    schemas/announcements.py dumps; dates, instants (with a zone) and Decimal may stand in it. `key` names this change
    and no other, so that doing it again announces nothing:

        announcements.announce(conn, "booking.confirmed", asdict(booking), key=f"{booking.id}:confirmed")
        announcements.announce(conn, "booking.changed", asdict(booking), key=f"{booking.id}:changed:{modification_id}")

    Holds, allocations and depleted slots are announced by the database itself (bridge/migrations/0008_webhooks.sql):
    whoever changes them need not think of it.
    """
    conn.execute("SELECT announce(%s, %s, %s)", [type, Jsonb(data, dumps=_dumps), key])


def _dumps(data: Any) -> bytes:
    return orjson.dumps(data, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))  # As the number it is, not the binary fraction nearest to it.
    raise TypeError(f"{value!r} cannot be announced")
