"""/admin/webhooks: who is told of what happens here, and what they were told."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import failures, webhooks
from bridge.core.webhooks import NewSecret
from bridge.db import Connection
from bridge.errors import DeliveryNotFound, EventNotFound, EventNotRetryable, WebhookNotFound
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from schemas.pages import PageSchema
from schemas.webhooks import (
    STATUSES,
    CreateWebhookSchema,
    DeletedWebhookSchema,
    DeliveriesQuerySchema,
    DeliveriesSchema,
    DeliveryAnswerSchema,
    NewSecretSchema,
    ReplayDeliveriesSchema,
    ReplayedSchema,
    UpdateWebhookSchema,
    WebhookAnswerSchema,
    WebhooksSchema,
)

blueprint = Blueprint("admin_webhooks", __name__, url_prefix="/admin/webhooks")
blueprint.before_request(auth.demand("admin"))

_one = WebhookAnswerSchema()
_new = NewSecretSchema()
_page = WebhooksSchema()
_deleted = DeletedWebhookSchema()
_delivery = DeliveryAnswerSchema()
_deliveries = DeliveriesSchema()
_replayed = ReplayedSchema()


@blueprint.post("")
@endpoint(body=CreateWebhookSchema, answers={201: NewSecretSchema}, creates=True)
def create_webhook(body: dict[str, Any]) -> Any:
    """Tell somebody of what happens here; the secret that signs it is shown this once."""
    with db.transaction() as conn:
        made = webhooks.create_webhook(conn, **body, actor=auth.actor(), allow_private=_allow_private())
    return _with_secret(made), 201


@blueprint.get("")
@endpoint(query=PageSchema, answers={200: WebhooksSchema})
def list_webhooks(query: dict[str, Any]) -> Any:
    """List webhooks and how they fare, the oldest first."""
    with db.transaction() as conn:
        page, count = webhooks.list_webhooks(conn, **query)
    return _page.dump({"webhooks": page, "count": count, **query})


@blueprint.get("/<webhook_id>")
@endpoint(answers={200: WebhookAnswerSchema}, errors=(WebhookNotFound,))
def get_webhook(webhook_id: str) -> Any:
    """A webhook and how it fares."""
    with db.transaction() as conn:
        return _one.dump({"webhook": webhooks.get_webhook(conn, webhook_id)})


@blueprint.put("/<webhook_id>")
@endpoint(body=UpdateWebhookSchema, answers={200: WebhookAnswerSchema}, errors=(WebhookNotFound,))
def update_webhook(webhook_id: str, body: dict[str, Any]) -> Any:
    """Change some fields of a webhook; `is_enabled` disables or enables it."""
    with db.transaction() as conn:
        webhook = webhooks.update_webhook(
            conn, webhook_id, changes=body, actor=auth.actor(), allow_private=_allow_private()
        )
    return _one.dump({"webhook": webhook})


@blueprint.delete("/<webhook_id>")
@endpoint(answers={200: DeletedWebhookSchema}, errors=(WebhookNotFound,))
def delete_webhook(webhook_id: str) -> Any:
    """Tell it nothing more; what waits for it is discarded."""
    with db.transaction() as conn:
        webhooks.delete_webhook(conn, webhook_id, actor=auth.actor())
    return _deleted.dump({"id": webhook_id})


@blueprint.post("/<webhook_id>/rotate-secret")
@endpoint(answers={200: NewSecretSchema}, errors=(WebhookNotFound,), creates=True)
def rotate_secret(webhook_id: str) -> Any:
    """A new secret, shown this once; for 24 hours the one before signs beside it."""
    with db.transaction() as conn:
        return _with_secret(webhooks.rotate_secret(conn, webhook_id, actor=auth.actor()))


@blueprint.post("/<webhook_id>/test")
@endpoint(answers={202: DeliveryAnswerSchema}, errors=(WebhookNotFound,), creates=True)
def send_test(webhook_id: str) -> Any:
    """Send a `webhook.test`, whatever types it wants; how that went is read from the delivery."""
    with db.transaction() as conn:
        return _answer(conn, webhook_id, webhooks.send_test(conn, webhook_id)), 202


@blueprint.get("/<webhook_id>/deliveries")
@endpoint(query=DeliveriesQuerySchema, answers={200: DeliveriesSchema}, errors=(WebhookNotFound,))
def list_deliveries(webhook_id: str, query: dict[str, Any]) -> Any:
    """List what a webhook was or is to be told, the newest first."""
    wanted = query | {"status": STATUSES.get(query["status"])}
    with db.transaction() as conn:
        webhooks.get_webhook(conn, webhook_id)
        page, count = failures.list_events(conn, webhook_id=webhook_id, **wanted)
    return _deliveries.dump({"deliveries": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<webhook_id>/deliveries/<delivery_id>")
@endpoint(answers={200: DeliveryAnswerSchema}, errors=(DeliveryNotFound,))
def get_delivery(webhook_id: str, delivery_id: str) -> Any:
    """A delivery, what it says and every attempt at it."""
    with db.transaction() as conn:
        return _answer(conn, webhook_id, delivery_id)


@blueprint.post("/<webhook_id>/deliveries/<delivery_id>/replay")
@endpoint(answers={200: DeliveryAnswerSchema}, errors=(DeliveryNotFound, EventNotRetryable))
def replay_delivery(webhook_id: str, delivery_id: str) -> Any:
    """Send a delivery again, under the same id."""
    with db.transaction() as conn:
        _answer(conn, webhook_id, delivery_id)
        failures.retry_event(conn, delivery_id, actor=auth.actor())
        return _answer(conn, webhook_id, delivery_id)


@blueprint.post("/<webhook_id>/deliveries/replay")
@endpoint(body=ReplayDeliveriesSchema, answers={200: ReplayedSchema}, errors=(WebhookNotFound,))
def replay_deliveries(webhook_id: str, body: dict[str, Any]) -> Any:
    """Send whatever the filter finds again, failed deliveries unless it says otherwise; or count it."""
    dry_run = body.pop("dry_run")
    wanted: failures.EventFilter = {**body, "status": STATUSES[body["status"]], "webhook_id": webhook_id}  # type: ignore[typeddict-item]  # the schema's fields are the filter's
    with db.transaction() as conn:
        webhooks.get_webhook(conn, webhook_id)
        counts = failures.retry_events(conn, wanted, actor=auth.actor(), dry_run=dry_run)
    return _replayed.dump({**counts, "dry_run": dry_run})


def _answer(conn: Connection, webhook_id: str, delivery_id: str) -> Any:
    try:
        event = failures.get_event(conn, delivery_id)
    except EventNotFound as error:
        raise DeliveryNotFound from error
    if event["webhook_id"] != webhook_id:
        raise DeliveryNotFound
    return _delivery.dump({"delivery": event})


def _with_secret(made: NewSecret) -> Any:
    return _new.dump({"webhook": made.webhook | {"secret": made.secret}})


def _allow_private() -> bool:
    return settings().webhooks_allow_private
