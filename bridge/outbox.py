"""What the bridge owes others: written in the transaction that causes it, done later by a worker."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from bridge.db import Connection
from bridge.ids import new_id

SOURCE = "bridge"
QUEUE = "bridge.outgoing"
WEBHOOKS = "bridge.webhooks"  # Apart: a receiver that hangs must not hold up mail and refunds.


def add_work(
    conn: Connection,
    *,
    type: str,  # noqa: A002 - the field's word, on the wire and in the table
    payload: dict[str, Any],
    dedupe_key: str,
    order_id: str | None = None,
    not_before: datetime | None = None,
) -> None:
    """Owe `type` of work to somebody, once for each `dedupe_key`. It is kept exactly if `conn` commits.

    `type` is one that tasks/outgoing.py knows. With `not_before` nobody does it before then. A worker that dies may
    leave the work done and do it again.
    """
    conn.execute(
        "INSERT INTO event (id, source, dedupe_key, type, queue, order_id, raw, next_attempt_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp()))"
        " ON CONFLICT (source, dedupe_key) DO NOTHING",
        [new_id("evt"), SOURCE, dedupe_key, type, QUEUE, order_id, orjson.dumps(payload), not_before],
    )
