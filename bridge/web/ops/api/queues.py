"""/ops/api/queues: how much waits where, and stopping it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import failures
from bridge.db import Connection
from bridge.errors import QueueNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.queues import QueueAnswerSchema, QueuesSchema

blueprint = Blueprint("ops_api_queues", __name__, url_prefix="/ops/api/queues")
blueprint.before_request(auth.demand("ops"))

_one = QueueAnswerSchema()
_all = QueuesSchema()


@blueprint.get("")
@endpoint(answers={200: QueuesSchema})
def list_queues() -> Any:
    """Every queue and what waits in it."""
    with db.transaction() as conn:
        return _all.dump({"queues": failures.list_queues(conn)})


@blueprint.post("/<name>/pause")
@endpoint(answers={200: QueueAnswerSchema}, errors=(QueueNotFound,))
def pause_queue(name: str) -> Any:
    """Let the events of a queue wait; they are still received."""
    with db.transaction() as conn:
        failures.pause_queue(conn, name, actor=auth.actor())
        return _answer(conn, name)


@blueprint.post("/<name>/resume")
@endpoint(answers={200: QueueAnswerSchema}, errors=(QueueNotFound,))
def resume_queue(name: str) -> Any:
    """Work on a queue again."""
    with db.transaction() as conn:
        failures.resume_queue(conn, name, actor=auth.actor())
        return _answer(conn, name)


def _answer(conn: Connection, name: str) -> Any:
    return _one.dump({"queue": next(queue for queue in failures.list_queues(conn) if queue["name"] == name)})
