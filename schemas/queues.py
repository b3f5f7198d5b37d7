"""Queues as ops sees them."""

from __future__ import annotations

from marshmallow import Schema, fields

from schemas.fields import Count, Instant


class QueueSchema(Schema):
    """A queue, and how many of its events wait where."""

    name = fields.String()
    paused = fields.Boolean()
    paused_at = Instant(allow_none=True)
    paused_by = fields.String(allow_none=True)
    pending = Count(metadata={"description": "Not finished; the next three are among them."})
    due = Count()
    rung = Count(metadata={"description": "Handed to the broker; nobody has claimed them yet."})
    claimed = Count(metadata={"description": "In a worker's hands."})
    failed = Count()
    oldest_pending_seconds = fields.Float(allow_none=True)


class QueuesSchema(Schema):
    """Every queue."""

    queues = fields.List(fields.Nested(QueueSchema))


class QueueAnswerSchema(Schema):
    """One queue."""

    queue = fields.Nested(QueueSchema)
