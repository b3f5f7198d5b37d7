"""/ops/api/overview: how the bridge is doing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import overview
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.overview import OverviewAnswerSchema

blueprint = Blueprint("ops_api_overview", __name__, url_prefix="/ops/api/overview")
blueprint.before_request(auth.demand("ops"))

_numbers = OverviewAnswerSchema()


@blueprint.get("")
@endpoint(answers={200: OverviewAnswerSchema})
def get_overview() -> Any:
    """The numbers that say whether somebody must get up."""
    with db.transaction() as conn:
        return _numbers.dump({"overview": overview.get_overview(conn)})
