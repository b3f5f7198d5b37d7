"""The HTTP door: the Flask application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask, Request, Response
from flask.json.provider import JSONProvider
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge import db, logs
from bridge.config import REQUIRED_BY_WEB, Config
from bridge.core import terms
from bridge.web import errors, health, limits, manage, observe, openapi
from bridge.web.admin import blueprints as admin
from bridge.web.manage import appointments as guests_appointments
from bridge.web.ops import blueprints as ops
from bridge.web.store import blueprints as store
from bridge.web.webhooks import blueprints as webhooks

MAX_BODY_BYTES = 256 * 1024  # Webhooks may be larger: see webhooks/medusa.py.


class OrjsonProvider(JSONProvider):
    """JSON by orjson: several times faster, and strict."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        content = self._prepare_response_obj(args, kwargs)
        return Response(orjson.dumps(content), mimetype="application/json")


class BridgeRequest(Request):
    """A request whose body is bounded."""

    max_content_length = MAX_BODY_BYTES


class BridgeApp(Flask):
    """The application. All of its functions are plain ones, so none is asked six times a request whether it is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(config: Config) -> Flask:
    """The application, ready to serve. Opens no connection yet."""
    config.require(*REQUIRED_BY_WEB)
    logs.configure(config.log_level)
    db.configure(config.database_url)
    terms.configure(config)
    app = BridgeApp("bridge.web", root_path=__path__[0])
    app.request_class = BridgeRequest
    app.json = OrjsonProvider(app)
    app.config.update(BRIDGE=config, SECRET_KEY=config.secret_key)
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # how Flask documents middleware
    for register in (observe.register, errors.register):
        register(app)
    limits.register(app, config)
    if config.cors_origins:
        CORS(
            app,
            resources={r"/(store|api)/.*": {"origins": list(config.cors_origins)}},
            expose_headers=["ETag", "Retry-After", "X-Request-Id"],
        )
    pages = (manage.blueprint, health.blueprint, openapi.blueprint, openapi.docs)
    for blueprint in (*store, *admin, *webhooks, *ops, *pages):
        app.register_blueprint(blueprint)
    manage.KINDS["appointment"] = guests_appointments
    return app
