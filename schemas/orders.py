"""What happened to an order."""

from __future__ import annotations

from marshmallow import Schema, fields

from schemas.events import Json
from schemas.fields import Instant


class TimelineEntrySchema(Schema):
    """One thing that happened."""

    at = Instant()
    kind = fields.String(metadata={"enum": ["event", "attempt", "journal", "shortfall", "action"]})
    id = fields.String(metadata={"description": "Of the event, hold or shortfall."})
    title = fields.String()
    details = Json()


class TimelineSchema(Schema):
    """All that happened to an order, the oldest first; empty for an order nobody spoke of."""

    order_id = fields.String()
    timeline = fields.List(fields.Nested(TimelineEntrySchema))
