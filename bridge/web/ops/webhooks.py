"""/ops/webhooks: who is told of what happens here, how that goes, and what to do when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, url_for
from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import failures, webhooks
from bridge.web.endpoints import read_query
from bridge.web.ops import texts
from bridge.web.ops.console import go_back, new_blueprint, operator, page
from bridge.web.ops.pages import PER_PAGE, pager
from schemas.pages import PageSchema
from schemas.webhooks import STATUSES, DeliveriesQuerySchema

blueprint = new_blueprint("webhooks", "/ops/webhooks")

_page = PageSchema()
_query = DeliveriesQuerySchema()
_CONSEQUENCES = {
    "disable": "Nothing is sent to it any more. What waits for it fails, and can be replayed when it is enabled again.",
    "enable": "It is told what happens from now on. What failed meanwhile is not sent by itself: replay it.",
}


@blueprint.get("")
def list_webhooks() -> ResponseReturnValue:
    """Who is told, and how that goes."""
    given = {name: value for name, value in read_query().items() if value and name in _page.fields}
    query = _page.load({"limit": PER_PAGE, **given})
    with db.transaction() as conn:
        rows, count = webhooks.list_webhooks(conn, **query)
    return page(
        "webhooks",
        webhooks=[row | {"health": _health(row)} for row in rows],
        pager=pager("ops_webhooks.list_webhooks", given, query, count),
        may_refresh=True,
    )


@blueprint.get("/<webhook_id>")
def show_webhook(webhook_id: str) -> ResponseReturnValue:
    """A webhook, and its deliveries, newest first."""
    given = {name: value.strip() for name, value in read_query().items() if value.strip() and name in _query.fields}
    query = _query.load({"limit": PER_PAGE, **given})
    wanted = query | {"status": STATUSES.get(query["status"])}
    with db.transaction() as conn:
        webhook = webhooks.get_webhook(conn, webhook_id)
        rows, count = failures.list_events(conn, webhook_id=webhook_id, **wanted)
    return page(
        "webhook",
        webhook=webhook | {"health": _health(webhook)},
        deliveries=[row | {"sentence": texts.describe_event(row)} for row in rows],
        statuses=list(STATUSES),
        wanted=query,
        pager=pager("ops_webhooks.show_webhook", given | {"webhook_id": webhook_id}, query, count, counted_to=10_000),
    )


@blueprint.get("/<webhook_id>/<any(disable, enable):verb>")
def ask(webhook_id: str, verb: str) -> ResponseReturnValue:
    """Ask before a webhook is disabled or enabled."""
    with db.transaction() as conn:
        webhook = webhooks.get_webhook(conn, webhook_id)
    return page(
        "confirm",
        title=f"{verb.capitalize()} this webhook?",
        sentence=f"{webhook['url']}. {_CONSEQUENCES[verb]}",
        action=url_for(f"ops_webhooks.{verb}", webhook_id=webhook_id),
        fields={},
        button=verb.capitalize(),
        back=url_for("ops_webhooks.show_webhook", webhook_id=webhook_id),
    )


@blueprint.post("/<webhook_id>/disable")
def disable(webhook_id: str) -> ResponseReturnValue:
    """Tell it nothing more."""
    with db.transaction() as conn:
        webhooks.disable_webhook(conn, webhook_id, reason="disabled by a person", actor=operator().actor)
    flash("The webhook is disabled.", "ok")
    return go_back(url_for("ops_webhooks.show_webhook", webhook_id=webhook_id))


@blueprint.post("/<webhook_id>/enable")
def enable(webhook_id: str) -> ResponseReturnValue:
    """Tell it what happens from now on."""
    with db.transaction() as conn:
        webhooks.enable_webhook(conn, webhook_id, actor=operator().actor)
    flash("The webhook is enabled.", "ok")
    return go_back(url_for("ops_webhooks.show_webhook", webhook_id=webhook_id))


@blueprint.post("/<webhook_id>/test")
def send_test(webhook_id: str) -> ResponseReturnValue:
    """Send it a test."""
    with db.transaction() as conn:
        webhooks.send_test(conn, webhook_id)
    flash("A test is on its way; look at its deliveries in a moment.", "ok")
    return go_back(url_for("ops_webhooks.show_webhook", webhook_id=webhook_id))


def _health(webhook: Mapping[str, Any]) -> tuple[str, str]:
    """How a webhook fares: a pill and a sentence."""
    if not webhook["is_enabled"]:
        return "failed", f"Disabled {texts.ago(webhook['disabled_at'])}: {webhook['disabled_reason']}."
    if webhook["failures"]:
        again = f", tried again {texts.ago(webhook['retry_at'])}" if webhook["retry_at"] else ""
        times, since = texts.count(webhook["failures"], "time"), texts.utc(webhook["failing_since"])
        return "pending", f"Has failed {times} in a row since {since}{again}."
    if webhook["succeeded_at"]:
        return "applied", f"The last delivery arrived {texts.ago(webhook['succeeded_at'])}."
    return "applied", "Nothing was delivered yet."
