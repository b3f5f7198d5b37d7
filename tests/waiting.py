"""Departures with people waiting for them, for tests of the waitlist."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from bridge.core import holds, takes, waitlist
from bridge.core.takes import Take
from bridge.core.waitlist import Entry
from bridge.db import Connection
from bridge.ids import new_id
from tests.factories import ZONE, future_day

TERM = timedelta(minutes=30)


def make_tour(conn: Connection, **fields: Any) -> str:
    """A tour sold by the seat; its id."""
    tour_id = new_id("res")
    conn.execute(
        "INSERT INTO resource (id, type, grain, name, time_zone, price_per_person)"
        " VALUES (%s, 'TOUR', 'departure', %s, %s, 75)",
        [tour_id, fields.get("name", "Harbour tour"), fields.get("time_zone", ZONE)],
    )
    return tour_id


def make_slot(
    conn: Connection, tour_id: str, *, capacity: int = 2, on: date | None = None, at: time = time(9), **fields: Any
) -> int:
    """A departure with so many seats; its number."""
    day = on or future_day()
    starts_at = fields.get("starts_at") or datetime.combine(day, at, ZoneInfo(ZONE)).astimezone(UTC)
    row = conn.execute(
        "INSERT INTO slot (id, resource_id, slot_date, start_time, time_zone, duration_minutes, starts_at, ends_at,"
        " end_time, min_capacity, price_per_person)"
        " VALUES (%s, %s, %s, %s, %s, 180, %s, %s, %s, 0, 75) RETURNING slot_no",
        [new_id("slot"), tour_id, day, at, ZONE, starts_at, starts_at + timedelta(hours=3), time(12)],
    ).fetchone()
    assert row is not None
    slot_no: int = row["slot_no"]
    conn.execute(
        "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity) VALUES (%s, %s, %s, %s)",
        [tour_id, slot_no, day, capacity],
    )
    return slot_no


def slot_id_of(conn: Connection, slot_no: int) -> str:
    """The public id of a departure."""
    row = conn.execute("SELECT id FROM slot WHERE slot_no = %s", [slot_no]).fetchone()
    assert row is not None
    found: str = row["id"]
    return found


def take(conn: Connection, tour_id: str, slot_no: int, quantity: int = 1, **fields: Any) -> str:
    """Hold seats as the public does; the hold's id. Raises takes.Short."""
    return takes.place(
        conn,
        [Take(tour_id, slot_no, quantity)],
        kind=fields.get("kind", "cart"),
        scope="store",
        key=uuid4().hex,
        request_hash=b"",
        resource_id=tour_id,
        quantity=quantity,
        customer_email="ada@example.test",
        metadata={},
        term=TERM,
        hard_term=timedelta(hours=2),
        actor="tests",
    ).hold_id


def wait(conn: Connection, tour_id: str, num_people: int = 1, **fields: Any) -> Entry:
    """Somebody joins the queue of a full departure."""
    return waitlist.join(
        conn,
        tour_id=tour_id,
        requested_date=fields.pop("on", None) or future_day(),
        num_people=num_people,
        customer_name=fields.pop("customer_name", "Jane Smith"),
        customer_email=fields.pop("customer_email", f"{uuid4().hex[:12]}@example.test"),
        **fields,
    ).entry


def free_seats(conn: Connection, tour_id: str, slot_no: int) -> int:
    """What the public sees."""
    row = conn.execute("SELECT free FROM free_slots(%s, %s)", [[tour_id], [slot_no]]).fetchone()
    assert row is not None
    seats: int = row["free"]
    return seats


def statuses(conn: Connection, *entries: Entry) -> list[str]:
    """How entries stand."""
    return [waitlist.get_entry(conn, entry.id).status for entry in entries]


def lapse_offer(conn: Connection, entry: Entry) -> None:
    """Make what is held for an entry lapse a second ago, as the clock would."""
    for statement in (
        "UPDATE hold SET expires_at = now() - INTERVAL '1 second', hard_expires_at = now()"
        " WHERE id = (SELECT hold_id FROM waitlist_entry WHERE id = %s)",
        "UPDATE claim SET expires_at = now() - INTERVAL '1 second' WHERE state = 'held'"
        " AND hold_id = (SELECT hold_id FROM waitlist_entry WHERE id = %s)",
        "UPDATE waitlist_entry SET notification_expires_at = now() - INTERVAL '1 second'"
        " WHERE id = %s AND status = 'notified'",
        "UPDATE waitlist_entry SET collects_until = now() - INTERVAL '1 second'"
        " WHERE id = %s AND collects_until IS NOT NULL",
    ):
        conn.execute(statement, [entry.id])


def make_booking(conn: Connection, tour_id: str, slot_no: int, seats: int = 1, **fields: Any) -> str:
    """A pending booking, or with an `order_id` one that was paid for; its id."""
    hold_id = take(conn, tour_id, slot_no, seats, kind="booking")
    booking_id = new_id("book")
    conn.execute(
        "INSERT INTO booking (id, reference, resource_id, slot_no, hold_id, source, num_adults, num_children,"
        " num_infants, seats, currency_code, price_per_adult, price_per_child, price_per_infant, subtotal,"
        " discount_amount, tax_rate, tax_amount, total_amount, customer_name, customer_email)"
        " VALUES (%(id)s, %(reference)s, %(tour_id)s, %(slot_no)s, %(hold_id)s, 'web', %(seats)s, 0, 0, %(seats)s,"
        " 'aud', 75, 52.5, 0, 75 * %(seats)s, 0, 0.1, 7.5 * %(seats)s, 82.5 * %(seats)s, 'Ada Lovelace', %(email)s)",
        {
            "id": booking_id,
            "reference": f"ST-{booking_id[-12:]}",
            "tour_id": tour_id,
            "slot_no": slot_no,
            "hold_id": hold_id,
            "seats": seats,
            "email": fields.get("customer_email", "ada@example.test"),
        },
    )
    if order_id := fields.get("order_id"):
        # Whoever reconciles an order locks its row.
        conn.execute("INSERT INTO platform_order (source, id) VALUES ('medusa', %s) ON CONFLICT DO NOTHING", [order_id])
        holds.confirm_hold(conn, hold_id, order_id=order_id, line_item_id=f"line_{booking_id}", actor="tests")
    return booking_id
