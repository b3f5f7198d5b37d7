"""/api/cleanup-expired: a closing page gives its reservation back; a program has everything lapsed tidied up."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, request

from bridge import db, errors
from bridge.core import holds, reservations
from bridge.web import auth
from bridge.web.endpoints import endpoint, parse_json, read_body
from bridge.web.limits import limit_writes
from schemas.reservations import CleanupSchema, ReleasedSchema, SweptSchema

# A scheduled request may wait so long; what is left then, the next one does, or the sweeper.
BUDGET_SECONDS = 10
BATCH = 500

blueprint = Blueprint("api_cleanup", __name__, url_prefix="/api")
blueprint.before_request(limit_writes)

_beacon = CleanupSchema()
_BODIES = ("application/json", "text/plain", "")


@blueprint.post("/cleanup-expired")
@endpoint(
    answers={200: ReleasedSchema},
    errors=(errors.UnsupportedMediaType, errors.MalformedJson, errors.TooManyRequests),
    documents={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": CleanupSchema}, "text/plain": {"schema": {"type": "string"}}},
        }
    },
)
def release_by_beacon() -> Any:
    """Give a reservation back while its page closes. Again, after payment, or while it is being paid: nothing."""
    if request.mimetype not in _BODIES:
        raise errors.UnsupportedMediaType
    number = _beacon.load(parse_json(read_body()))["booking_number"]
    with db.transaction() as conn:
        released = reservations.release(conn, number, actor=auth.actor(), reason="the page was closed")
    return {"released": released}


@blueprint.get("/cleanup-expired")
@endpoint(
    answers={200: SweptSchema},
    errors=(errors.Unauthorized, errors.Forbidden),
    documents={"security": [{"bearer": []}]},
)
def sweep() -> Any:
    """Tidy up every hold that has lapsed. They counted as free before. Needs an API key with scope `system`."""
    auth.require("system")
    swept = {"cleaned": 0, "restored": 0}
    deadline = time.monotonic() + BUDGET_SECONDS
    while time.monotonic() < deadline:
        with db.transaction() as conn:
            expired = holds.expire_holds(conn, limit=BATCH)
            swept["restored"] += holds.count_restored(conn, expired)
        swept["cleaned"] += len(expired)
        if len(expired) < BATCH:
            break
    return swept
