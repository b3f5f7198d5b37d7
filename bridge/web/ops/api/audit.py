"""/ops/api/audit: whether the ledger adds up."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import audits
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.overview import AuditAnswerSchema

blueprint = Blueprint("ops_api_audit", __name__, url_prefix="/ops/api/audit")
blueprint.before_request(auth.demand("ops"))

_last = AuditAnswerSchema()


@blueprint.get("")
@endpoint(answers={200: AuditAnswerSchema})
def get_audit() -> Any:
    """What the auditor last found; nothing is what it should be."""
    with db.transaction() as conn:
        return _last.dump({"audit": audits.last_audit(conn)})
