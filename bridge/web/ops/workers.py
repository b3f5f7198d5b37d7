"""/ops/workers: which processes are there."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import failures
from bridge.web.ops.console import new_blueprint, page

blueprint = new_blueprint("workers", "/ops/workers")


@blueprint.get("")
def list_workers() -> ResponseReturnValue:
    """Every process that was there in the last minutes."""
    with db.transaction() as conn:
        workers = failures.list_workers(conn)
    return page("workers", workers=workers, may_refresh=True)
