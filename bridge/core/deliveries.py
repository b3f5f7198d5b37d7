"""Deliveries: what becomes of one, and what that says of the webhook it was for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bridge import db, outbox, sql
from bridge.core import events, webhooks
from bridge.core.announcements import announce
from bridge.core.events import LONGEST_RETRY_AFTER_SECONDS, WEBHOOKS, Event, redact
from bridge.db import Connection

# Deliveries of one webhook under way at a time: its share of the senders' threads (SENDER_THREADS).
MOST_UNDER_WAY = 4
LEASE_SECONDS = 60  # Four times what a call may take, with what is around it.

# Before which attempt how long is waited: 16 attempts (the default of attempts_left), together three days. Retried by a
# person, a delivery has all of them again.
_MINUTE, _HOUR = 60, 3600
WAITS_SECONDS = (
    *(5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 6 * _HOUR, 8 * _HOUR),
    *(8 * _HOUR, 10 * _HOUR, 10 * _HOUR, 10 * _HOUR, 12 * _HOUR),
)
JITTER = 0.2  # Each wait is so much longer or shorter: what failed together should not come back together.

# After so many failures in a row all deliveries of a webhook wait, and one at a time tries whether it works again.
FAILURES_BEFORE_PAUSE = 3
FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 15 * _MINUTE  # A receiver that is mended is found after this at most.
PATIENCE = timedelta(days=3)  # After so long without a success a webhook is disabled.

_sql = sql.load("deliveries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended. Without a status nobody answered, and `error` says why."""

    http_status: int | None = None
    answer: str = ""
    retry_after: float | None = None
    error_code: str = "webhook_refused"
    error: str | None = None
    seconds: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has it: any 2xx."""
        return self.http_status is not None and 200 <= self.http_status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants to hear no more: 410."""
        return self.http_status == 410

    @property
    def was_slow(self) -> bool:
        """Whether it cost a whole time limit."""
        return self.error_code == "webhook_too_slow"


def ring_due_deliveries(conn: Connection, *, limit: int = 100, webhook_id: str | None = None) -> list[tuple[str, str]]:
    """As events.ring_due_events, of the queue of webhooks: up to `limit` of each webhook, or of one; see the query."""
    given = {"limit": limit, "webhook_id": webhook_id, "most": MOST_UNDER_WAY, "queue": WEBHOOKS}
    return sorted((row["id"], row["queue"]) for row in conn.execute(_sql.ring_due_deliveries, given))


def ring_next(conn: Connection, *, after: str) -> str | None:
    """Another delivery to the webhook of `after`, rung for the caller; None when nothing is due, or it fails."""
    row = conn.execute(_sql.ring_next_delivery, {"after": after}).fetchone()
    return row["id"] if row else None


def find_receiver(conn: Connection, delivery: Event) -> dict[str, Any] | None:
    """The webhook that a delivery is for, with its secrets; None when it was deleted."""
    return conn.execute(webhooks.queries.find_webhook, {"id": delivery.webhook_id}).fetchone()


def finish(conn: Connection, delivery: Event, result: Result) -> None:
    """Write down how an attempt ended, when to try again, and what it says of the webhook. Raises ClaimLost.

    Locks the webhook, then the event: the order of everybody.
    """
    if result.is_delivered:
        conn.execute(_sql.note_success, {"id": delivery.webhook_id})
        outcome = f"answered {result.http_status} in {result.seconds * 1000:.0f} ms"
        events.finish_event(conn, delivery, status="applied", outcome=outcome)
    elif result.is_gone:
        error = "It answered 410: it wants to hear no more."
        _note_failure(conn, delivery, result, error)
        events.fail_event(conn, delivery, error_code="webhook_gone", error=error)
        _give_up(conn, delivery, "it answered 410 Gone")
    else:
        error = result.error or f"It answered {result.http_status}."
        is_hopeless = _note_failure(conn, delivery, result, error)
        wait = wait_seconds(delivery.attempts_left, retry_after=result.retry_after)
        events.retry_later(conn, delivery, error_code=result.error_code, error=error, wait=wait)
        if is_hopeless:
            _give_up(conn, delivery, f"it has failed for {PATIENCE.days} days")
    _note_answer(conn, delivery, result)


def wait_seconds(attempts_left: int, *, retry_after: float | None = None) -> float:
    """How long to wait before the next of so many attempts. What the receiver asked for is the least."""
    n = max(0, len(WAITS_SECONDS) - attempts_left)
    wait = WAITS_SECONDS[min(n, len(WAITS_SECONDS) - 1)] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, protects nothing
    return max(wait, _bounded(retry_after))


def _note_failure(conn: Connection, delivery: Event, result: Result, error: str) -> bool:
    """Count a failure, and have the webhook's deliveries wait; whether it has gone on for too long."""
    values = {"id": delivery.webhook_id, "error": redact(error), "patience": PATIENCE}
    row = conn.execute(_sql.note_failure, values).fetchone()
    if row is None:  # It was deleted meanwhile.
        return False
    pause = max(_pause_seconds(row["failures"], was_slow=result.was_slow), _bounded(result.retry_after))
    if pause:
        conn.execute(_sql.hold_back, {"id": delivery.webhook_id, "seconds": pause})
    return bool(row["is_hopeless"] and row["is_enabled"])


def _pause_seconds(failures: int, *, was_slow: bool) -> float:
    over = failures if was_slow else failures - FAILURES_BEFORE_PAUSE + 1
    if over < 1:
        return 0.0
    bound: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(over - 1, 30))
    return bound * random.uniform(1 - JITTER, 1)  # noqa: S311 - as above


def _bounded(retry_after: float | None) -> float:
    return min(max(retry_after or 0.0, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _give_up(conn: Connection, delivery: Event, reason: str) -> None:
    """Disable the webhook, and tell people and the other webhooks."""
    webhook_id = str(delivery.webhook_id)
    if not webhooks.disable_webhook(conn, webhook_id, reason=reason, actor="bridge"):
        return
    webhook = webhooks.get_webhook(conn, webhook_id)
    key = f"{webhook_id}:disabled:{db.one(conn.execute('SELECT clock_timestamp() AS now'))['now'].isoformat()}"
    announce(conn, "webhook.disabled", _about(webhook), key=key)
    outbox.add_work(
        conn,
        type="mail",
        payload={
            "to": None,  # Whoever looks after operations; the mail task knows the address.
            "subject": f"Webhook {webhook_id} is disabled: {reason}",
            "text": (
                f"Nothing is sent to {webhook['url']} any more: {reason}.\n"
                f"The last error: {webhook['last_error']}\n"
                "What it was not told stands in ops. When it works again: enable it, then replay what failed.\n"
            ),
        },
        dedupe_key=f"mail:{key}",
    )


def _about(webhook: Mapping[str, Any]) -> dict[str, Any]:
    shown = ("url", "description", "disabled_at", "failing_since", "last_error")
    return {"webhook_id": webhook["id"], "reason": webhook["disabled_reason"]} | {name: webhook[name] for name in shown}


def _note_answer(conn: Connection, delivery: Event, result: Result) -> None:
    values = {
        "event_id": delivery.id,
        "n": delivery.attempts,
        "http_status": result.http_status,
        "answer": redact(result.answer) if result.answer else None,
    }
    conn.execute(_sql.note_answer, values)
