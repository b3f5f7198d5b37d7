"""Rows for tests. Every test makes its own, so nothing is cleaned up between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

from bridge.core import appointments, holds, placements, reservation_items, reservations, services, staff
from bridge.core.appointments import Appointment
from bridge.core.reservations import Reservation
from bridge.core.terms import kept_terms
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.slots import day_slot

ZONE = "Australia/Brisbane"


def future_day(offset: int = 30) -> date:
    """A date far enough from today for any zone."""
    return date.today() + timedelta(days=offset)


def make_resource(
    conn: Connection, *, capacity: int = 10, days: int = 3, first_day: date | None = None, **fields: Any
) -> tuple[str, list[date]]:
    """A resource sold by the day, open with `capacity` on `days` dates; its id and the dates."""
    resource_id = fields.pop("id", new_id("res"))
    values = {"type": "TOUR", "grain": "day", "name": "A tour", "time_zone": ZONE, **fields}
    conn.execute(
        "INSERT INTO resource (id, type, grain, name, time_zone, hold_minutes, default_capacity, shortfall_policy,"
        " overbook_limit, is_active) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            resource_id,
            values["type"],
            values["grain"],
            values["name"],
            values["time_zone"],
            values.get("hold_minutes"),
            values.get("default_capacity"),
            values.get("shortfall_policy", "flag"),
            values.get("overbook_limit", 0),
            values.get("is_active", True),
        ],
    )
    start = first_day or future_day()
    dates = [start + timedelta(days=n) for n in range(days)]
    for day in dates:
        conn.execute(
            "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, %s, %s, %s)",
            [resource_id, day_slot(day), day, capacity],
        )
    return resource_id, dates


def make_hold(conn: Connection, resource_id: str, dates: list[date], quantity: int = 1, **fields: Any) -> str:
    """A live hold; its id."""
    values = {"customer_email": "ada@example.test", "idempotency_token": uuid4().hex, "minutes": 30, **fields}
    placed = holds.place_hold(
        conn,
        resource_id=resource_id,
        dates=dates,
        quantity=quantity,
        customer_email=values["customer_email"],
        idempotency_token=values["idempotency_token"],
        metadata=values.get("metadata", {}),
        term=timedelta(minutes=values["minutes"]),
        hard_term=timedelta(minutes=values.get("hard_minutes", 120)),
    )
    if number := values.get("booking_number"):
        conn.execute("UPDATE hold SET booking_number = %s WHERE id = %s", [number, placed.hold.id])
    return placed.hold.id


def make_allocation(conn: Connection, resource_id: str, dates: list[date], quantity: int = 1, **fields: Any) -> str:
    """A hold confirmed for an order; the allocation's id."""
    hold_id = make_hold(conn, resource_id, dates, quantity, **fields)
    allocation, _hold = holds.confirm_hold(
        conn,
        hold_id,
        order_id=fields.get("order_id", new_id("order")),
        line_item_id=fields.get("line_item_id", "item_1"),
        actor="tests",
    )
    return allocation.id


def make_reservation(
    conn: Connection, resource_id: str, dates: list[date], quantity: int = 1, **fields: Any
) -> Reservation:
    """An open reservation of one item (`times` it, if given)."""
    asked = {"resource_id": resource_id, "dates": dates, "quantity": quantity}
    terms = reservation_items.Terms(
        term=timedelta(minutes=15),
        currency_code="aud",
        tours=kept_terms(),
        variant_id=fields.get("variant_id"),
    )
    reservation, _added = reservations.add_items(
        conn,
        reservation_items.read_items(conn, [asked] * fields.get("times", 1), terms=terms),
        booking_number=fields.get("booking_number"),
        customer_email=fields.get("customer_email"),
        hard_term=timedelta(minutes=120),
        actor="tests",
    )
    return reservation


