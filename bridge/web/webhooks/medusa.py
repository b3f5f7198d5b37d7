"""POST /webhooks/medusa: check the signature on the raw bytes, store the event once, answer."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, g, request
from standardwebhooks import Webhook

from bridge import db, errors
from bridge.core import events
from bridge.platforms import medusa
from bridge.web.endpoints import endpoint, read_body, settings
from bridge.web.webhooks.inbox import MAX_BODY_BYTES, first_verdict, read_document
from schemas.events import ReceiptSchema

_LONGEST_ID = 256  # Ids are a key of ours; no sender comes near this.

log = structlog.get_logger("bridge.web")
blueprint = Blueprint("webhooks_medusa", __name__, url_prefix="/webhooks")


@blueprint.post("/medusa")
@endpoint(
    answers={202: ReceiptSchema},
    errors=(errors.Unauthorized, errors.MalformedJson, errors.PayloadTooLarge, errors.Unavailable),
    documents={
        "parameters": [
            {"in": "header", "name": f"webhook-{name}", "required": True, "schema": {"type": "string"}}
            for name in ("id", "timestamp", "signature")
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    },
)
def receive_medusa_event() -> Any:
    """Take in an event of the platform. What got a 202 is never lost, and applied once however often it comes."""
    request.max_content_length = MAX_BODY_BYTES
    raw = read_body()
    _check_signature(raw)
    document = read_document(raw)
    with db.statement() as conn:
        receipt = events.receive_event(
            conn,
            source="medusa",
            dedupe_key=request.headers["webhook-id"],
            raw=raw,
            headers={
                name: request.headers[name]
                for name in ("webhook-id", "webhook-timestamp", "user-agent")
                if name in request.headers
            },
            order_id=medusa.order_id_of(document),
            request_id=g.request_id,
            **first_verdict(document, medusa),
        )
    return {"event_id": receipt.id, "duplicate": receipt.duplicate}, 202


def _check_signature(raw: bytes) -> None:
    """Raise the one Unauthorized for whatever is wrong: a caller who guesses learns nothing."""
    refusal = errors.Unauthorized("The webhook's signature or timestamp is not valid.")
    if not 0 < len(request.headers.get("webhook-id", "")) <= _LONGEST_ID:
        raise refusal
    for secret in settings().webhook_secrets:
        try:
            Webhook(secret).verify(raw, dict(request.headers), json_parse=False)
        except Exception as error:  # noqa: BLE001  # the library lets garbage in headers through as any exception
            log.debug("webhook signature refused", error=type(error).__name__)
        else:
            return
    raise refusal
