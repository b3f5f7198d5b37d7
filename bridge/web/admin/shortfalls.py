"""/admin/resource-booking/shortfalls: paid lines whose seats are gone."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db, errors
from bridge.core import resolutions, shortfalls
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.shortfalls import ResolveShortfallSchema, ShortfallAnswerSchema, ShortfallsQuerySchema, ShortfallsSchema

blueprint = Blueprint("admin_shortfalls", __name__, url_prefix="/admin/resource-booking/shortfalls")
blueprint.before_request(auth.demand("admin"))

_one = ShortfallAnswerSchema()
_page = ShortfallsSchema()


@blueprint.get("")
@endpoint(query=ShortfallsQuerySchema, answers={200: ShortfallsSchema})
def list_shortfalls(query: dict[str, Any]) -> Any:
    """Shortfalls, newest first."""
    with db.transaction() as conn:
        rows, count = shortfalls.list_shortfalls(conn, **query)
    return _page.dump({"shortfalls": rows, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<shortfall_id>")
@endpoint(answers={200: ShortfallAnswerSchema}, errors=(errors.ShortfallNotFound,))
def get_shortfall(shortfall_id: str) -> Any:
    """One shortfall."""
    with db.transaction() as conn:
        return _one.dump({"shortfall": shortfalls.get_shortfall(conn, shortfall_id)})


@blueprint.post("/<shortfall_id>/resolve")
@endpoint(
    body=ResolveShortfallSchema,
    answers={200: ShortfallAnswerSchema},
    creates=True,
    errors=(errors.ShortfallNotFound, errors.ShortfallClosed, errors.StillShort),
)
def resolve_shortfall(shortfall_id: str, body: dict[str, Any]) -> Any:
    """Try again, sell above capacity, pay back, or leave it."""
    with db.transaction() as conn:
        resolved = resolutions.resolve_shortfall(conn, shortfall_id, **body, actor=auth.actor())
    return _one.dump({"shortfall": resolved})
