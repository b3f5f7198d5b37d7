"""How the bridge is doing, in a few numbers."""

from __future__ import annotations

from marshmallow import Schema, fields

from schemas.events import Json
from schemas.fields import Count, Instant


class OverviewSchema(Schema):
    """The numbers that say whether somebody must get up."""

    failed = Count()
    pending = Count()
    pending_deliveries = Count(metadata={"description": "Of these, those for receivers of webhooks."})
    oldest_pending_seconds = fields.Float(metadata={"description": "Of all but deliveries."})
    relay_lag_seconds = fields.Float()
    paused_queues = fields.List(fields.String())
    alive = fields.Dict(keys=fields.String(), values=fields.Integer())
    audit_drift = Count(allow_none=True, metadata={"description": "Must be 0; null before the first audit."})
    audit_checked_at = Instant(allow_none=True)
    audit_round_ended_at = Instant(
        allow_none=True, metadata={"description": "When all of the ledger had last been looked at."}
    )
    audit_is_partial = fields.Boolean(
        allow_none=True, metadata={"description": "Whether the last run looked at a part of a large ledger only."}
    )
    open_shortfalls = Count()


class OverviewAnswerSchema(Schema):
    """How the bridge is doing."""

    overview = fields.Nested(OverviewSchema)


class AuditSchema(Schema):
    """What the auditor found."""

    checked_at = Instant()
    is_partial = fields.Boolean(metadata={"description": "Whether the last run looked at a part only."})
    round_ended_at = Instant(
        allow_none=True, metadata={"description": "When all of the ledger had last been looked at."}
    )
    drift = Count()
    findings = Json(metadata={"description": "Each with what it means, what --repair does, and what people should do."})


class AuditAnswerSchema(Schema):
    """The last audit; null before the first."""

    audit = fields.Nested(AuditSchema, allow_none=True)
