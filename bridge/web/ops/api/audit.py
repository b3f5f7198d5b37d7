"""/ops/api/audit: whether the ledger adds up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import audits
from bridge.rules.findings import explain
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
        audit = audits.last_audit(conn)
    if audit is not None:
        audit["findings"] = [finding | {"meaning": asdict(explain(finding))} for finding in audit["findings"]]
    return _last.dump({"audit": audit})
