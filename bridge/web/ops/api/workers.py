"""/ops/api/workers: which processes are there."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import failures
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.workers import WorkersSchema

blueprint = Blueprint("ops_api_workers", __name__, url_prefix="/ops/api/workers")
blueprint.before_request(auth.demand("ops"))

_all = WorkersSchema()


@blueprint.get("")
@endpoint(answers={200: WorkersSchema})
def list_workers() -> Any:
    """Every process that was there in the last minutes."""
    with db.transaction() as conn:
        return _all.dump({"workers": failures.list_workers(conn)})
