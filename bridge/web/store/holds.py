"""/store/resource-booking/holds: what a storefront does with holds."""

from __future__ import annotations

import math
from datetime import timedelta
from functools import cache
from typing import Any

import orjson
from flask import Blueprint, request
from prometheus_client import Counter

from bridge import db, errors
from bridge.clients.medusa import Medusa
from bridge.config import Config
from bridge.core import holds
from bridge.core.holds import Hold
from bridge.platforms.medusa import read_order
from bridge.rules.orders import OrderFacts
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from bridge.web.limits import limit, limit_writes
from schemas.fields import show_instant
from schemas.holds import (
    BeaconSchema,
    ConfirmedHoldSchema,
    ConfirmHoldSchema,
    CustomerQuerySchema,
    PlacedHoldSchema,
    PlaceHoldSchema,
    ReleasedHoldSchema,
)

ASKED = Counter("bridge_holds_total", "Holds asked for, by what came of it.", ["outcome"])

blueprint = Blueprint("store_holds", __name__, url_prefix="/store/resource-booking/holds")
blueprint.before_request(limit_writes)

_confirmed = ConfirmedHoldSchema()
_beacon = BeaconSchema()
_PLATFORM_SECONDS = 5  # As long as a browser may be kept waiting for another server.
_PRIVATE = ("customer_email", "metadata", "idempotency_token")


@blueprint.post("")
@endpoint(
    body=PlaceHoldSchema,
    answers={201: PlacedHoldSchema, 200: PlacedHoldSchema},
    errors=(
        errors.ResourceNotFound,
        errors.PastDates,
        errors.InsufficientCapacity,
        errors.BlackedOut,
        errors.IdempotencyTokenReused,
    ),
)
def place_hold(body: dict[str, Any]) -> Any:
    """Hold capacity for a customer."""
    limit("email", body["customer_email"])
    try:
        with db.statement() as conn:
            placed = holds.place_hold(conn, **body, **_terms(settings()))
    except errors.BridgeError as error:
        _asked(error.code).inc()
        raise
    _asked("replayed" if placed.is_replay else "placed").inc()
    answer = {"hold": _show(placed.hold), "time_remaining_seconds": _seconds_left(placed.hold)}
    return (answer | {"idempotent_replay": True}, 200) if placed.is_replay else (answer, 201)


@blueprint.get("/<hold_id>")
@endpoint(
    query=CustomerQuerySchema, answers={200: PlacedHoldSchema}, errors=(errors.HoldNotFound, errors.WrongCustomer)
)
def get_hold(hold_id: str, query: dict[str, Any]) -> Any:
    """A hold as it stands this second."""
    with db.statement() as conn:
        hold = holds.get_hold(conn, hold_id)
    shown = _dump_for(hold, query["customer_email"])
    return {"hold": shown, "time_remaining_seconds": _seconds_left(hold), "is_expired": hold.status == "EXPIRED"}


@blueprint.post("/<hold_id>/extend")
@endpoint(
    query=CustomerQuerySchema,
    answers={200: PlacedHoldSchema},
    errors=(errors.HoldNotFound, errors.HoldExpired, errors.HoldNotActive, errors.ExtensionLimit, errors.WrongCustomer),
)
def extend_hold(hold_id: str, query: dict[str, Any]) -> Any:
    """Give a hold one more full term from now, without losing its place."""
    email = query["customer_email"] or _beacon_email()
    with db.transaction() as conn:
        hold = holds.extend_hold(conn, hold_id)
        _check_customer(hold, email)
    return {"hold": _dump_for(hold, email), "time_remaining_seconds": _seconds_left(hold)}


@blueprint.post("/<hold_id>/confirm")
@endpoint(
    body=ConfirmHoldSchema,
    answers={200: ConfirmedHoldSchema},
    errors=(
        errors.Unauthorized,
        errors.HoldNotFound,
        errors.HoldExpired,
        errors.HoldReleased,
        errors.AlreadyConfirmed,
        errors.PlatformUnavailable,
    ),
    documents={"security": [{"bearer": []}, {}]},
)
def confirm_hold(hold_id: str, body: dict[str, Any]) -> Any:
    """Make a hold permanent for an order. For systems, or for an order that the platform itself vouches for."""
    caller = auth.identify()
    if caller is None or "system" not in caller.scopes:
        _check_with_platform(hold_id, body)
    with db.statement() as conn:
        allocation, hold = holds.confirm_hold(
            conn, hold_id, order_id=body["order_id"], line_item_id=body["line_item_id"], actor=auth.actor()
        )
    return _confirmed.dump({"allocation": allocation, "hold": hold})


