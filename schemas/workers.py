"""The bridge's own processes as ops sees them."""

from __future__ import annotations

from marshmallow import Schema, fields

from schemas.events import Json
from schemas.fields import Instant


class WorkerSchema(Schema):
    """A process that was there in the last minutes."""

    kind = fields.String(metadata={"enum": ["web", "relay", "worker", "beat"]})
    name = fields.String(metadata={"description": "host:pid"})
    alive = fields.Boolean()
    started_at = Instant()
    seen_at = Instant()
    progressed_at = Instant(allow_none=True, metadata={"description": "When it last had work in hand."})
    state = Json()


class WorkersSchema(Schema):
    """Every process."""

    workers = fields.List(fields.Nested(WorkerSchema))
