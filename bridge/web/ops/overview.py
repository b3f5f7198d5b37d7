"""/ops: is all well, and if not, what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.routing import BaseConverter

from bridge import db
from bridge.core import audits, failures, overview
from bridge.errors import NotFound
from bridge.rules.findings import Explanation, explain
from bridge.web.ops import texts
from bridge.web.ops.console import new_blueprint, page

# An event is a second's work; one that waits a minute says that something does not keep up.
WORRYING_SECONDS = 60
SHOWN_FAILURES = 10
SHOWN_FINDINGS = 20


class _ConsolePath(BaseConverter):
    """Any path below /ops but those of the API, which answers in JSON."""

    regex = r"(?!api(?:/|$)).+"
    part_isolating = False


blueprint = new_blueprint("overview", "/ops")


@blueprint.record
def _add_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["console_path"] = _ConsolePath


@blueprint.get("/", strict_slashes=False)
def show_overview() -> ResponseReturnValue:
    """The numbers, and what failed last."""
    with db.transaction() as conn:
        numbers = overview.get_overview(conn)
        failed, _count = failures.list_events(conn, status="failed", limit=SHOWN_FAILURES)
        audit = audits.last_audit(conn)
    tiles = _tiles(numbers)
    troubles = [tile["trouble"] for tile in tiles if tile["trouble"]]
    return page("overview", tiles=tiles, troubles=troubles, failed=failed, findings=_findings(audit), may_refresh=True)


@blueprint.get("/<console_path:_anything>")
def show_nothing(_anything: str) -> ResponseReturnValue:
    """A page, not JSON, for an address that leads nowhere."""
    raise NotFound("There is no such page.")


def _tiles(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each number with its label, where it leads, and what is wrong with it, if anything."""
    failed, waiting, lag = numbers["failed"], numbers["oldest_pending_seconds"], numbers["relay_lag_seconds"]
    paused, drift, short = numbers["paused_queues"], numbers["audit_drift"], numbers["open_shortfalls"]
    alive = numbers["alive"]
    missing = [kind for kind in ("relay", "worker", "sender", "beat") if not alive[kind]]
    events, queues = url_for("ops_events.list_events", status="failed"), url_for("ops_queues.list_queues")
    return [
        _tile("Failed events", failed, events, f"{texts.count(failed, 'event')} failed" if failed else None),
        _tile(
            "Open shortfalls",
            short,
            url_for("ops_shortfalls.list_shortfalls"),
            f"{texts.count(short, 'paid order line')} without a place" if short else None,
        ),
        _tile(
            "Waiting",
            numbers["pending"],
            url_for("ops_events.list_events", status="pending"),
            None,
            note=_deliveries(numbers["pending_deliveries"]),
        ),
        _tile(
            "Oldest waiting",
            texts.span(waiting) if waiting else "–",
            queues,
            f"the oldest event has waited {texts.span(waiting)}" if waiting > WORRYING_SECONDS else None,
        ),
        _tile("Relay lag", texts.span(lag) if lag else "–", queues, _lag_trouble(lag)),
        _tile("Paused queues", len(paused), queues, f"paused: {', '.join(paused)}" if paused else None),
        _tile(
            "Workers alive",
            alive["worker"],
            url_for("ops_workers.list_workers"),
            f"not running: {', '.join(missing)}" if missing else None,
        ),
        _tile(
            "Audit drift",
            "–" if drift is None else drift,
            url_for("ops_overview.show_overview", _anchor="audit"),
            f"the ledger does not add up: {texts.count(drift, 'finding')}" if drift else None,
            note=_checked(numbers),
        ),
    ]


def _deliveries(waiting: int) -> str:
    """Why some may wait although nothing here is late: whom they are for is away."""
    return f"{waiting:,} for receivers of webhooks" if waiting else ""


def _checked(numbers: Mapping[str, Any]) -> str:
    if numbers["audit_checked_at"] is None:
        return "never checked"
    when = texts.ago(numbers["audit_checked_at"])
    if not numbers["audit_is_partial"]:
        return f"checked {when}"
    whole = numbers["audit_round_ended_at"]
    return f"part of it checked {when}, all of it {texts.ago(whole) if whole else 'not yet'}"


def _findings(audit: Mapping[str, Any] | None) -> list[Explanation]:
    return [explain(finding) for finding in audit["findings"][:SHOWN_FINDINGS]] if audit else []


def _lag_trouble(seconds: float) -> str | None:
    return f"the relay is {texts.span(seconds)} behind" if seconds > WORRYING_SECONDS else None


def _tile(label: str, value: Any, href: str, trouble: str | None, note: str = "") -> dict[str, Any]:
    return {"label": label, "value": value, "href": href, "trouble": trouble, "note": note}
