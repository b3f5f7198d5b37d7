"""/ops/orders: what happened to an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import failures, reservation_reports, resources
from bridge.db import Connection
from bridge.errors import InvalidData
from bridge.web.ops import texts
from bridge.web.ops.console import new_blueprint, page

blueprint = new_blueprint("orders", "/ops/orders")

_LONGEST_ID = 200  # As the API takes them.


@blueprint.get("")
def show_timeline() -> ResponseReturnValue:
    """A box to look an order up with, and all that happened to it."""
    order_id = request.args.get("order_id", "").strip()
    if len(order_id) > _LONGEST_ID or "\0" in order_id:
        raise InvalidData("No order has such an id.")
    timeline: list[dict[str, Any]] = []
    numbers: list[str] = []
    if order_id:
        with db.transaction() as conn:
            timeline = failures.order_timeline(conn, order_id)
            names = _slot_names(conn, timeline)
            reserved, _count = reservation_reports.list_reservations(conn, order_id=order_id, time_zone="UTC")
        numbers = [reservation.booking_number for reservation in reserved]
        timeline = [entry | {"details": _readable(entry["details"], names)} for entry in timeline]
    return page("orders", order_id=order_id, numbers=numbers, timeline=timeline)


def _slot_names(conn: Connection, timeline: list[dict[str, Any]]) -> dict[str, str]:
    """The grain of every resource named, which says what its slot numbers mean."""
    named = {entry["details"].get("resource_id") for entry in timeline} - {None}
    return {resource_id: resources.get_resource(conn, resource_id).grain for resource_id in named}


def _readable(details: Mapping[str, Any], grains: Mapping[str, str]) -> dict[str, Any]:
    grain = grains.get(details.get("resource_id", ""))
    left_out = {"slot_no", "missing", "finished_at"}  # Told otherwise, or by the entries after it.
    shown = {name: value for name, value in details.items() if name not in left_out and value != 0}
    if details.get("slot_no") is not None:
        shown["slot"] = texts.slot(details["slot_no"], grain)
    if details.get("missing"):
        shown["missing"] = [
            f"{slot['quantity']} on {texts.slot(slot['slot_no'], grain)}" for slot in details["missing"]
        ]
    return shown
