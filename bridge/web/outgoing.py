"""The `webhooks` of the OpenAPI document: what we send, from the schemas that dump it."""

from __future__ import annotations

from typing import Any

from apispec import APISpec

from schemas.announcements import TYPES, AnnouncementSchema

_PARAMETERS = [
    {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": description}
    for name, description in {
        "webhook-id": "The delivery's id, the same for every attempt: what was seen before needs no second look.",
        "webhook-timestamp": "When this attempt was signed, in seconds since 1970.",
        "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; two of them after a rotation.",
    }.items()
]
_ANSWERS = {
    "2XX": {"description": "It arrived. No more than the beginning of the answer is read."},
    "410": {"description": "Send nothing any more: the webhook is disabled at once."},
    "429": {"description": "Later. Like 503, with `Retry-After` if need be."},
    "default": {"description": "It did not arrive, redirects included: tried again for three days."},
}


def describe_webhooks(spec: APISpec) -> dict[str, Any]:
    """One operation for each type that is told; adds the schemas to the components of `spec`."""
    spec.components.schema("Announcement", schema=AnnouncementSchema)
    for schema in dict.fromkeys(schema for _says, schema in TYPES.values()):
        spec.components.schema(_name(schema), schema=schema)
    return {name: {"post": _operation(name, says, _name(schema))} for name, (says, schema) in TYPES.items()}


def _operation(name: str, says: str, schema: str) -> dict[str, Any]:
    particular = {
        "properties": {"type": {"const": name}, "data": {"$ref": f"#/components/schemas/{schema}"}},
    }
    body = {"allOf": [{"$ref": "#/components/schemas/Announcement"}, particular]}
    return {
        "summary": says,
        "operationId": "webhook_" + name.replace(".", "_"),
        "tags": ["webhooks out"],
        "parameters": _PARAMETERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _ANSWERS,
    }


def _name(schema: type) -> str:
    return schema.__name__.removesuffix("Schema")
