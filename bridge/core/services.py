"""Services: what staff sell by the quarter hour, made, changed and taken out of sale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bridge import db, sql
from bridge.db import Connection
from bridge.errors import InvalidData, ServiceNotFound
from bridge.ids import new_id
from bridge.rules.deposits import deposit_of
from bridge.rules.money import round_money
from bridge.rules.openings import Shape, shape_of

queries = sql.load("services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is sold: how long it takes, what it costs, how it may be paid. A deleted one has `deleted_at`."""

    id: str
    name: str
    description: str | None
    duration_minutes: int
    buffer_before_minutes: int
    buffer_minutes: int
    price: Decimal
    currency_code: str
    deposit_type: str
    deposit_value: Decimal | None
    payment_modes_allowed: list[str]
    notice_minutes: int
    advance_days: int | None
    free_cancellation_minutes: int
    late_refund_percent: Decimal
    is_active: bool
    metadata: dict[str, Any]
    revision: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @property
    def shape(self) -> Shape:
        """What one appointment takes of somebody's time."""
        return shape_of(self.duration_minutes, self.buffer_before_minutes, self.buffer_minutes)

    @property
    def deposit(self) -> Decimal | None:
        """What is paid beforehand in the mode `deposit`; None where there is no deposit."""
        return deposit_of(self.price, self.currency_code, self.deposit_type, self.deposit_value)


def create_service(conn: Connection, *, currency_code: str, **given: Any) -> Service:
    """A new service of the fields `given`, and defaults for the others. Raises InvalidData, which names the field."""
    values = {**_DEFAULTS, **given, "currency_code": currency_code}
    service_id = new_id("bksvc")
    conn.execute(queries.insert_service, {**_checked(values), "id": service_id})
    return get_service(conn, service_id)


def get_service(conn: Connection, service_id: str, *, on_sale: bool = False) -> Service:
    """The service, inactive ones too unless it must be `on_sale`. Raises ServiceNotFound, also of a deleted one."""
    with conn.cursor(row_factory=class_row(Service)) as cursor:
        service = cursor.execute(queries.find_service, {"service_id": service_id}).fetchone()
    if service is None or service.deleted_at or (on_sale and not service.is_active):
        raise ServiceNotFound
    return service


def list_services(
    conn: Connection, *, limit: int, offset: int, is_active: bool | None = None, q: str | None = None
) -> tuple[list[Service], int]:
    """A page of services, newest first, and how many there are in all. `q` is looked for in name and description."""
    filters = {"is_active": is_active, "q": q}
    with conn.cursor(row_factory=class_row(Service)) as cursor:
        page = cursor.execute(queries.list_services, {**filters, "limit": limit, "offset": offset}).fetchall()
    return page, db.one(conn.execute(queries.count_services, filters))["count"]


def update_service(conn: Connection, service_id: str, *, changes: Mapping[str, Any]) -> Service:
    """Set the fields in `changes` and leave the others. What is booked keeps what was agreed.

    Raises ServiceNotFound, and InvalidData, which names the field.
    """
    conn.execute(queries.lock_service, {"service_id": service_id})
    values = _checked({**asdict(get_service(conn, service_id)), **changes})
    conn.execute(queries.update_service, {**values, "id": service_id})
    return get_service(conn, service_id)


def delete_service(conn: Connection, service_id: str) -> None:
    """Take a service out of sale for good. What is booked stays booked. Raises ServiceNotFound."""
    if not conn.execute(queries.delete_service, {"service_id": service_id}).rowcount:
        raise ServiceNotFound


_DEFAULTS: dict[str, Any] = {
    "description": None,
    "duration_minutes": 30,
    "buffer_before_minutes": 0,
    "buffer_minutes": 0,
    "deposit_type": "none",
    "deposit_value": None,
    "payment_modes_allowed": ["pay_in_store"],
    "notice_minutes": 0,
    "advance_days": None,
    "free_cancellation_minutes": 0,
    "late_refund_percent": Decimal(0),
    "is_active": True,
    "metadata": {},
}


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """The values as they are stored, when they go together."""
    price = round_money(values["price"], values["currency_code"])
    kind, value = values["deposit_type"], values["deposit_value"]
    if kind == "none":
        value = None  # Switching the deposit off is one field; what it was is forgotten with it.
    elif value is None:
        raise _invalid("deposit_value", f"A deposit of the type {kind} needs one.")
    elif kind == "percent" and not 0 < value <= 100:
        raise _invalid("deposit_value", "A percentage is more than 0 and at most 100.")
    elif kind == "fixed" and not 0 < value <= price:
        raise _invalid("deposit_value", "A deposit is more than 0 and at most the price.")
    modes = list(dict.fromkeys(values["payment_modes_allowed"]))
    return {
        **values,
        "price": price,
        "deposit_value": value,
        "payment_modes_allowed": modes,
        "metadata": Jsonb(values["metadata"]),
    }


def _invalid(field: str, message: str) -> InvalidData:
    return InvalidData(f"{field}: {message}", fields={field: [message]})