@blueprint.delete("/<hold_id>")
@endpoint(
    query=CustomerQuerySchema,
    answers={200: ReleasedHoldSchema},
    errors=(errors.HoldNotFound, errors.HoldNotActive, errors.WrongCustomer),
)
def release_hold(hold_id: str, query: dict[str, Any]) -> Any:
    """Give a hold back."""
    return _release(hold_id, query["customer_email"])


@blueprint.post("/<hold_id>/release")
@endpoint(
    query=CustomerQuerySchema,
    answers={200: ReleasedHoldSchema},
    errors=(errors.HoldNotFound, errors.HoldNotActive, errors.WrongCustomer),
    documents={
        "requestBody": {"required": False, "content": {"application/json": {"schema": BeaconSchema}, "text/plain": {}}}
    },
)
def release_by_beacon(hold_id: str, query: dict[str, Any]) -> Any:
    """Give a hold back while the page closes: what `navigator.sendBeacon` can send, with any body or none."""
    return _release(hold_id, query["customer_email"] or _beacon_email())


def _release(hold_id: str, email: str | None) -> dict[str, Any]:
    with db.statement() as conn:
        released = holds.release_hold(
            conn, hold_id, actor=auth.actor(), reason="released by the customer", customer_email=email
        )
    return {
        "hold": _dump_for(released.hold, email),
        "capacity_returned": released.capacity_returned,
        "dates_released": [day.isoformat() for day in released.hold.dates],
    }


@cache
def _asked(outcome: str) -> Counter:
    # As in observe.py.
    return ASKED.labels(outcome)


def _terms(config: Config) -> dict[str, Any]:
    return {
        "term": timedelta(minutes=float(config.hold_minutes)),
        "hard_term": timedelta(minutes=float(config.hold_max_minutes)),
    }


def _seconds_left(hold: Hold) -> int:
    # Rounded up, so that a fresh hold of 30 minutes shows 1800, and 0 means that it is over.
    return math.ceil(hold.seconds_left) if hold.status == "ACTIVE" else 0


def _show(hold: Hold) -> dict[str, Any]:
    # By hand, and just what HoldSchema says (a test compares them): the schema takes ten times as long.
    return {
        "id": hold.id,
        "resource_id": hold.resource_id,
        "dates": hold.dates,
        "quantity": hold.quantity,
        "customer_email": hold.customer_email,
        "status": hold.status,
        "idempotency_token": hold.idempotency_token,
        "expires_at": show_instant(hold.expires_at),
        "created_at": show_instant(hold.created_at),
        "metadata": hold.metadata,
    }


def _dump_for(hold: Hold, email: str | None) -> dict[str, Any]:
    """The hold for somebody who says it is of `email`; without one, nothing that is private. Raises WrongCustomer."""
    _check_customer(hold, email)
    shown = _show(hold)
    return shown if email else {name: value for name, value in shown.items() if name not in _PRIVATE}


def _check_customer(hold: Hold, email: str | None) -> None:
    if email and email != (hold.customer_email or "").lower():
        raise errors.WrongCustomer


def _beacon_email() -> str | None:
    """The address in a beacon's body. Bodies come in any shape: only one that is ours is read."""
    try:
        content = orjson.loads(request.get_data(cache=True))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict):
        return None
    email: str | None = _beacon.load(content)["customer_email"]
    return email


def _check_with_platform(hold_id: str, body: dict[str, Any]) -> None:
    """Let a browser confirm only what the platform itself says was paid for. Raises Unauthorized."""
    if not settings().medusa_url:
        raise errors.Unauthorized
    # One answer whatever is wrong with the order: a stranger learns nothing of it.
    refusal = errors.Unauthorized("Send a key of scope system, or name an order that is paid for and names this hold.")
    try:
        order = Medusa(settings(), deadline_seconds=_PLATFORM_SECONDS).get_order(body["order_id"])
        facts = read_order(order)
    except (errors.PlatformNotConfigured, errors.PlatformRefused, errors.UnreadableEvent) as error:
        raise refusal from error
    if (
        facts.is_cancelled
        or not facts.is_placed
        or not _is_paid(order)
        or not _names(facts, hold_id, body["line_item_id"])
    ):
        raise refusal


def _is_paid(order: dict[str, Any]) -> bool:
    collections = order.get("payment_collections")
    if not collections:
        # The sum of them, which the platform's own API adds up.
        return order.get("payment_status") in ("authorized", "captured", "partially_captured")
    return any(
        collection.get("status") in {"authorized", "completed", "partially_captured"} for collection in collections
    )


def _names(facts: OrderFacts, hold_id: str, line_item_id: str | None) -> bool:
    lines = [line for line in facts.lines if line_item_id in {None, line.id}]
    return hold_id in facts.hold_ids or any(hold_id in line.hold_ids for line in lines)
