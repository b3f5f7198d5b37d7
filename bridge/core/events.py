"""What becomes of an event: received once, rung until somebody claims it, finished together with its effect."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from psycopg.types.json import Jsonb

from bridge import outbox, sql
from bridge.db import Connection
from bridge.errors import BridgeError, UnreadableEvent, WorkerLost
from bridge.ids import new_id

EVENTS = "bridge.events"  # What platforms tell us.
OUTGOING = outbox.QUEUE  # What we owe others: mail, calls.
WEBHOOKS = outbox.WEBHOOKS  # What we tell those who subscribed: see core/deliveries.py.
MAINTENANCE = "bridge.maintenance"  # What beat asks for. It has no rows: the next time does the same again.
QUEUES = (EVENTS, OUTGOING, WEBHOOKS, MAINTENANCE)

Status = Literal["pending", "applied", "ignored", "failed", "discarded"]

WINDOW = 500  # Seconds of work for the slowest worker, and few enough to ring again without drowning the broker.
# Longer than Celery lets a task run (task_time_limit in celeryconfig.py), so that nobody has an event taken away.
LEASE_SECONDS = 90
# Outgoing calls also need time to settle at the other end (REFUND_SETTLES_SECONDS in bridge/clients/medusa.py).
OUTGOING_LEASE_SECONDS = 150

CLAIM_SETTLES_SECONDS = 5  # More than lies between an event's being claimed and its being known to be in hand.

# 16 attempts (the default of attempts_left) wait 15 times: 1, 2, 4 … 512 and then 900 s, together 92 minutes at most
# and, as each wait is drawn from the whole range, 46 on average: longer than a deploy or a common outage takes.
FIRST_WAIT_SECONDS = 1
LONGEST_WAIT_SECONDS = 15 * 60
LONGEST_RETRY_AFTER_SECONDS = 24 * 3600  # What another system asks for; beyond it, its header is wrong.

TRACEBACK_BYTES = 16 * 1024
# Bounded repetitions: a text without any @ must not be read again from each of its letters.
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-][\w.-]{0,253}")

_sql = sql.load("events")


class ClaimLost(BridgeError):
    """Somebody else has this event by now; nothing was done."""

    code = "claim_lost"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender of an event is told."""

    id: str
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that a worker has claimed, and which of its attempts this is."""

    id: str
    source: str
    type: str
    queue: str
    order_id: str | None
    body: bytes  # As edited by ops, else as received.
    attempts: int
    attempts_left: int
    worker: str
    request_id: str | None
    webhook_id: str | None = None  # Of a delivery: whom it is for.

    def document(self) -> dict[str, Any]:
        """The body as JSON. Raises UnreadableEvent."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise UnreadableEvent(f"The body is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise UnreadableEvent("The body is not a JSON object.")
        return document


def receive_event(
    conn: Connection,
    *,
    source: str,
    dedupe_key: str,
    type: str,  # noqa: A002 - the field's word, on the wire and in the table
    raw: bytes,
    headers: dict[str, Any],
    order_id: str | None,
    status: Status = "pending",
    outcome: str | None = None,
    error_code: str | None = None,
    error: str | None = None,
    request_id: str | None = None,
) -> Receipt:
    """Store an event, once for each (source, dedupe_key); a repeat is counted and answered with the first's id.

    One statement, so that it may run in `db.statement()`.
    """
    [row] = conn.fetch(
        _sql.receive_event,
        {
            "id": new_id("evt"),
            "source": source,
            "dedupe_key": dedupe_key,
            "type": type,
            "queue": EVENTS,
            "order_id": order_id,
            "status": status,
            "outcome": outcome,
            "raw": raw,
            "headers": Jsonb(headers),
            "error_code": error_code,
            "error": error and redact(error),
            "request_id": request_id,
        },
    )
    return Receipt(row["id"], row["duplicate"])


def ring_due_events(conn: Connection, *, limit: int = 200, window: int = WINDOW) -> list[tuple[str, str]]:
    """Mark what is due as rung and answer (id, queue) of each: up to `limit` a queue, oldest first.

    The caller publishes after the commit, and calls `unring_events` with what it could not publish. What nobody
    claims comes due again after 20, 40, 60, 60 … s. No more than `window` of a queue are rung and unclaimed.
    """
    queues = [EVENTS, OUTGOING]
    rows = conn.execute(_sql.ring_due_events, {"limit": limit, "window": window, "queues": queues})
    return sorted((row["id"], row["queue"]) for row in rows)


def unring_events(conn: Connection, *, ids: Sequence[str]) -> None:
    """Make events whose ring did not reach the broker due again in a second."""
    conn.execute(_sql.unring_events, {"ids": list(ids)})


