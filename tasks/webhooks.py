"""What we tell those who subscribed: written once, signed anew for each attempt, sent, and the answer written down."""

from __future__ import annotations

import time

import orjson
from marshmallow import ValidationError

from bridge import db
from bridge.clients import deliveries as client
from bridge.clients.deliveries import WebhookAddressRefused, WebhookTooSlow, WebhookUnreachable
from bridge.core import announcements, deliveries, events, webhooks
from bridge.core.announcements import Announcement
from bridge.core.deliveries import Result
from bridge.core.events import Event
from bridge.errors import UnreadableEvent, WebhookDisabled
from schemas.announcements import dump_announcement
from tasks import event_work, settings, task

# For how long one task goes on with what else waits for the same webhook, where each would wait for the relay's next
# turn. Together with a last call not longer than a stop may take.
GO_ON_SECONDS = 5


@task
def deliver(event_id: str) -> None:
    """Deliver, and go on with what else is due to the same webhook. Twice is as good as once: under the same id."""
    deadline = time.monotonic() + GO_ON_SECONDS
    wanted: str | None = event_id
    while wanted is not None and time.monotonic() < deadline:
        _deliver(wanted)
        with db.statement() as conn:
            wanted = deliveries.ring_next(conn, after=wanted)


def fan_out(*, limit: int) -> int:
    """Make deliveries of what was announced, for everybody who wants to hear of it; how much there was."""
    with db.statement() as conn:
        if not announcements.are_there_any(conn):
            return 0
    with db.transaction() as conn:
        return announcements.fan_out(conn, write=_write, limit=limit)


def _write(said: Announcement) -> bytes:
    try:
        return orjson.dumps(dump_announcement(type=said.type, timestamp=said.at, data=said.data))
    except ValidationError as error:
        raise UnreadableEvent(f"What was announced is not what a {said.type} is: {error}") from error


@event_work(lease_seconds=deliveries.LEASE_SECONDS)
def _deliver(delivery: Event) -> None:
    with db.statement() as conn:
        webhook = deliveries.find_receiver(conn, delivery)
    if webhook is None or webhook["disabled_at"] is not None:
        disabled = WebhookDisabled()
        with db.transaction() as conn:
            events.fail_event(conn, delivery, error_code=disabled.code, error=disabled.message)
        return
    secrets = webhooks.signing_secrets(webhook)

    # Outside any transaction: no row stays locked while we wait on the network.
    result = _send(delivery, str(webhook["url"]), secrets)

    with db.transaction() as conn:
        deliveries.finish(conn, delivery, result)


def _send(delivery: Event, url: str, secrets: list[str]) -> Result:
    headers = client.sign(delivery.body, webhook_id=delivery.id, secrets=secrets)
    allow_private = settings().webhooks_allow_private
    try:
        answer = client.post(url, headers=headers, body=delivery.body, allow_private=allow_private)
    except (WebhookUnreachable, WebhookTooSlow, WebhookAddressRefused) as error:
        return Result(error_code=error.code, error=error.message)
    return Result(http_status=answer.status, answer=answer.text, retry_after=answer.retry_after, seconds=answer.seconds)