def lapse(conn: Connection, *hold_ids: str) -> None:
    """Make holds lapse a second ago, as the clock would."""
    conn.execute("UPDATE hold SET expires_at = now() - INTERVAL '1 second' WHERE id = ANY (%s)", [list(hold_ids)])
    conn.execute(
        "UPDATE claim SET expires_at = now() - INTERVAL '1 second' WHERE hold_id = ANY (%s) AND state = 'held'",
        [list(hold_ids)],
    )


def lapse_reservation(conn: Connection, booking_number: str) -> None:
    """Make a reservation and all it holds lapse a second ago, as the clock would."""
    conn.execute(
        "UPDATE reservation SET expires_at = now() - INTERVAL '1 second' WHERE booking_number = %s", [booking_number]
    )
    held = conn.execute("SELECT id FROM hold WHERE booking_number = %s AND status = 'ACTIVE'", [booking_number])
    lapse(conn, *[row["id"] for row in held.fetchall()])


def counters(conn: Connection, resource_id: str) -> list[tuple[int, int]]:
    """(held, allocated) of each slot of a resource, by slot."""
    rows = conn.execute("SELECT held, allocated FROM capacity WHERE resource_id = %s ORDER BY slot_no", [resource_id])
    return [(row["held"], row["allocated"]) for row in rows]


# -- appointments ------------------------------------------------------------------------------------------------------

EVERY_DAY = tuple({"day_of_week": day, "opens": 9 * 60, "closes": 17 * 60} for day in range(7))


def make_service(conn: Connection, **fields: Any) -> str:
    """Something sold by the quarter hour: half an hour for 40, unless `fields` say otherwise; its id."""
    values = {"name": "Haircut", "price": 40, "currency_code": "aud", **fields}
    values |= {name: Decimal(values[name]) for name in ("price", "deposit_value") if values.get(name) is not None}
    return services.create_service(conn, **values).id


def make_staff(conn: Connection, *, rules: Sequence[dict[str, Any]] = EVERY_DAY, **fields: Any) -> str:
    """Somebody who works from nine to five every day, unless `rules` say otherwise; their id.

    They do nothing anybody knows of unless `service_ids` say so: who does everything would join every test's crew.
    """
    fields.setdefault("service_ids", [make_service(conn)])
    return staff.create_member(conn, **{"name": "Sam", "time_zone": ZONE, **fields}, rules=rules).id


def make_shop(
    conn: Connection, *, rules: Sequence[dict[str, Any]] = EVERY_DAY, zone: str = ZONE, **fields: Any
) -> Shop:
    """A service of these `fields`, and the one who does it, and nothing else: others' bookings do not come to them."""
    service_id = make_service(conn, **fields)
    return Shop(service_id, make_staff(conn, rules=rules, time_zone=zone, service_ids=[service_id]))


class Shop(NamedTuple):
    """The ids of a service and of who does it."""

    service_id: str
    staff_id: str


def at(clock: str, day: date | None = None, zone: str = ZONE) -> datetime:
    """An instant by the wall clock: "09:15" of a date far enough from today."""
    hour, minute = map(int, clock.split(":"))
    return datetime.combine(day or future_day(), time(hour, minute), ZoneInfo(zone)).astimezone(UTC)


def make_appointment(conn: Connection, **fields: Any) -> Appointment:
    """A held appointment; with `confirmed`, one to be paid in the shop. Service, staff and start as given, or new."""
    minutes, is_confirmed = fields.pop("minutes", 10), fields.pop("confirmed", False)
    values = {"service_id": None, "staff_id": None, "customer_email": "ada@example.test", **fields}
    values["service_id"] = values["service_id"] or make_service(conn)
    values["staff_id"] = values["staff_id"] or make_staff(conn, service_ids=[values["service_id"]])
    held = placements.place_appointment(
        conn,
        placements.Wish(**{"start_at": at("10:00"), **values}),
        term=timedelta(minutes=minutes),
        hard_term=timedelta(minutes=120),
        actor="tests",
    )
    return appointments.confirm_appointment(conn, held.id, actor="tests") if is_confirmed else held
