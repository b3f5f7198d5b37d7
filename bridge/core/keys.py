"""API keys: made, listed, revoked, and whose a key is."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from bridge import db
from bridge.db import Connection
from bridge.errors import InvalidData, KeyNotFound
from bridge.ids import new_id

SCOPES = ("admin", "system", "ops")
# How long a key that was just seen is believed without asking the database: so long a revoked one may go on.
_BELIEVED_SECONDS = 5.0
_believed: dict[bytes, tuple[float, ApiKey]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret."""

    id: str
    name: str
    prefix: str
    scopes: Sequence[str]
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


_BOOTSTRAP = ApiKey(id="ADMIN_API_KEY", name="from the environment", prefix="", scopes=SCOPES)


def create_key(conn: Connection, *, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its secret, which is shown this once and kept only as a hash."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise InvalidData(f"Scopes are {', '.join(SCOPES)}; got {', '.join(sorted(unknown)) or 'none'}.")
    secret = f"bk_{secrets.token_urlsafe(32)}"
    row = conn.execute(
        "INSERT INTO api_key (id, name, prefix, digest, scopes) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING id, name, prefix, scopes, created_at, last_used_at, revoked_at",
        [new_id("key"), name, secret[:8], _digest(secret), sorted(set(scopes))],
    )
    return ApiKey(**db.one(row)), secret


def list_keys(conn: Connection) -> list[ApiKey]:
    """Every key, revoked ones last."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(
            "SELECT id, name, prefix, scopes, created_at, last_used_at, revoked_at FROM api_key"
            " ORDER BY revoked_at NULLS FIRST, created_at"
        ).fetchall()


def revoke_key(conn: Connection, key_id: str) -> None:
    """Stop a key from working, within seconds. Raises KeyNotFound."""
    done = conn.execute(
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = %s", [key_id]
    )
    if not done.rowcount:
        raise KeyNotFound


def identify(secret: str, *, bootstrap: str) -> ApiKey | None:
    """Whose key this is, or None. `bootstrap` is the key that the environment gives."""
    digest = _digest(secret)
    if bootstrap and hmac.compare_digest(digest, _digest(bootstrap)):
        return _BOOTSTRAP
    at, key = _believed.get(digest, (0.0, None))
    if key is not None and time.monotonic() - at < _BELIEVED_SECONDS:
        return key
    with db.transaction() as conn:
        key = _find(conn, digest)
    if key is not None:
        _believed[digest] = (time.monotonic(), key)
    return key


def _find(conn: Connection, digest: bytes) -> ApiKey | None:
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        key = cursor.execute(
            "SELECT id, name, prefix, scopes, created_at, last_used_at, revoked_at FROM api_key"
            " WHERE digest = %s AND revoked_at IS NULL",
            [digest],
        ).fetchone()
    if key is not None:
        # Once a minute is enough to see which keys are in use.
        conn.execute(
            "UPDATE api_key SET last_used_at = now() WHERE id = %s"
            " AND (last_used_at IS NULL OR last_used_at < now() - INTERVAL '1 minute')",
            [key.id],
        )
    return key


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
