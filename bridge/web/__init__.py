"""The HTTP door: the Flask application."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge import db, logs
from bridge.config import REQUIRED_BY_WEB, Config
from bridge.core import terms
from bridge.web import errors, health, limits, manage, observe, openapi
from bridge.web.admin import blueprints as admin
from bridge.web.api import blueprints as api
from bridge.web.app import BridgeApp
from bridge.web.calendar import blueprints as calendar
from bridge.web.manage import appointments as guests_appointments
from bridge.web.manage import bookings as guests_bookings
from bridge.web.manage import reservations as guests_reservations
from bridge.web.manage import waitlist as guests_waitlist
from bridge.web.ops import blueprints as ops
from bridge.web.store import blueprints as store
from bridge.web.webhooks import blueprints as webhooks


def create_app(config: Config) -> Flask:
    """The application, ready to serve. Opens no connection yet."""
    config.require(*REQUIRED_BY_WEB)
    logs.configure(config.log_level)
    db.configure(config.database_url)
    terms.configure(config)
    app = BridgeApp("bridge.web", root_path=__path__[0])
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
            expose_headers=["ETag", "Idempotent-Replayed", "Retry-After", "X-Request-Id"],
        )
        if "*" not in config.cors_origins:
            app.after_request(_vary_by_origin)
    pages = (manage.blueprint, health.blueprint, openapi.blueprint, openapi.docs)
    for blueprint in (*store, *api, *admin, *calendar, *webhooks, *ops, *pages):
        app.register_blueprint(blueprint)
    manage.KINDS["appointment"] = guests_appointments
    manage.KINDS["booking"] = guests_bookings
    manage.KINDS["waitlist"] = guests_waitlist
    manage.KINDS["reservation"] = guests_reservations
    return app


def _vary_by_origin(response: Response) -> Response:
    """Say that an answer depends on who asks, also when it was refused: a cache must not give it to another origin.

    The extension says so only of answers that allow an origin, and only where there are several.
    """
    if request.path.startswith(("/store/", "/api/")):
        response.vary.add("Origin")
    return response
