"""/ops/orders: what happened to an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from bridge import db
from bridge.core import failures, reservation_reports, resources, slots
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
            named = _name_slots(conn, timeline)
            reserved, _count = reservation_reports.list_reservations(conn, order_id=order_id, time_zone="UTC")
        numbers = [reservation.booking_number for reservation in reserved]
        timeline = [entry | {"details": _readable(entry["details"], named)} for entry in timeline]
    return page("orders", order_id=order_id, numbers=numbers, timeline=timeline)


def _name_slots(conn: Connection, timeline: list[dict[str, Any]]) -> Callable[[str, int], str]:
    """When a slot of a resource is."""
    details = [entry["details"] for entry in timeline]
    named = {each.get("resource_id") for each in details} - {None}
    grains = {resource_id: resources.get_resource(conn, resource_id).grain for resource_id in named}
    numbers = [each["slot_no"] for each in details if each.get("slot_no") is not None]
    numbers += [slot["slot_no"] for each in details for slot in each.get("missing") or []]
    starts = slots.list_starts(conn, numbers)
    return lambda resource_id, slot_no: texts.slot(slot_no, grains.get(resource_id), starts)


def _readable(details: Mapping[str, Any], named: Callable[[str, int], str]) -> dict[str, Any]:
    resource_id = details.get("resource_id", "")
    left_out = {"slot_no", "missing", "finished_at"}  # Told otherwise, or by the entries after it.
    shown = {name: value for name, value in details.items() if name not in left_out and value != 0}
    if details.get("slot_no") is not None:
        shown["slot"] = named(resource_id, details["slot_no"])
    if details.get("missing"):
        shown["missing"] = [
            f"{slot['quantity']} on {named(resource_id, slot['slot_no'])}" for slot in details["missing"]
        ]
    return shown
