"""/ops/queues: how much waits where, and stopping it."""

from __future__ import annotations

from flask import flash, url_for
from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import events, failures
from bridge.errors import QueueNotFound
from bridge.web.ops.console import go_back, new_blueprint, operator, page

blueprint = new_blueprint("queues", "/ops/queues")

_CONSEQUENCES = {
    "pause": "Its events are still received and kept, but nothing happens with them until somebody resumes it.",
    "resume": "Whatever waits in it is worked on at once.",
}


@blueprint.get("")
def list_queues() -> ResponseReturnValue:
    """Every queue and what waits in it."""
    with db.transaction() as conn:
        queues = failures.list_queues(conn)
    return page("queues", queues=queues, may_refresh=True)


@blueprint.get("/<name>/<any(pause, resume):verb>")
def ask(name: str, verb: str) -> ResponseReturnValue:
    """Ask before a queue is paused or resumed."""
    if name not in events.QUEUES:
        raise QueueNotFound
    return page(
        "confirm",
        title=f"{verb.capitalize()} {name}?",
        sentence=_CONSEQUENCES[verb],
        action=url_for(f"ops_queues.{verb}", name=name),
        fields={},
        button=verb.capitalize(),
        back=url_for("ops_queues.list_queues"),
    )


@blueprint.post("/<name>/pause")
def pause(name: str) -> ResponseReturnValue:
    """Let the events of a queue wait."""
    with db.transaction() as conn:
        failures.pause_queue(conn, name, actor=operator().actor)
    flash(f"{name} is paused.", "ok")
    return go_back(url_for("ops_queues.list_queues"))


@blueprint.post("/<name>/resume")
def resume(name: str) -> ResponseReturnValue:
    """Work on a queue again."""
    with db.transaction() as conn:
        failures.resume_queue(conn, name, actor=operator().actor)
    flash(f"{name} is worked on again.", "ok")
    return go_back(url_for("ops_queues.list_queues"))
