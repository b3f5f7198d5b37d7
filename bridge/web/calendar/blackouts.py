"""/api/calendar/admin/blackouts: dates on which a tour, or everything, does not run."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import blackouts
from bridge.errors import BlackoutNotFound, ResourceNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.blackouts import DeletedBlackoutSchema, DryRunQuerySchema
from schemas.tour_blackouts import (
    CreatedTourBlackoutSchema,
    CreateTourBlackoutSchema,
    TourBlackoutsQuerySchema,
    TourBlackoutsSchema,
)

blueprint = Blueprint("calendar_blackouts", __name__, url_prefix="/api/calendar/admin/blackouts")
blueprint.before_request(auth.demand("admin"))

_created = CreatedTourBlackoutSchema()
_page = TourBlackoutsSchema()
_deleted = DeletedBlackoutSchema()


@blueprint.post("")
@endpoint(
    body=CreateTourBlackoutSchema,
    query=DryRunQuerySchema,
    answers={201: CreatedTourBlackoutSchema, 200: CreatedTourBlackoutSchema},
    errors=(ResourceNotFound,),
    creates=True,
)
def create_blackout(body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Close dates to sale; 200 says what would happen, after `dry_run`."""
    dry_run = body["dry_run"] or query["dry_run"]
    with db.transaction() as conn:
        effect = blackouts.create_blackout(conn, **body | {"dry_run": dry_run}, actor=auth.actor())
    counts = {
        name: getattr(effect, name)
        for name in ("holds_affected", "holds_cancelled", "allocations_affected", "affected")
    }
    shown = {name: getattr(effect.blackout, name) for name in effect.blackout.__dataclass_fields__}
    return _created.dump({**shown, **counts}), 200 if dry_run else 201


@blueprint.get("")
@endpoint(query=TourBlackoutsQuerySchema, answers={200: TourBlackoutsSchema})
def list_blackouts(query: dict[str, Any]) -> Any:
    """List blackouts, by date."""
    with db.transaction() as conn:
        page, count = blackouts.list_blackouts(conn, **query)
    return _page.dump({"blackouts": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.delete("/<blackout_id>")
@endpoint(answers={200: DeletedBlackoutSchema}, errors=(BlackoutNotFound,))
def delete_blackout(blackout_id: str) -> Any:
    """Open the dates of a blackout again."""
    with db.transaction() as conn:
        blackouts.delete_blackout(conn, blackout_id)
    return _deleted.dump({"id": blackout_id})
