"""POST /webhooks/stripe and /api/webhook: check Stripe's signature on the raw bytes, store the event once, answer."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Any

import structlog
from flask import Blueprint, g, request
from stripe import WebhookSignature

from bridge import db, errors
from bridge.core import events
from bridge.platforms import stripe
from bridge.platforms.reading import dig, is_id
from bridge.web.endpoints import endpoint, read_body, settings
from bridge.web.webhooks.inbox import MAX_BODY_BYTES, first_verdict, read_document
from schemas.events import ReceiptSchema

TOLERANCE_SECONDS = 5 * 60  # As far as a clock may be off, and as long as a captured request is worth repeating.

log = structlog.get_logger("bridge.web")
blueprint = Blueprint("webhooks_stripe", __name__)


@blueprint.post("/webhooks/stripe")
@blueprint.post("/api/webhook", endpoint="receive_stripe_event_at_api")
@endpoint(
    answers={202: ReceiptSchema},
    errors=(errors.Unauthorized, errors.MalformedJson, errors.PayloadTooLarge, errors.Unavailable),
    documents={
        "parameters": [{"in": "header", "name": "Stripe-Signature", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    },
)
def receive_stripe_event() -> Any:
    """Take in an event of Stripe's. What got a 202 is never lost, and applied once however often it comes."""
    request.max_content_length = MAX_BODY_BYTES
    raw = read_body()
    _check_signature(raw)
    document = read_document(raw)
    event_id = dig(document, "id")
    with db.statement() as conn:
        receipt = events.receive_event(
            conn,
            source=stripe.SOURCE,
            # An event without an id is kept for people; the same bytes are the same event.
            dedupe_key=event_id if is_id(event_id) else sha256(raw).hexdigest(),
            raw=raw,
            headers={name: request.headers[name] for name in ("user-agent",) if name in request.headers},
            order_id=stripe.order_id_of(document),
            request_id=g.request_id,
            **first_verdict(document, stripe),
        )
    return {"event_id": receipt.id, "duplicate": receipt.duplicate}, 202


def _check_signature(raw: bytes) -> None:
    """Raise the one Unauthorized for whatever is wrong: a caller who guesses learns nothing."""
    header = request.headers.get("Stripe-Signature", "")
    # Two while one replaces the other.
    for secret in filter(None, map(str.strip, settings().stripe_webhook_secret.split(","))):
        try:
            WebhookSignature.verify_header(raw, header, secret, TOLERANCE_SECONDS)
            _check_not_from_the_future(header)
        except Exception as error:  # noqa: BLE001  # the library lets garbage in headers through as any exception
            log.debug("webhook signature refused", error=type(error).__name__)
        else:
            return
    raise errors.Unauthorized("The webhook's signature or timestamp is not valid.")


def _check_not_from_the_future(header: str) -> None:
    """What the library leaves out: a signature of next year would be good until then."""
    stamps = [int(part.strip()[2:]) for part in header.split(",") if part.strip().startswith("t=")]
    if not stamps or max(stamps) > time.time() + TOLERANCE_SECONDS:
        raise ValueError("the timestamp lies in the future")
