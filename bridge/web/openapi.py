"""/openapi.json and /docs: the contract, generated from the schemas that validate it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, current_app, jsonify
from flask_swagger_ui import get_swaggerui_blueprint
from marshmallow import Schema
from werkzeug.routing import Rule

from bridge import errors
from bridge.errors import BridgeError
from bridge.web.endpoints import Description
from bridge.web.errors import STATUS
from bridge.web.outgoing import describe_webhooks

VERSION = "0.1.0"
_ANYBODY = (
    *("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/store", "/webhooks", "/static"),
    # Not whole prefixes: beside these stand routes that ask who is calling.
    *("/api/calendar/availability", "/api/calendar/tours/", "/api/calendar/bookings/reference/"),
    *("/api/check-availability", "/api/reserve-availability", "/api/reservations/", "/api/create-checkout-session"),
    *("/api/cleanup-expired", "/api/webhook"),  # The sweep says by itself that it needs a key.
)
_OPEN_RULES = {"/api/calendar/bookings", "/api/calendar/waitlist"}
# The chapters of /docs: whose paths begin so, the first that fits.
_CHAPTERS = (
    ("/store", "store", "What a shop asks and holds for its customers."),
    ("/api/calendar", "calendar", "Tours: their departures, bookings and waitlists, for customers and staff."),
    ("/api/webhook", "webhooks", "What platforms tell us, signed."),
    ("/webhooks", "webhooks", ""),
    ("/api", "reservations", "Several items under one number, with one time to pay and one payment."),
    ("/admin", "admin", "For staff: what is sold, and what is booked. With a key of scope `admin`."),
    ("/ops", "ops", "For programs of those who operate the bridge. With a key of scope `ops`."),
    ("/", "health", "Whether the bridge is up, and well."),
)
_HIDDEN_METHODS = {"HEAD", "OPTIONS"}

blueprint = Blueprint("openapi", __name__)
docs = get_swaggerui_blueprint("/docs", "/openapi.json", config={"app_name": "Booking bridge", "docExpansion": "none"})


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI 3.1 document."""
    return jsonify(_document())


@cache
def _document() -> dict[str, Any]:
    spec = APISpec(
        title="Booking bridge",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": "Sells the time of a business, between a commerce platform and a ledger."},
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
    )
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Error", _ERROR)
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        description = getattr(current_app.view_functions[rule.endpoint], "description", None)
        if isinstance(description, Description):
            spec.path(path=re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), operations=_operations(rule, description))
    for _prefix, name, text in _CHAPTERS:
        if text:
            spec.tag({"name": name, "description": text})
    webhooks = describe_webhooks(spec)
    return {**spec.to_dict(), "webhooks": webhooks}


_ERROR = {
    "type": "object",
    "required": ["type", "code", "message", "details"],
    "properties": {
        "type": {"type": "string", "enum": sorted(STATUS)},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "details": {"type": "object"},
    },
}


def _operations(rule: Rule, description: Description) -> dict[str, Any]:
    is_public = rule.rule.startswith(_ANYBODY) or rule.rule in _OPEN_RULES
    raised: list[type[BridgeError]] = [*description.errors, errors.InvalidData, errors.Unavailable]
    if not is_public:
        raised += [errors.Unauthorized, errors.Forbidden]
    if description.body is not None:
        raised += [errors.UnsupportedMediaType, errors.PayloadTooLarge]
    if description.creates:
        raised.append(errors.IdempotencyKeyReused)
    if rule.rule.startswith(("/store", "/api/calendar/bookings", "/api/calendar/waitlist")):
        raised.append(errors.TooManyRequests)
    operation: dict[str, Any] = {
        "summary": description.summary,
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [next(name for prefix, name, _text in _CHAPTERS if rule.rule.startswith(prefix))],
        "parameters": _parameters(rule, description),
        "responses": _answers(description) | _errors(raised),
    }
    if description.body is not None:
        is_required = bool(description.body.validate({}))
        operation["requestBody"] = {
            "required": is_required,
            "content": {"application/json": {"schema": description.body}},
        }
    if not is_public:
        operation["security"] = [{"bearer": []}]
    operation["parameters"] += description.documents.get("parameters", [])
    operation |= {name: value for name, value in description.documents.items() if name != "parameters"}
    return {method.lower(): operation for method in (rule.methods or set()) - _HIDDEN_METHODS}


def _parameters(rule: Rule, description: Description) -> list[Any]:
    path = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}} for name in sorted(rule.arguments)
    ]
    query = [{"in": "query", "schema": description.query}] if description.query is not None else []
    key = {"in": "header", "name": "Idempotency-Key", "schema": {"type": "string", "maxLength": 200, "minLength": 1}}
    return [*path, *query, *([key] if description.creates else [])]


def _answers(description: Description) -> dict[str, Any]:
    return {str(status): _answer(schemas) for status, schemas in (description.answers or {200: ()}).items()}


def _answer(schemas: Sequence[Schema]) -> dict[str, Any]:
    if not schemas:
        return {"description": "No body."}
    lines = [(type(schema).__doc__ or "").strip().split("\n")[0] for schema in schemas]
    # Not oneOf: of an answer whose fields are all optional more than one may be true.
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {"description": " Or: ".join(lines), "content": {"application/json": {"schema": schema}}}


def _errors(raised: list[type[BridgeError]]) -> dict[str, Any]:
    by_status: dict[str, list[str]] = {}
    for error in raised:
        status = "415" if error is errors.UnsupportedMediaType else str(STATUS[error.kind])
        by_status.setdefault(status, []).append(f"`{error.code}`: {(error.__doc__ or '').strip().split(chr(10))[0]}")
    schema = {"$ref": "#/components/schemas/Error"}
    return {
        status: {"description": " ".join(lines), "content": {"application/json": {"schema": schema}}}
        for status, lines in by_status.items()
    }


def _schema_name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")
