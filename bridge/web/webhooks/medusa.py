"""POST /webhooks/medusa: check the signature on the raw bytes, store the event once, answer."""

from __future__ import annotations

import json
from typing import Any

import orjson
import structlog
from flask import Blueprint, g, request
from standardwebhooks import Webhook

from bridge import db, errors
from bridge.core import events
from bridge.platforms import medusa
from bridge.web.endpoints import endpoint, read_body, settings
from schemas.events import ReceiptSchema

MAX_BODY_BYTES = 1024 * 1024
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
    document = _read(raw)
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
            **_first_verdict(document),
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


def _read(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if _is_json(raw):
            return None  # Half a surrogate pair, say: no fault of the sender's, so it is kept for people.
        raise errors.MalformedJson(f"The body is not valid JSON: {error}.") from error


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _first_verdict(document: Any) -> dict[str, Any]:
    """Type and status to store: what we cannot read is kept for people, what we do not know is kept aside."""
    event_type = document.get("type") if isinstance(document, dict) else None
    if not isinstance(event_type, str) or not 0 < len(event_type) <= 200 or "\0" in event_type:
        return {
            "type": "unreadable",
            "status": "failed",
            "error_code": errors.UnreadableEvent.code,
            "error": "The body has no `type` that is a string.",
        }
    if not medusa.is_known(event_type):
        return {"type": event_type, "status": "ignored", "outcome": f"{event_type} is not an event the bridge acts on"}
    return {"type": event_type, "status": "pending"}
