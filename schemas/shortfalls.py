"""Shortfalls as staff see and resolve them."""

from __future__ import annotations

from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from schemas.fields import Instant, Text
from schemas.pages import PagedAnswerSchema, PageSchema

STATUSES = ("open", "resolved", "dismissed")
ACTIONS = ("retry", "force", "refund", "dismiss")


class ShortfallsQuerySchema(PageSchema):
    """Which shortfalls."""

    status = fields.String(load_default=None, validate=OneOf(STATUSES))
    order_id = Text(load_default=None)
    resource_id = Text(load_default=None)


class ResolveShortfallSchema(Schema):
    """Body of POST …/shortfalls/{id}/resolve."""

    action = fields.String(required=True, validate=OneOf(ACTIONS))
    note = Text(longest=1000, load_default=None, allow_none=True)


class MissingSchema(Schema):
    """What is missing on one slot: a `date`, a `slot_id` or a `start_at`, by how the resource is sold."""

    date = fields.String()
    slot_id = fields.String()
    start_at = fields.String()
    quantity = fields.Integer()


class ShortfallSchema(Schema):
    id = fields.String()
    order_id = fields.String()
    line_item_id = fields.String()
    resource_id = fields.String()
    missing = fields.List(fields.Nested(MissingSchema))
    alternatives = fields.List(fields.Dict())
    status = fields.String(metadata={"enum": list(STATUSES)})
    policy = fields.String()
    action = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    due_at = Instant()
    created_at = Instant()
    closed_at = Instant(allow_none=True)


class ShortfallAnswerSchema(Schema):
    """One shortfall."""

    shortfall = fields.Nested(ShortfallSchema)


class ShortfallsSchema(PagedAnswerSchema):
    """A page of shortfalls, newest first."""

    shortfalls = fields.List(fields.Nested(ShortfallSchema))