def claim_event(conn: Connection, *, event_id: str, worker: str, lease_seconds: float = LEASE_SECONDS) -> Event | None:
    """The event, for `worker` alone until the lease ends; None when it is not to be had.

    Counts the attempt, so call it in a transaction of its own (or `db.statement()`), committed before the attempt.
    An event whose workers died until no attempt was left fails here.
    """
    rows = conn.fetch(_sql.claim_event, {"id": event_id, "worker": worker, "lease_seconds": lease_seconds})
    if not rows:
        lost = WorkerLost()
        conn.execute(_sql.give_up_lost, {"id": event_id, "error_code": lost.code, "error": lost.message})
        return None
    rows[0].pop("synchronous_commit")
    return Event(**rows[0])


def free_lost_claims(conn: Connection) -> int:
    """Make events of workers that were not heard of for 20 s due at once, and say how many; see the query."""
    return conn.execute(_sql.free_lost_claims, {"events": EVENTS, "deliveries": WEBHOOKS}).rowcount


def free_own_claims(conn: Connection, *, worker: str, in_hand: Sequence[str]) -> int:
    """Make events due at once that `worker` left behind more than CLAIM_SETTLES_SECONDS ago, and say how many.

    Only of events whose whole effect is in this database, like free_lost_claims.
    """
    values = {
        "worker": worker,
        "queue": EVENTS,
        "in_hand": list(in_hand),
        "lease_seconds": LEASE_SECONDS,
        "settled_seconds": CLAIM_SETTLES_SECONDS,
    }
    return conn.execute(_sql.free_own_claims, values).rowcount


def finish_event(
    conn: Connection,
    event: Event,
    *,
    status: Status,
    outcome: str | None = None,
    error_code: str | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    """End the claim, in the transaction of the effect.

    Raises ClaimLost when the event is no longer ours, so that the effect rolls back: nothing is done twice.
    """
    _end(
        conn,
        _sql.finish_event,
        event,
        status=status,
        outcome=outcome,
        error_code=error_code,
        error=error and redact(error),
        traceback=traceback and redact(traceback),
    )


def retry_later(
    conn: Connection,
    event: Event,
    *,
    error_code: str,
    error: str,
    traceback: str | None = None,
    retry_after: float | None = None,
    wait: float | None = None,
) -> None:
    """End the claim without an effect and try again after a wait; fail when that was the last attempt.

    `retry_after` is the least to wait, in seconds; `wait` is exactly what to wait. Raises ClaimLost.
    """
    if event.attempts_left < 1:
        fail_event(conn, event, error_code=error_code, error=error, traceback=traceback)
        return
    _end(
        conn,
        _sql.retry_later,
        event,
        wait_seconds=wait_seconds(event.attempts, retry_after=retry_after) if wait is None else wait,
        error_code=error_code,
        error=redact(error),
        traceback=traceback and redact(traceback),
    )


def fail_event(conn: Connection, event: Event, *, error_code: str, error: str, traceback: str | None = None) -> None:
    """End the claim: the event needs a person. Raises ClaimLost."""
    finish_event(conn, event, status="failed", error_code=error_code, error=error, traceback=traceback)


def wait_seconds(attempts: int, *, retry_after: float | None = None) -> float:
    """How long to wait after so many attempts: anything up to a bound that doubles ("full jitter").

    Drawn from the whole range, because what failed together should not come back together. What another system asked
    for is the least.
    """
    bound = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 30))
    least = min(max(retry_after or 0, 0), LONGEST_RETRY_AFTER_SECONDS)
    return max(random.uniform(0, bound), least)  # noqa: S311 - spreads load, protects nothing


def purge_events(conn: Connection, *, limit: int = 1000) -> int:
    """Delete up to `limit` events that were applied or ignored more than 30 days ago; how many there were."""
    return conn.execute(_sql.purge_events, {"limit": limit}).rowcount


def redact(text: str) -> str:
    """`text` without e-mail addresses, and no longer than TRACEBACK_BYTES: its end, which says most, stays."""
    end = text.encode(errors="replace")[-TRACEBACK_BYTES:].decode(errors="ignore")
    # PostgreSQL's text cannot hold NUL, and a message may quote one.
    return _EMAIL.sub("…@…", end.replace("\x00", ""))


def _end(conn: Connection, query: str, event: Event, **values: Any) -> None:
    values |= {"id": event.id, "worker": event.worker, "n": event.attempts}
    if not conn.fetch(query, values):
        raise ClaimLost(f"Event {event.id} is no longer ours; nothing was done.")
