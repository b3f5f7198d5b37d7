"""How a route reads its request: the same schemas validate it and describe it in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from flask import Response, current_app, make_response, request
from marshmallow import Schema

from bridge import db
from bridge.config import Config
from bridge.core import idempotency
from bridge.errors import (
    BridgeError,
    InvalidData,
    MalformedJson,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from bridge.rules.money import round_money

View = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the OpenAPI document says of a route."""

    summary: str
    body: Schema | None = None
    query: Schema | None = None
    answers: dict[int, tuple[Schema, ...]] = field(default_factory=dict)  # Of several: it is one of these.
    errors: tuple[type[BridgeError], ...] = ()
    creates: bool = False
    documents: Mapping[str, Any] = field(default_factory=dict)


def endpoint(
    *,
    body: type[Schema] | None = None,
    query: type[Schema] | None = None,
    answers: Mapping[int, type[Schema] | tuple[type[Schema], ...] | None] | None = None,
    errors: tuple[type[BridgeError], ...] = (),
    creates: bool = False,
    calls_out: bool = False,
    documents: Mapping[str, Any] | None = None,
) -> Callable[[View], View]:
    """Load `body` and `query` before the view, which gets them as keyword arguments of these names.

    `creates` makes the route take an Idempotency-Key. With `calls_out` the answer is kept after it, not with its
    effect, for the view waits on the network: it must be safe to run twice at once. `documents` is what the OpenAPI
    operation says besides. Several schemas for one status: the answer is of one of them. Raises InvalidData, which
    names the fields.
    """
    body_schema = body() if body else None
    query_schema = query() if query else None

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(**kwargs: Any) -> Any:
            for name, part in kwargs.items():
                if "\0" in part:
                    raise InvalidData(f"{name}: Must not contain NUL characters.")
            if query_schema is not None:
                kwargs["query"] = query_schema.load(read_query())
            if body_schema is not None:
                kwargs["body"] = body_schema.load(read_json())
            if creates and "Idempotency-Key" in request.headers:
                return (_answer_once_from_afar if calls_out else _answer_once)(view, kwargs)
            return view(**kwargs)

        wrapper.description = Description(  # type: ignore[attr-defined]  # functions take attributes; typeshed does not say so
            summary=(view.__doc__ or "").strip().split("\n")[0],
            body=body_schema,
            query=query_schema,
            answers={status: _made(schemas) for status, schemas in (answers or {}).items()},
            errors=errors,
            creates=creates,
            documents=documents or {},
        )
        return wrapper

    return decorate


def _made(schemas: type[Schema] | tuple[type[Schema], ...] | None) -> tuple[Schema, ...]:
    kinds = schemas if isinstance(schemas, tuple) else (schemas,)
    return tuple(kind() for kind in kinds if kind is not None)


def settings() -> Config:
    """The settings this application was made with."""
    config: Config = current_app.config["BRIDGE"]
    return config


def in_our_currency(body: dict[str, Any], name: str) -> dict[str, Any]:
    """`body` with the amount of this name, if there is one, in whole minor units: what is shown is what is charged."""
    if body.get(name) is None:
        return body
    return {**body, name: round_money(body[name], settings().default_currency)}


def read_json() -> Any:
    """The body as JSON; of none at all, an object with nothing in it. Raises UnsupportedMediaType or MalformedJson."""
    raw = read_body()
    # Clients that have nothing to say send no Content-Type either; a schema names what it misses.
    if not raw:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    parsed = parse_json(raw)
    if not isinstance(parsed, dict):
        raise InvalidData("The body must be a JSON object.")
    return parsed


def read_body() -> bytes:
    """The body's bytes. Raises PayloadTooLarge."""
    raw = request.get_data(cache=True)
    # Without a Content-Length the server stops reading at the limit, and says nothing.
    if request.content_length is None and len(raw) >= (request.max_content_length or 0):
        raise PayloadTooLarge
    return raw


def parse_json(raw: bytes) -> Any:
    """`raw` as strict JSON, without NUL characters, which no text column takes. Raises MalformedJson."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The body is not valid JSON: {error}.") from error
    if b"\\u0000" in raw and (path := _find_nul(parsed)) is not None:
        raise InvalidData(f"{path or 'body'}: Must not contain NUL characters.")
    return parsed


def read_query() -> dict[str, str]:
    """The query's parameters; one given twice is an error, as is a NUL in one."""
    # As werkzeug reads it; its MultiDict would cost more than everything else here.
    pairs = parse_qsl(request.query_string.decode(), keep_blank_values=True, errors="werkzeug.url_quote")
    if any("\0" in name or "\0" in value for name, value in pairs):
        named = [name for name, value in pairs if "\0" in name + value]
        raise InvalidData(f"{', '.join(named)}: Must not contain NUL characters.".replace("\0", ""))
    query = dict(pairs)
    if len(query) < len(pairs):
        names = [name for name, _value in pairs]
        raise InvalidData(f"Given more than once: {', '.join(name for name in query if names.count(name) > 1)}.")
    return query


def _find_nul(value: Any) -> str | None:
    """Where a NUL stands: the path of its field; None when there is none."""
    waiting = [("", value)]  # Not recursive: a body may be nested as deep as Python's stack.
    while waiting:
        path, part = waiting.pop()
        if isinstance(part, str) and "\0" in part:
            return path
        if isinstance(part, dict):
            waiting += [(path, name) for name in part]
            waiting += [(f"{path}.{name}".lstrip("."), inner) for name, inner in part.items()]
        elif isinstance(part, list):
            waiting += [(f"{path}.{n}".lstrip("."), inner) for n, inner in enumerate(part)]
    return None


def _answer_once(view: View, kwargs: dict[str, Any]) -> Response:
    """The view's answer, kept under the Idempotency-Key in the transaction of its effect."""
    asked = _keyed_request()
    with db.transaction() as conn:
        kept = idempotency.begin(conn, **asked)
        if kept is not None:
            return _replay(kept)
        response = make_response(view(**kwargs))
        if response.status_code < HTTPStatus.BAD_REQUEST:
            idempotency.finish(
                conn,
                scope=asked["scope"],
                key=asked["key"],
                status=response.status_code,
                body=response.get_data(),
            )
        return response


def _answer_once_from_afar(view: View, kwargs: dict[str, Any]) -> Response:
    """The answer of a view that waits on the network, kept when it is there: nothing stays locked meanwhile."""
    asked = _keyed_request()
    with db.transaction() as conn:
        kept = idempotency.find(conn, **asked)
    if kept is not None:
        return _replay(kept)
    response = make_response(view(**kwargs))
    if response.status_code < HTTPStatus.BAD_REQUEST:
        with db.transaction() as conn:
            idempotency.keep(conn, **asked, status=response.status_code, body=response.get_data())
    return response


def _keyed_request() -> dict[str, Any]:
    key = request.headers["Idempotency-Key"]
    if not 1 <= len(key) <= 200 or "\0" in key:
        raise InvalidData("Idempotency-Key: 1 to 200 characters.")
    scope = f"{request.method} {request.path} {request.headers.get('Authorization', '')}"
    return {"scope": scope, "key": key, "request": request.get_data(cache=True)}


def _replay(kept: idempotency.KeptAnswer) -> Response:
    replay = Response(kept.body, kept.status, content_type="application/json")
    replay.headers["Idempotent-Replayed"] = "true"
    return replay
