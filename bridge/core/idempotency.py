"""Which answer was given under an Idempotency-Key, so that the same request twice has one effect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bridge.db import Connection
from bridge.errors import IdempotencyKeyReused


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer given before."""

    status: int
    body: bytes


def begin(conn: Connection, *, scope: str, key: str, request: bytes) -> KeptAnswer | None:
    """The answer already given under `key`, or None: then the caller acts and calls `finish` in this transaction.

    Of two at once the second waits for the first. Raises IdempotencyKeyReused when the request differs.
    """
    digest = hashlib.sha256(request).digest()
    hashed_scope = hashlib.sha256(scope.encode()).hexdigest()  # The scope carries a credential.
    mine = conn.execute(
        "INSERT INTO idempotency_key (scope, key, request_hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [hashed_scope, key, digest],
    )
    if mine.rowcount:
        return None
    kept = conn.execute(
        "SELECT request_hash, status, body FROM idempotency_key WHERE scope = %s AND key = %s", [hashed_scope, key]
    ).fetchone()
    if kept is None or kept["request_hash"] != digest:
        raise IdempotencyKeyReused
    return KeptAnswer(kept["status"], kept["body"])


def finish(conn: Connection, *, scope: str, key: str, status: int, body: bytes) -> None:
    """Keep the answer given under `key`."""
    conn.execute(
        "UPDATE idempotency_key SET status = %s, body = %s WHERE scope = %s AND key = %s",
        [status, body, hashlib.sha256(scope.encode()).hexdigest(), key],
    )


def purge(conn: Connection) -> int:
    """Forget what is older than a day, as long as any client goes on retrying."""
    return conn.execute("DELETE FROM idempotency_key WHERE created_at < now() - INTERVAL '1 day'").rowcount
