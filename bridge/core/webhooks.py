"""Webhooks: who wants to hear what, under which secret, and how they fare."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bridge import db, outbox, sql
from bridge.core import actions
from bridge.db import Connection
from bridge.errors import InvalidData, WebhookNotFound
from bridge.ids import new_id
from bridge.rules.addresses import refuse_url

# How long a secret that was replaced goes on signing: a receiver has a working day, whatever its zone.
OVERLAP = timedelta(hours=24)
SECRET_BYTES = 32  # Standard Webhooks: between 24 and 64.
TEST = "webhook.test"
COUNTED = 10_000  # Deliveries, for people; nobody reads a larger number.

queries = sql.load("webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A webhook and its secret, which is shown this once."""

    webhook: dict[str, Any]
    secret: str


def create_webhook(
    conn: Connection,
    *,
    url: str,
    types: Sequence[str],
    actor: str,
    description: str | None = None,
    allow_private: bool = False,
) -> NewSecret:
    """Tell `url` from now on of what happens, of each of `types`: exact, `booking.*`, or `*`. Raises InvalidData."""
    _check_url(url, allow_private=allow_private)
    webhook_id, secret = new_id("webhook"), _new_secret()
    values = {"id": webhook_id, "url": url, "types": list(types), "description": description, "secret": secret}
    conn.execute(queries.insert_webhook, values)
    actions.note(conn, actor=actor, action="webhook.create", target=webhook_id)
    return NewSecret(webhook=get_webhook(conn, webhook_id), secret=secret)


def get_webhook(conn: Connection, webhook_id: str) -> dict[str, Any]:
    """A webhook with its health and without its secrets. Raises WebhookNotFound."""
    row = conn.execute(queries.find_webhook, {"id": webhook_id}).fetchone()
    if row is None:
        raise WebhookNotFound
    return _shown(row)


def list_webhooks(conn: Connection, *, limit: int = 20, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """A page of webhooks, the oldest first, and how many there are in all.

    Each with `waiting` and `failed`: its deliveries, counted no further than COUNTED.
    """
    rows = conn.execute(queries.list_webhooks, {"limit": limit, "offset": offset, "counted": COUNTED}).fetchall()
    total = rows[0]["total"] if rows else db.one(conn.execute(queries.count_webhooks))["count"]
    return [_shown(row) for row in rows], total


def update_webhook(
    conn: Connection, webhook_id: str, *, changes: Mapping[str, Any], actor: str, allow_private: bool = False
) -> dict[str, Any]:
    """Set the fields in `changes` and leave the others; `is_enabled` disables or enables it.

    Raises WebhookNotFound, InvalidData.
    """
    if "url" in changes:
        _check_url(changes["url"], allow_private=allow_private)
    before = _lock(conn, webhook_id)
    after = {name: changes.get(name, before[name]) for name in ("url", "types", "description")}
    conn.execute(queries.update_webhook, {**after, "id": webhook_id})
    if changes.get("is_enabled") is True and before["disabled_at"] is not None:
        enable_webhook(conn, webhook_id, actor=actor)
    if changes.get("is_enabled") is False:
        disable_webhook(conn, webhook_id, reason="disabled by a person", actor=actor)
    return get_webhook(conn, webhook_id)


def rotate_secret(conn: Connection, webhook_id: str, *, actor: str) -> NewSecret:
    """A new secret. For OVERLAP the one before signs beside it. Raises WebhookNotFound."""
    _lock(conn, webhook_id)
    secret = _new_secret()
    conn.execute(queries.rotate_secret, {"id": webhook_id, "secret": secret, "overlap": OVERLAP})
    actions.note(conn, actor=actor, action="webhook.rotate", target=webhook_id)
    return NewSecret(webhook=get_webhook(conn, webhook_id), secret=secret)


def disable_webhook(conn: Connection, webhook_id: str, *, reason: str, actor: str) -> bool:
    """Tell it nothing more, and what waits for it has failed; whether it was enabled before.

    Raises WebhookNotFound.
    """
    _lock(conn, webhook_id)
    if conn.execute(queries.disable_webhook, {"id": webhook_id, "reason": reason}).fetchone() is None:
        return False
    actions.note(conn, actor=actor, action="webhook.disable", target=webhook_id, reason=reason)
    return True


def enable_webhook(conn: Connection, webhook_id: str, *, actor: str) -> None:
    """Tell it what happens from now on. What failed meanwhile can be replayed. Raises WebhookNotFound."""
    _lock(conn, webhook_id)
    conn.execute(queries.enable_webhook, {"id": webhook_id})
    actions.note(conn, actor=actor, action="webhook.enable", target=webhook_id)


def delete_webhook(conn: Connection, webhook_id: str, *, actor: str) -> None:
    """Forget a webhook; what waits for it is discarded, what was delivered stays to be read. Raises WebhookNotFound."""
    if conn.execute(queries.delete_webhook, {"id": webhook_id}).fetchone() is None:
        raise WebhookNotFound
    conn.execute(queries.discard_deliveries, {"id": webhook_id})
    actions.note(conn, actor=actor, action="webhook.delete", target=webhook_id)


def send_test(conn: Connection, webhook_id: str) -> str:
    """Owe a webhook a delivery that says it works; the delivery's id. Raises WebhookNotFound."""
    get_webhook(conn, webhook_id)
    delivery_id = new_id("evt")
    document = {
        "type": TEST,
        "version": 1,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {"webhook_id": webhook_id},
    }
    conn.execute(
        "INSERT INTO event (id, source, dedupe_key, type, queue, webhook_id, raw) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [delivery_id, outbox.SOURCE, delivery_id, TEST, outbox.WEBHOOKS, webhook_id, orjson.dumps(document)],
    )
    return delivery_id


def signing_secrets(webhook: Mapping[str, Any]) -> list[str]:
    """What a delivery is signed with now: the secret, and the one before while that is valid."""
    until = webhook["old_secret_until"]
    return [webhook["secret"], *([webhook["old_secret"]] if until and until > datetime.now(UTC) else [])]


def _check_url(url: str, *, allow_private: bool) -> None:
    if why := refuse_url(url, allow_private=allow_private):
        raise InvalidData(f"url: {why}", fields={"url": [why]})


def _lock(conn: Connection, webhook_id: str) -> dict[str, Any]:
    row = conn.execute(queries.lock_webhook, {"id": webhook_id}).fetchone()
    if row is None:
        raise WebhookNotFound
    return row


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """The webhook without what only signing needs."""
    return {name: value for name, value in row.items() if name not in {"secret", "old_secret", "total"}} | {
        "is_enabled": row["disabled_at"] is None,
    }
