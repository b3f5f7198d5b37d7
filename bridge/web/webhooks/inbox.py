"""What every platform's webhook is taken in by: strict JSON, and a first word on what will become of it."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import orjson

from bridge import errors

MAX_BODY_BYTES = 1024 * 1024


def read_document(raw: bytes) -> Any:
    """The body as JSON; None where it is JSON that we cannot read. Raises MalformedJson."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if _is_json(raw):
            return None  # Half a surrogate pair, say: no fault of the sender's, so it is kept for people.
        raise errors.MalformedJson(f"The body is not valid JSON: {error}.") from error


def first_verdict(document: Any, platform: ModuleType) -> dict[str, Any]:
    """Type and status to store: what we cannot read is kept for people, what we do not know is kept aside."""
    event_type = document.get("type") if isinstance(document, dict) else None
    if not isinstance(event_type, str) or not 0 < len(event_type) <= 200 or "\0" in event_type:
        return {
            "type": "unreadable",
            "status": "failed",
            "error_code": errors.UnreadableEvent.code,
            "error": "The body has no `type` that is a string.",
        }
    if not platform.is_known(event_type):
        return {"type": event_type, "status": "ignored", "outcome": f"{event_type} is not an event the bridge acts on"}
    return {"type": event_type, "status": "pending"}


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
