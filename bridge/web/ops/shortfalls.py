"""/ops/shortfalls: paid orders without a place, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import resolutions, shortfalls
from bridge.errors import InvalidData
from bridge.web.endpoints import read_query
from bridge.web.ops.console import go_back, new_blueprint, operator, page, read_field
from bridge.web.ops.pages import PER_PAGE, pager
from schemas.shortfalls import ACTIONS, ShortfallsQuerySchema

blueprint = new_blueprint("shortfalls", "/ops/shortfalls")

_DONE = {
    "retry": "There was room after all: the place is taken.",
    "force": "The place is taken above capacity.",
    "refund": "The line is given up; the platform is asked to pay it back.",
    "dismiss": "The shortfall is dismissed; nothing else was changed.",
}
_query = ShortfallsQuerySchema()


@blueprint.get("")
def list_shortfalls() -> ResponseReturnValue:
    """Shortfalls, newest first; the open ones unless others are asked for."""
    given = {name: value for name, value in read_query().items() if value}
    status = given.pop("status", "open")
    query = _query.load({"limit": PER_PAGE, **given, **({} if status == "all" else {"status": status})})
    with db.transaction() as conn:
        rows, count = shortfalls.list_shortfalls(conn, **query)
    shown = [row | {"wanted": _missing(row), "instead": _alternatives(row)} for row in rows]
    return page(
        "shortfalls",
        shortfalls=shown,
        status=status,
        order_id=query["order_id"] or "",
        pager=pager("ops_shortfalls.list_shortfalls", given | {"status": status}, query, count),
    )


@blueprint.post("/<shortfall_id>/resolve")
def resolve(shortfall_id: str) -> ResponseReturnValue:
    """Try again, sell above capacity, pay back, or leave it."""
    action = request.form.get("action", "")
    if action not in ACTIONS:
        raise InvalidData(f"Choose one of {', '.join(ACTIONS)}.")
    note = read_field("note", is_required=False) or None
    with db.transaction() as conn:
        resolutions.resolve_shortfall(conn, shortfall_id, action=action, note=note, actor=operator().actor)
    flash(_DONE[action], "ok")
    return go_back(url_for("ops_shortfalls.list_shortfalls"))


def _missing(row: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{slot['quantity']} on {slot.get('date') or slot.get('start_at') or slot.get('slot_id')}"
        for slot in row["missing"]
    )


def _alternatives(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{day['date']} ({day['available']} free)" for day in row["alternatives"])
