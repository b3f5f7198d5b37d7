"""What orders have to do with appointments: those they sold by themselves, and what they paid for the others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from bridge import db, errors, sql
from bridge.core import diaries, services
from bridge.core.placements import candidates, new_number
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.known import Slot, Sold
from bridge.rules.openings import SERVICE_WEIGHT, claims_of
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.rules.slots import quarter_slot, quarter_start

queries = sql.load("sold_services")


def find_sold(conn: Connection, facts: OrderFacts) -> dict[str, Sold]:
    """The time each line without a hold sold, by the line's id: of the member of staff it names, or of who is free.

    What was taken for the line before stays what it sold, wherever it has been moved to by now. A line that names no
    time at which anybody works is absent.
    """
    lines = [line for line in facts.lines if line.service_id and line.start_at]
    if not lines:
        return {}
    keys = {f"{facts.source}:{facts.id}:{line.id}": line for line in lines}
    sold = {
        keys[row["key"]].id: Sold(row["resource_id"], 1, [Slot(*slot) for slot in row["slots"]])
        for row in conn.execute(queries.list_taken, {"keys": list(keys)})
    }
    for line in lines:
        if line.id not in sold and (found := _find_time(conn, line)):
            sold[line.id] = found
    return sold


def follow_order(conn: Connection, facts: OrderFacts, *, actor: str) -> None:
    """Write down who an order is from and what it paid for its appointments, and make those that it sold by itself.

    Safe to run twice.
    """
    named = {"source": facts.source, "order_id": facts.id}
    if facts.email or facts.customer_name:
        conn.execute(queries.note_customer, {**named, "email": facts.email, "name": facts.customer_name})
    lines = {line.id: line for line in facts.lines}
    for row in conn.execute(queries.list_posted, named).fetchall():
        line = lines.get(row["line_item_id"] or "")
        if row["appointment_id"] is None and line is not None:
            row["appointment_id"] = _make_appointment(conn, facts, line, row, actor=actor)
        if row["appointment_id"] is not None and line is not None and line.unit_price is not None:
            conn.execute(queries.note_payment, {"id": row["appointment_id"], "amount": line.unit_price})


def _find_time(conn: Connection, line: LineFacts) -> Sold | None:
    assert line.service_id is not None and line.start_at is not None, "lines without are left out"
    start = quarter_slot(line.start_at)
    if quarter_start(start) != line.start_at:
        return None
    around = line.start_at.date()
    try:
        crew = diaries.open_crew(
            conn,
            service_id=line.service_id,
            staff_id=line.staff_id or line.resource_id,
            first_day=around - timedelta(days=1),
            last_day=around + timedelta(days=1),
        )
    except (errors.ServiceNotFound, errors.StaffNotFound):
        return None
    # Paid is paid: neither the notice nor the clock counts, for the order may come late.
    shape = crew.service.shape
    working = [diary for diary in crew.diaries if diary.works_at(start, shape)]
    if not working:
        return None
    chosen = next(iter(candidates(crew, start)), working[0])
    return Sold(chosen.staff_id, 1, [Slot(chosen.staff_id, slot, weight) for slot, weight in claims_of(shape, start)])


def _make_appointment(
    conn: Connection, facts: OrderFacts, line: LineFacts, posted: dict[str, Any], *, actor: str
) -> str | None:
    """The appointment for a hold the order got by itself: of the service it names, or of the booking it paid for."""
    before = conn.execute(queries.find_named, {"hold_ids": list(line.hold_ids)}).fetchone() or {}
    service_id = line.service_id or before.get("service_id")
    if service_id is None:
        return None
    try:
        service = services.get_service(conn, service_id)
    except errors.ServiceNotFound:
        return None
    start = min(_service_slots(posted["slots"]))
    values = {
        "id": new_id("book"),
        "booking_number": new_number(),
        "hold_id": posted["hold_id"],
        "staff_id": posted["resource_id"],
        "service_id": service.id,
        "customer_id": before.get("customer_id"),
        "name": before.get("customer_name"),
        "phone": before.get("customer_phone"),
        "email": facts.email or before.get("customer_email"),
        "start_at": quarter_start(start),
        "end_at": quarter_start(start) + timedelta(minutes=service.duration_minutes),
        "deposit": service.deposit,
        "actor": actor,
    }
    made = db.one(conn.execute(queries.insert_sold, values))["id"]
    conn.execute(queries.confirm_sold, {"id": made, "actor": actor})
    return str(made)


def _service_slots(slots: Iterable[Any]) -> list[int]:
    return [slot for slot, weight in slots if weight == SERVICE_WEIGHT]
