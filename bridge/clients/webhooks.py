"""Sending a webhook as the platform would: for trying a receiver out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import requests
from standardwebhooks import Webhook

_TIMEOUT_SECONDS = 10


def sign(secret: str, body: bytes, *, webhook_id: str | None = None) -> dict[str, str]:
    """The headers that make `body` a signed Standard Webhook of this moment."""
    webhook_id = webhook_id or f"msg_{uuid4().hex}"
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body.decode()),
        "content-type": "application/json",
    }


def retarget(
    captured: dict[str, Any],
    *,
    order_id: str | None,
    hold_ids: Sequence[str] = (),
    booking_number: str | None = None,
    quantity: int | None = None,
) -> bytes:
    """A captured event's body, about another order: its first line for each of the holds, naming it, and a number."""
    document = orjson.loads(captured["body"]) if "body" in captured else captured
    order = document.get("data", {}).get("order")
    if order is None:
        return orjson.dumps(document)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    order["updated_at"] = now
    if order_id:
        order["id"] = order_id
        document["data"]["event_data"] = {"id": order_id}
    if hold_ids:
        line = order["items"][0]
        line["quantity"] = quantity or line["quantity"]
        order["items"] = [
            {**line, "id": f"{line['id']}{n or ''}", "metadata": {"booking_hold_id": hold_id}}
            for n, hold_id in enumerate(hold_ids)
        ]
    if hold_ids or booking_number:
        order["metadata"] = {"booking_number": booking_number} if booking_number else {}
    return orjson.dumps(document)


def send(url: str, secret: str, body: bytes) -> requests.Response:
    """Sign `body` and post it to `url`."""
    return requests.post(url, data=body, headers=sign(secret, body), timeout=_TIMEOUT_SECONDS)
