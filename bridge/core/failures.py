"""What people see of events and queues, and what they can do about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import orjson
from psycopg.types.json import Jsonb

from bridge import sql
from bridge.core import actions, events
from bridge.db import Connection, one
from bridge.errors import EventNotFailed, EventNotFound, EventNotRetryable, InvalidData, QueueNotFound

COUNT_LIMIT = 10_000  # Counting millions would make people wait for a number nobody reads.
SEARCH_LIMIT = 50_000  # How many events a text is looked for in: less than a tenth of a second.
BULK_LIMIT = 10_000  # Events one call retries: a transaction of seconds. Call again for the rest.
TIMELINE_LIMIT = 1000
RETRYABLE = ("failed", "ignored", "discarded")
REPLAYABLE = (*RETRYABLE, "applied")  # Of deliveries: a receiver may have lost what it had.

_sql = sql.load("failures")


class EventFilter(TypedDict, total=False):
    """Which events are meant; what is absent or None does not matter."""

    status: str | None
    type: str | None
    order_id: str | None
    source: str | None
    webhook_id: str | None  # Deliveries to it.
    since: datetime | None  # Received then or later,
    until: datetime | None  # and before this.
    q: str | None  # An id, or words of its type, error or outcome.


def list_events(
    conn: Connection,
    *,
    status: str | None = None,
    type: str | None = None,  # noqa: A002 - the field's word, on the wire and in the table
    order_id: str | None = None,
    source: str | None = None,
    webhook_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    q: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[dict[str, Any]], int]:
    """A page of events without their bodies, the newest first, and how many there are in all.

    The count is exact up to COUNT_LIMIT and stops there. `q` is looked for in the newest SEARCH_LIMIT of the rest.
    """
    wanted = EventFilter(
        status=status,
        type=type,
        order_id=order_id,
        source=source,
        webhook_id=webhook_id,
        since=since,
        until=until,
        q=q,
    )
    rows = _find(conn, wanted, limit=limit, offset=offset)
    if len(rows) < limit and (rows or not offset):
        # The last page says itself how many there are; a text would be looked for all over again.
        return rows, min(offset + len(rows), COUNT_LIMIT)
    counted = _values(wanted) | {"limit": COUNT_LIMIT}
    return rows, one(conn.execute(_sql.count_events, counted, prepare=False))["count"]


def get_event(conn: Connection, event_id: str) -> dict[str, Any]:
    """An event with all there is to know of it. Raises EventNotFound.

    `payload` is what is applied (None when it is no JSON), `original` what came (None unless `edited`), `raw` the very
    text that came; `attempt_log` and `actions` are what workers and people did, the oldest first.
    """
    event = conn.execute("SELECT * FROM event WHERE id = %s", [event_id]).fetchone()
    if event is None:
        raise EventNotFound
    raw, edited = event.pop("raw"), event.pop("edited_payload")
    return event | {
        "edited": edited is not None,
        "payload": _parse(raw if edited is None else edited),
        "original": None if edited is None else _parse(raw),
        "raw": raw.decode(errors="replace"),
        "attempt_log": list(conn.execute("SELECT * FROM attempt WHERE event_id = %s ORDER BY n", [event_id])),
        "actions": list(conn.execute("SELECT * FROM ops_action WHERE target = %s ORDER BY n", [event_id])),
    }


def retry_event(conn: Connection, event_id: str, *, actor: str) -> None:
    """Make an event due now, with all its attempts. Of two at once, one does it and the other is told.

    Raises EventNotRetryable, EventNotFound.
    """
    if not _retry(conn, [event_id], actor=actor, action="retry"):
        _check_exists(conn, event_id)
        raise EventNotRetryable


def retry_events(
    conn: Connection,
    filter: EventFilter,  # noqa: A002 - the contract's word
    *,
    actor: str,
    dry_run: bool = False,
) -> dict[str, int]:
    """Retry whatever the filter finds: `{"matched", "retried"}`, at most BULK_LIMIT a call.

    Without a status only failed ones are meant: what is ignored or discarded is so on purpose.
    """
    wanted = EventFilter(**{**filter, "status": filter.get("status") or "failed"})
    if wanted["status"] not in (REPLAYABLE if wanted.get("webhook_id") else RETRYABLE):
        raise EventNotRetryable
    ids = [row["id"] for row in _find(conn, wanted, limit=BULK_LIMIT)]
    if dry_run:
        return {"matched": len(ids), "retried": 0}
    shown = {name: str(value) for name, value in wanted.items() if value is not None}
    retried = _retry(conn, ids, actor=actor, action="retry", details={"filter": shown})
    return {"matched": len(ids), "retried": retried}


def edit_payload(conn: Connection, event_id: str, *, payload: dict[str, Any], reason: str, actor: str) -> None:
    """Have a failed event applied with another body from now on, and retry it. What came is kept beside it.

    Raises EventNotFailed, EventNotFound, InvalidData.
    """
    _check_failed(conn, event_id)
    try:
        edited = orjson.dumps(payload)
    except TypeError as error:
        raise InvalidData(f"This cannot be written as JSON: {error}") from error
    _retry(conn, [event_id], actor=actor, action="edit", reason=reason, edited_payload=edited)


def discard_event(conn: Connection, event_id: str, *, reason: str, actor: str) -> None:
    """Give a failed event up. Raises EventNotFailed, EventNotFound."""
    discarded = conn.execute(_sql.discard_event, {"id": event_id, "reason": reason, "actor": actor}).fetchone()
    if discarded is None:
        _check_exists(conn, event_id)
        raise EventNotFailed


def list_queues(conn: Connection) -> list[dict[str, Any]]:
    """Every queue: paused or not, and how many of its events are pending, due, rung, claimed and failed."""
    return list(conn.execute(_sql.list_queues, {"queues": list(events.QUEUES)}))


def pause_queue(conn: Connection, name: str, *, actor: str) -> None:
    """Let the events of a queue wait, from the next one on. Raises QueueNotFound."""
    _check_queue(name)
    paused = conn.execute(
        "INSERT INTO paused_queue (name, paused_by) VALUES (%s, %s) ON CONFLICT DO NOTHING", [name, actor]
    )
    if paused.rowcount:
        actions.note(conn, actor=actor, action="pause", target=name)


def resume_queue(conn: Connection, name: str, *, actor: str) -> None:
    """Work on a queue again, at once. Raises QueueNotFound."""
    _check_queue(name)
    if conn.execute("DELETE FROM paused_queue WHERE name = %s", [name]).rowcount:
        # Workers turned away the rings that were under way when it was paused.
        conn.execute(_sql.unring_queue, {"queue": name})
        actions.note(conn, actor=actor, action="resume", target=name)


def is_paused(conn: Connection, name: str) -> bool:
    """Whether somebody paused the queue."""
    return conn.execute("SELECT FROM paused_queue WHERE name = %s", [name]).fetchone() is not None


def list_workers(conn: Connection) -> list[dict[str, Any]]:
    """Every process that was there in the last minutes, and when it was last heard of."""
    return list(
        conn.execute(
            "SELECT kind, name, started_at, seen_at, progressed_at, state,"
            " seen_at > now() - INTERVAL '30 seconds' AS alive FROM process ORDER BY kind, name"
        )
    )


def order_timeline(conn: Connection, order_id: str) -> list[dict[str, Any]]:
    """All that happened to an order, the oldest first: `{at, kind, id, title, details}`; the newest TIMELINE_LIMIT.

    `kind` is event, attempt, journal, shortfall or action; `id` that of the event, hold or shortfall.
    """
    return list(conn.execute(_sql.list_timeline, {"order_id": order_id, "limit": TIMELINE_LIMIT}))


def _find(conn: Connection, wanted: EventFilter, *, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    # Planned anew each time: which index is best depends on which filters are given.
    values = _values(wanted) | {"limit": limit, "offset": offset}
    return list(conn.execute(_sql.list_events, values, prepare=False))


def _values(wanted: EventFilter) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(EventFilter.__annotations__) | dict(wanted)
    text = values["q"] or None
    # An id is found however old its event is.
    is_id = text is not None and text.startswith("evt_")
    values |= {"id": text if is_id else None, "q": None if is_id else text}
    # Without a text there is nothing to look through, so nothing to bound.
    return values | {"searched": SEARCH_LIMIT if values["q"] else None}


def _retry(
    conn: Connection,
    ids: list[str],
    *,
    actor: str,
    action: str,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
    edited_payload: bytes | None = None,
) -> int:
    values = {
        "ids": ids,
        "actor": actor,
        "action": action,
        "reason": reason,
        "details": Jsonb(details or {}),
        "edited_payload": edited_payload,
    }
    return len(conn.execute(_sql.retry_events, values).fetchall())


def _check_failed(conn: Connection, event_id: str) -> None:
    row = conn.execute("SELECT status FROM event WHERE id = %s FOR UPDATE", [event_id]).fetchone()
    if row is None:
        raise EventNotFound
    if row["status"] != "failed":
        raise EventNotFailed


def _check_exists(conn: Connection, event_id: str) -> None:
    if conn.execute("SELECT FROM event WHERE id = %s", [event_id]).fetchone() is None:
        raise EventNotFound


def _check_queue(name: str) -> None:
    if name not in events.QUEUES:
        raise QueueNotFound


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
