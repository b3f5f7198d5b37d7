"""What happened here, for whoever subscribed: written in the transaction that did it, delivered by workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from bridge import db, outbox, sql
from bridge.db import Connection
from bridge.errors import UnreadableEvent
from bridge.ids import new_id

queries = sql.load("announcements")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Something that happened, as it was announced."""

    n: int
    key: str
    type: str
    data: dict[str, Any]
    at: datetime


# How an announcement is written for those who hear it. Raises UnreadableEvent where its data are not what they should.
Write = Callable[[Announcement], bytes]


def announce(
    conn: Connection,
    type: str,  # noqa: A002 - the field's word, on the wire and in the table
    data: dict[str, Any],
    *,
    key: str,
) -> None:
    """Tell everybody who subscribed to `type`, once for each `key`; exactly if `conn` commits.

    One cheap statement, which writes nothing when nobody wants to hear of it. `data` has the fields of the schema of
    `type` in schemas/announcements.py, and may have others; dates, instants (with a zone) and Decimal may stand in it.
    `key` names this change and no other, so that doing it again announces nothing:

        announcements.announce(conn, "booking.confirmed", asdict(booking), key=f"{booking.id}:confirmed")
        announcements.announce(conn, "booking.changed", asdict(booking), key=f"{booking.id}:changed:{modification_id}")

    Holds, allocations and depleted slots are announced by the database itself (bridge/migrations/0008_webhooks.sql):
    whoever changes them need not think of it.
    """
    conn.execute(queries.announce, {"type": type, "data": Jsonb(data, dumps=_dumps), "key": key})


def are_there_any(conn: Connection) -> bool:
    """Whether anything was announced that `fan_out` has not seen to."""
    found: bool = db.one(conn.execute(queries.any_announcement))["found"]
    return found


def fan_out(conn: Connection, *, write: Write, limit: int) -> int:
    """Make a delivery of each of the oldest `limit` announcements for everybody who wants it; how many there were.

    What cannot be written is a failed delivery: people see it, and the others go out.
    """
    rows = conn.execute(queries.take_announcements, {"limit": limit}).fetchall()
    taken = {row["n"]: Announcement(**row) for row in sorted(rows, key=lambda row: row["n"])}
    told = {
        "ns": list(taken),
        "types": [each.type for each in taken.values()],
        "ats": [each.at for each in taken.values()],
    }
    listeners = conn.execute(queries.list_listeners, told).fetchall() if taken else []
    if listeners:
        _insert(conn, [(taken[row["n"]], row["webhook_id"]) for row in listeners], write)
    return len(taken)


def _insert(conn: Connection, pairs: Sequence[tuple[Announcement, str]], write: Write) -> None:
    written = {said.n: _try(write, said) for said, _webhook_id in pairs}
    conn.execute(
        queries.insert_deliveries,
        {
            "source": outbox.SOURCE,
            "queue": outbox.WEBHOOKS,
            "ids": [new_id("evt") for _ in pairs],
            "keys": [f"{said.key}:{webhook_id}" for said, webhook_id in pairs],
            "types": [said.type for said, _webhook_id in pairs],
            "webhook_ids": [webhook_id for _said, webhook_id in pairs],
            "raws": [written[said.n][0] for said, _webhook_id in pairs],
            "errors": [written[said.n][1] for said, _webhook_id in pairs],
            "error_code": UnreadableEvent.code,
        },
    )


def _try(write: Write, said: Announcement) -> tuple[bytes, str | None]:
    try:
        return write(said), None
    except UnreadableEvent as error:
        return orjson.dumps({"type": said.type, "timestamp": said.at, "data": said.data}), error.message


def _dumps(data: Any) -> bytes:
    return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))  # As the number it is, not the binary fraction nearest to it.
    raise TypeError(f"{value!r} cannot be announced")
