"""/admin/resource-booking/blackouts: days on which nothing is sold."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import blackouts
from bridge.errors import BlackoutNotFound, ResourceNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.blackouts import (
    BlackoutsQuerySchema,
    BlackoutsSchema,
    CreateBlackoutSchema,
    CreatedBlackoutSchema,
    DeletedBlackoutSchema,
    DryRunQuerySchema,
)

blueprint = Blueprint("admin_blackouts", __name__, url_prefix="/admin/resource-booking/blackouts")
blueprint.before_request(auth.demand("admin"))

_created = CreatedBlackoutSchema()
_page = BlackoutsSchema()
_deleted = DeletedBlackoutSchema()


@blueprint.post("")
@endpoint(
    body=CreateBlackoutSchema,
    query=DryRunQuerySchema,
    answers={201: CreatedBlackoutSchema, 200: CreatedBlackoutSchema},
    errors=(ResourceNotFound,),
    creates=True,
)
def create_blackout(body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Close days to sale; 200 says what would happen, after `dry_run`."""
    dry_run = body["dry_run"] or query["dry_run"]
    with db.transaction() as conn:
        effect = blackouts.create_blackout(conn, **body | {"dry_run": dry_run}, actor=auth.actor())
    return _created.dump(effect), 200 if dry_run else 201


@blueprint.get("")
@endpoint(query=BlackoutsQuerySchema, answers={200: BlackoutsSchema})
def list_blackouts(query: dict[str, Any]) -> Any:
    """List blackouts, by date."""
    with db.transaction() as conn:
        page, count = blackouts.list_blackouts(conn, **query)
    return _page.dump({"blackouts": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.delete("/<blackout_id>")
@endpoint(answers={200: DeletedBlackoutSchema}, errors=(BlackoutNotFound,))
def delete_blackout(blackout_id: str) -> Any:
    """Open the days of a blackout again."""
    with db.transaction() as conn:
        blackouts.delete_blackout(conn, blackout_id)
    return _deleted.dump({"id": blackout_id})
