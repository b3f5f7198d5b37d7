"""The Flask application's own classes: what Flask does for everybody, and need not do for us, is left out here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson
from flask import Flask, Request, Response
from flask.json.provider import JSONProvider

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY_BYTES = 256 * 1024  # Webhooks may be larger: see webhooks/medusa.py.
# Statuses that have a body, and headers that werkzeug has nothing to add to: no redirect.
_PLAIN = frozenset({200, 201, 202, *range(400, 500), *range(500, 600)})


class BridgeRequest(Request):
    """A request whose body is bounded."""

    max_content_length = MAX_BODY_BYTES


class BridgeResponse(Response):
    """A response that is handed to the server whole, where it is whole.

    Werkzeug wraps every body in an iterator that can be closed, which granian fetches a piece at a time, asking for the
    interpreter each time; a list it sends in one go.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """What WSGI asks for."""
        is_whole = type(self.response) is list and self.status_code in _PLAIN and "Content-Length" in self.headers
        if not is_whole or self._on_close or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, list(self.headers))
        return self.response  # type: ignore[return-value]  # bytes, as the length is known


class OrjsonProvider(JSONProvider):
    """JSON by orjson: several times faster, and strict."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        content = self._prepare_response_obj(args, kwargs)
        return BridgeResponse(orjson.dumps(content), mimetype="application/json")


class BridgeApp(Flask):
    """The application. All of its functions are plain ones, so none is asked six times a request whether it is."""

    request_class = BridgeRequest
    response_class = BridgeResponse
    json_provider_class = OrjsonProvider

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func
