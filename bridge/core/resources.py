"""Resources: what is sold, made, changed and taken out of sale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.core import closures
from bridge.core.closures import Days
from bridge.db import Connection
from bridge.errors import HasBookings, InvalidData, ResourceNotFound
from bridge.ids import new_id

queries = sql.load("resources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something whose time is sold. A deleted one has `deleted_at`."""

    id: str
    type: str
    grain: str
    name: str
    description: str | None
    metadata: dict[str, Any]
    is_active: bool
    time_zone: str
    hold_minutes: float | None
    shortfall_policy: str
    overbook_limit: int
    price_per_person: Decimal | None
    infants_take_seats: bool
    cancellation_policy: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A resource taken out of sale for good, and what was cancelled for it."""

    id: str
    holds_released: int
    allocations_cancelled: int


def create_resource(
    conn: Connection,
    *,
    type: str,  # noqa: A002  # the contract's word
    name: str,
    time_zone: str,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    is_active: bool = True,
    hold_minutes: float | None = None,
    shortfall_policy: str = "flag",
    overbook_limit: int = 0,
    price_per_person: Decimal | None = None,
    infants_take_seats: bool = False,
    cancellation_policy: Mapping[str, Any] | None = None,
) -> Resource:
    """A new resource, sold by the day, open on none yet. Raises InvalidData for a zone the database does not know."""
    check_time_zone(conn, time_zone)
    resource_id = new_id("res")
    conn.execute(
        queries.insert_resource,
        {
            "id": resource_id,
            "type": type,
            "name": name,
            "description": description,
            "metadata": Jsonb(metadata or {}),
            "is_active": is_active,
            "time_zone": time_zone,
            "hold_minutes": hold_minutes,
            "shortfall_policy": shortfall_policy,
            "overbook_limit": overbook_limit,
            "price_per_person": price_per_person,
            "infants_take_seats": infants_take_seats,
            "cancellation_policy": _json(cancellation_policy),
        },
    )
    return get_resource(conn, resource_id)


def get_resource(conn: Connection, resource_id: str) -> Resource:
    """The resource, inactive and deleted ones too. Raises ResourceNotFound."""
    with conn.cursor(row_factory=class_row(Resource)) as cursor:
        resource = cursor.execute(queries.find_resource, {"resource_id": resource_id}).fetchone()
    if resource is None:
        raise ResourceNotFound
    return resource


def get_stats(conn: Connection, resource_id: str) -> dict[str, Any]:
    """{total_allocations, upcoming_bookings, capacity_utilization (0 to 1)} of a resource that exists."""
    return db.one(conn.execute(queries.read_stats, {"resource_id": resource_id}))


def list_resources(
    conn: Connection,
    *,
    limit: int,
    offset: int,
    type: str | None = None,  # noqa: A002  # the contract's word
    is_active: bool | None = None,
    q: str | None = None,
    include_deleted: bool = False,
) -> tuple[list[Resource], int]:
    """A page of resources, newest first, and how many there are in all. `q` is looked for in name and description."""
    filters = {"type": type, "is_active": is_active, "q": q, "include_deleted": include_deleted}
    with conn.cursor(row_factory=class_row(Resource)) as cursor:
        page = cursor.execute(queries.list_resources, {**filters, "limit": limit, "offset": offset}).fetchall()
    return page, db.one(conn.execute(queries.count_resources, filters))["count"]


def update_resource(conn: Connection, resource_id: str, *, changes: Mapping[str, Any]) -> Resource:
    """Set the fields in `changes` and leave the others. Raises ResourceNotFound, also of a deleted one.

    Once a resource is switched off, every hold it ever got is visible and none is placed any more.
    """
    before = lock_resource(conn, resource_id)
    if "time_zone" in changes:
        check_time_zone(conn, changes["time_zone"])
    if before.is_active and not changes.get("is_active", True):
        closures.lock_slots(conn, _upcoming_days(conn, resource_id))
    after = {**asdict(before), **changes}
    written = {"metadata": Jsonb(after["metadata"]), "cancellation_policy": _json(after["cancellation_policy"])}
    conn.execute(queries.update_resource, {**after, **written, "resource_id": resource_id})
    return get_resource(conn, resource_id)


def delete_resource(conn: Connection, resource_id: str, *, force: bool, actor: str) -> Deleted:
    """Take a resource out of sale for good. Its row stays, for what was sold of it.

    What is held or booked for today and later is cancelled with `force`. Raises ResourceNotFound, and HasBookings
    without `force`.
    """
    lock_resource(conn, resource_id)
    days = _upcoming_days(conn, resource_id)
    if force:
        holds = closures.lock_live_holds(conn, days, booked=True)
    else:
        closures.lock_slots(conn, days)
        _refuse_if_booked(conn, days)
        holds = []
    gone = closures.let_go(conn, holds, cause="delete", actor=actor)
    conn.execute(queries.delete_resource, {"resource_id": resource_id})
    return Deleted(id=resource_id, holds_released=gone.holds, allocations_cancelled=gone.allocations)


def lock_resource(conn: Connection, resource_id: str) -> Resource:
    """The resource, locked against others who change it or its days. Raises ResourceNotFound, also of a deleted one."""
    if not closures.lock_resources(conn, resource_id):
        raise ResourceNotFound
    return get_resource(conn, resource_id)


def _json(value: Mapping[str, Any] | None) -> Jsonb | None:
    return None if value is None else Jsonb(value)


def _upcoming_days(conn: Connection, resource_id: str) -> Days:
    today = db.one(conn.execute(queries.read_today, {"resource_id": resource_id}))["today"]
    return Days(resource_id=resource_id, starts_on=today, ends_on=date.max)


def _refuse_if_booked(conn: Connection, days: Days) -> None:
    holds = closures.list_live_holds(conn, days)
    _, allocations = closures.list_live_allocations(conn, days, limit=1)
    if holds or allocations:
        raise HasBookings(holds=len(holds), allocations=allocations)


def check_time_zone(conn: Connection, time_zone: str) -> None:
    # The database computes with it on every sale, by a list of zones of its own.
    try:
        conn.execute("SELECT now() AT TIME ZONE %s", [time_zone])
    except psycopg.errors.InvalidParameterValue as error:
        raise InvalidData(
            "time_zone: Not a time zone the database knows.",
            fields={"time_zone": ["Not a time zone the database knows."]},
        ) from error
