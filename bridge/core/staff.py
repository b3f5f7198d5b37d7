"""Staff: who does what is sold by the quarter hour. Each is a resource with a calendar of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.core import openings, resources
from bridge.core.openings import Conflict
from bridge.db import Connection
from bridge.errors import HasBookings, InvalidData, StaffNotFound
from bridge.ids import new_id
from bridge.rules.openings import SERVICE_WEIGHT

queries = sql.load("staff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of staff."""

    id: str
    name: str
    email: str | None
    phone: str | None
    bio: str | None
    avatar_url: str | None
    time_zone: str
    service_ids: list[str]
    is_active: bool
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


def create_member(
    conn: Connection, *, name: str, time_zone: str, rules: Sequence[Mapping[str, Any]] = (), **given: Any
) -> Member:
    """A new member of staff, open by `rules`; without any never. Raises InvalidData, which names the field."""
    resources.check_time_zone(conn, time_zone)
    staff_id = new_id("bkstf")
    values = {**_DEFAULTS, **given, "id": staff_id, "name": name, "time_zone": time_zone}
    _check_services(conn, values["service_ids"])
    values |= {"metadata": Jsonb(values["metadata"]), "capacity": SERVICE_WEIGHT}
    conn.execute(queries.insert_resource, values)
    conn.execute(queries.insert_staff, values)
    for rule in rules:
        openings.add_rule(conn, staff_id, **rule)
    return get_member(conn, staff_id)


def get_member(conn: Connection, staff_id: str) -> Member:
    """The member of staff, inactive ones too. Raises StaffNotFound, also of a deleted one."""
    with conn.cursor(row_factory=class_row(Member)) as cursor:
        member = cursor.execute(queries.find_staff, {"staff_id": staff_id}).fetchone()
    if member is None or member.deleted_at:
        raise StaffNotFound
    return member


def list_members(
    conn: Connection, *, limit: int, offset: int, is_active: bool | None = None, service_id: str | None = None
) -> tuple[list[Member], int]:
    """A page of staff by name, and how many there are in all; with `service_id` those who do it."""
    filters = {"is_active": is_active, "service_id": service_id}
    with conn.cursor(row_factory=class_row(Member)) as cursor:
        page = cursor.execute(queries.list_staff, {**filters, "limit": limit, "offset": offset}).fetchall()
    return page, db.one(conn.execute(queries.count_staff, filters))["count"]


def update_member(conn: Connection, staff_id: str, *, changes: Mapping[str, Any]) -> tuple[Member, list[Conflict]]:
    """Set the fields in `changes`; the member, and bookings that stand although they could not be made any more.

    Raises StaffNotFound, and InvalidData, which names the field.
    """
    openings.lock_staff(conn, staff_id)
    values = {**asdict(get_member(conn, staff_id)), **changes}
    if "time_zone" in changes:
        resources.check_time_zone(conn, changes["time_zone"])
    if "service_ids" in changes:
        _check_services(conn, changes["service_ids"])
    values["metadata"] = Jsonb(values["metadata"])
    conn.execute(queries.update_resource, values)
    conn.execute(queries.update_staff, values)
    return get_member(conn, staff_id), openings.find_conflicts(conn, staff_id)


def delete_member(conn: Connection, staff_id: str) -> None:
    """Take a member of staff away for good; what they did stays on record.

    Raises StaffNotFound, and HasBookings, which lists what is booked or held: cancel or move that first.
    """
    openings.lock_staff(conn, staff_id)
    if booked := openings.list_booked(conn, staff_id):
        raise HasBookings(
            "This member of staff still has bookings; move or cancel them, or send force=true to cancel them.",
            bookings=[
                {"id": found.id, "booking_number": found.booking_number, "start_at": found.start_at}
                for found in booked[: openings.SHOWN]
            ],
        )
    conn.execute(queries.delete_resource, {"id": staff_id})


_DEFAULTS: dict[str, Any] = {
    "email": None,
    "phone": None,
    "bio": None,
    "avatar_url": None,
    "service_ids": [],
    "is_active": True,
    "metadata": {},
}


def _check_services(conn: Connection, service_ids: Sequence[str]) -> None:
    known = {row["id"] for row in conn.execute(queries.list_known, {"service_ids": list(service_ids)})}
    if unknown := [service_id for service_id in service_ids if service_id not in known]:
        message = f"There is no service {', '.join(unknown)}."
        raise InvalidData(f"service_ids: {message}", fields={"service_ids": [message]})
