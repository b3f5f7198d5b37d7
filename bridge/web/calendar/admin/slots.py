"""/api/calendar/admin/slots: departures that do not run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import slot_cancellations
from bridge.core.slot_cancellations import Preview
from bridge.errors import SlotCancelled, SlotNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.blackouts import DryRunQuerySchema
from schemas.slot_cancellations import (
    CancelledSlotAnswerSchema,
    CancelSlotSchema,
    PreviewSchema,
    SlotCancellationSchema,
)

blueprint = Blueprint("calendar_admin_slots", __name__, url_prefix="/api/calendar/admin/slots")
blueprint.before_request(auth.demand("admin"))

FIRST_STEPS = 2  # Of those that somebody waits for: the second finds out that the first was all.

_cancellation = SlotCancellationSchema()
_preview = PreviewSchema()


@blueprint.post("/<slot_id>/cancel")
@endpoint(
    body=CancelSlotSchema,
    query=DryRunQuerySchema,
    answers={200: CancelledSlotAnswerSchema},
    errors=(SlotNotFound, SlotCancelled),
    creates=True,
)
def cancel_slot(slot_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Cancel a departure: its parties are moved or cancelled, paid back and told. `dry_run` says whom it would meet."""
    dry_run = body.pop("dry_run") or query["dry_run"]
    if dry_run:
        with db.transaction() as conn:
            preview = slot_cancellations.preview(conn, slot_id, alternative_slot_id=body["alternative_slot_id"])
        return _preview.dump(_summed(preview))
    with db.transaction() as conn:
        begun = slot_cancellations.begin(conn, slot_id, **body, actor=auth.actor())
    # Most departures are dealt with before anybody could ask how far it is; what is left, a worker does.
    for _ in range(FIRST_STEPS):
        with db.transaction() as conn:
            if not slot_cancellations.take_step(conn, begun.slot_no):
                break
    return _show(slot_id)


@blueprint.get("/<slot_id>/cancel")
@endpoint(answers={200: SlotCancellationSchema}, errors=(SlotNotFound,))
def get_slot_cancellation(slot_id: str) -> Any:
    """How far the cancelling of a departure is."""
    return _show(slot_id)


def _show(slot_id: str) -> Any:
    with db.transaction() as conn:
        return _cancellation.dump(slot_cancellations.get_cancellation(conn, slot_id))


def _summed(preview: Preview) -> dict[str, Any]:
    actions = Counter(party.action for party in preview.parties)
    return {
        "slot_id": preview.slot.id,
        "alternative_slot_id": preview.alternative.id if preview.alternative else None,
        "cancelled": actions["cancel"],
        "moved": actions["move"],
        "holds_released": actions["release"],
        "waitlist_closed": preview.waiting,
        "parties": preview.parties,
    }
