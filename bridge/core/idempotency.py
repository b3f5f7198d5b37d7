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
    mine = conn.execute(
        "INSERT INTO idempotency_key (scope, key, request_hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [_hashed(scope), key, hashlib.sha256(request).digest()],
    )
    if mine.rowcount:
        return None
    kept = find(conn, scope=scope, key=key, request=request)
    if kept is None:
        raise IdempotencyKeyReused
    return kept


def find(conn: Connection, *, scope: str, key: str, request: bytes) -> KeptAnswer | None:
    """The answer already given under `key`, if any. Raises IdempotencyKeyReused when the request differs."""
    kept = conn.execute(
        "SELECT request_hash, status, body FROM idempotency_key WHERE scope = %s AND key = %s", [_hashed(scope), key]
    ).fetchone()
    if kept is None:
        return None
    if kept["request_hash"] != hashlib.sha256(request).digest():
        raise IdempotencyKeyReused
    return KeptAnswer(kept["status"], kept["body"])


def finish(conn: Connection, *, scope: str, key: str, status: int, body: bytes) -> None:
    """Keep the answer given under `key`."""
    conn.execute(
        "UPDATE idempotency_key SET status = %s, body = %s WHERE scope = %s AND key = %s",
        [status, body, _hashed(scope), key],
    )


def keep(conn: Connection, *, scope: str, key: str, request: bytes, status: int, body: bytes) -> None:
    """Keep an answer that was given outside a transaction; of two at once the first stays."""
    conn.execute(
        "INSERT INTO idempotency_key (scope, key, request_hash, status, body) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [_hashed(scope), key, hashlib.sha256(request).digest(), status, body],
    )


def purge(conn: Connection) -> int:
    """Forget what is older than a day, as long as any client goes on retrying."""
    return conn.execute("DELETE FROM idempotency_key WHERE created_at < now() - INTERVAL '1 day'").rowcount


def _hashed(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()  # The scope carries a credential.
