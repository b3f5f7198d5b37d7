"""How a failure becomes an answer: one place maps kinds to HTTP."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import orjson
import psycopg
import structlog
from flask import Flask, Response, current_app
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge, UnsupportedMediaType

from bridge import errors
from bridge.errors import BridgeError
from bridge.web import observe
from schemas.fields import show_instant

STATUS = {
    "invalid_data": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_allowed": 405,
    "conflict": 409,
    "payload_too_large": 413,
    "too_many_requests": 429,
    "unavailable": 503,
    "unexpected_state": 500,
}

UNEXPECTED = "Something went wrong on our side; it has been logged."

log = structlog.get_logger("bridge.web")


def register(app: Flask) -> None:
    """Answer every exception in the contract's shape."""
    app.register_error_handler(BridgeError, answer_error)
    app.register_error_handler(ValidationError, _answer_validation)
    app.register_error_handler(psycopg.DataError, _answer_data_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)


def answer_error(error: BridgeError) -> Response:
    """The contract's error body, with the status of the error's kind."""
    observe.count_refusal(error)
    answer = {"type": error.kind, "code": error.code, "message": error.message, "details": error.details}
    shown = orjson.dumps(answer, default=_show, option=orjson.OPT_PASSTHROUGH_DATETIME)
    response = current_app.response_class(shown, mimetype="application/json")
    response.status_code = 415 if isinstance(error, errors.UnsupportedMediaType) else STATUS[error.kind]
    if isinstance(error, errors.Unavailable | errors.TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after)
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _show(value: Any) -> str:
    """An instant as every other answer has it, so that clients may compare the two as text."""
    if isinstance(value, datetime):
        return show_instant(value)
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _answer_validation(error: ValidationError) -> Response:
    fields = _keyed_by_text(error.normalized_messages())  # type: ignore[no-untyped-call]  # marshmallow leaves it untyped
    message = "; ".join(f"{path}: {text.rstrip('.')}" for path, text in _flatten(fields)) + "."
    return answer_error(errors.InvalidData(message[:1000], fields=fields))


def _answer_data_error(error: psycopg.DataError) -> Response:
    # The schemas should have caught it. The database did, so nothing was written.
    log.warning("the database refused a value", error=str(error))
    return answer_error(errors.InvalidData("A value is outside what can be stored."))


def _answer_http_exception(error: HTTPException) -> Response:
    translated: BridgeError
    match error:
        case NotFound():
            translated = errors.NotFound("There is nothing at this address.")
        case MethodNotAllowed():
            translated = errors.MethodNotAllowed()
        case RequestEntityTooLarge():
            translated = errors.PayloadTooLarge()
        case UnsupportedMediaType():
            translated = errors.UnsupportedMediaType()
        case _ if error.code is not None and 300 <= error.code < 400:
            return Response(error.get_body(), error.code, error.get_headers())
        case _ if error.code is not None and error.code >= 500:
            translated = BridgeError(UNEXPECTED)  # Flask has logged what led here.
        case _:
            translated = errors.InvalidData(error.description)
    response = answer_error(translated)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response


def _answer_unexpected(error: Exception) -> Response:
    log.exception("unexpected error")
    return answer_error(BridgeError(UNEXPECTED))


def _keyed_by_text(messages: Any) -> Any:
    """The messages as JSON takes them: what is wrong inside a list is filed under its number."""
    if isinstance(messages, dict):
        return {str(key): _keyed_by_text(value) for key, value in messages.items()}
    return messages


def _flatten(messages: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(messages, dict):
        return [
            leaf
            for key, value in messages.items()
            for leaf in _flatten(value, path if key == "_schema" else f"{path}.{key}".lstrip("."))
        ]
    return [(path or "body", " ".join(map(str, messages)))]
