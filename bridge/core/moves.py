"""Moving an appointment to another time or to somebody else, in place: the old is let go only when the new is had."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from bridge import errors, sql
from bridge.core import diaries, ledger, placements
from bridge.core.appointments import Appointment, get_appointment, lock_appointment
from bridge.core.diaries import Crew, Diary
from bridge.core.ledger import Target
from bridge.core.placements import Wish
from bridge.db import Connection
from bridge.rules.openings import claims_of, local_date
from bridge.rules.slots import quarter_slot, quarter_start

queries = sql.load("appointments")


def move_appointment(
    conn: Connection,
    appointment_id: str,
    *,
    actor: str,
    start_at: datetime | None = None,
    staff_id: str | None = None,
    by_customer: bool = False,
) -> Appointment:
    """Move it to `start_at`, to `staff_id`, or both. Locks the union of old and new, and keeps the old on any failure.

    Staff need not keep to the notice that a service needs. Raises BookingNotFound, InvalidTransition, OffGrid,
    InThePast, TooLate, TooFarAhead, StaffNotFound, ServiceNotOffered, OutsideBusinessHours, SlotUnavailable.
    """
    before = get_appointment(conn, appointment_id)
    wish = Wish(
        service_id=before.service_id, staff_id=staff_id or before.staff_id, start_at=start_at or before.start_at
    )
    if (wish.start_at, wish.staff_id) == (before.start_at, before.staff_id):
        return before
    start = quarter_slot(wish.start_at)
    if quarter_start(start) != wish.start_at:
        raise errors.OffGrid
    crew = _crew_for(conn, before, wish, by_customer=by_customer)
    diary = _diary(conn, crew, wish, start)
    # The rules before the order and the hold, as everybody; and they stay what they were read as.
    if not conn.execute(queries.lock_revision, {"staff_id": diary.staff_id, "revision": diary.revision}).fetchone():
        raise errors.Unavailable("The opening hours are being changed right now; try again.", retry_after=1)
    appointment = lock_appointment(conn, appointment_id)
    if not appointment.is_live:
        raise errors.InvalidTransition(
            f"A booking that is {appointment.status} cannot be moved.", status=appointment.status
        )
    _settle(conn, crew, appointment, wish, start, actor=actor)
    return get_appointment(conn, appointment_id)


def _crew_for(conn: Connection, appointment: Appointment, wish: Wish, *, by_customer: bool) -> Crew:
    """The diary of who is to do it, for the appointment as it was agreed, whatever the service is by now."""
    around = wish.start_at.date()
    crew = diaries.open_crew(
        conn,
        service_id=wish.service_id,
        staff_id=wish.staff_id,
        first_day=around - timedelta(days=1),
        last_day=around + timedelta(days=1),
        on_sale=False,
    )
    agreed: dict[str, Any] = {
        "duration_minutes": int((appointment.end_at - appointment.start_at).total_seconds() // 60),
        "buffer_before_minutes": appointment.buffer_before_minutes,
        "buffer_minutes": appointment.buffer_minutes,
    }
    limits: dict[str, Any] = {} if by_customer else {"notice_minutes": 0, "advance_days": None}
    return replace(crew, service=replace(crew.service, **agreed, **limits))


def _diary(conn: Connection, crew: Crew, wish: Wish, start: int) -> Diary:
    placements.check_time(crew, wish, start)
    diary = crew.diaries[0]
    if start not in crew.starts(diary, local_date(diary.hours.time_zone, start)).offered:
        raise placements.unavailable(conn, wish, errors.OutsideBusinessHours)
    return diary


def _settle(conn: Connection, crew: Crew, appointment: Appointment, wish: Wish, start: int, *, actor: str) -> None:
    staff_id = crew.diaries[0].staff_id
    claims = claims_of(crew.service.shape, start)
    settled = ledger.settle(
        conn,
        [appointment.hold_id],
        [Target(appointment.hold_id, staff_id, slot, weight) for slot, weight in claims],
        cause="move",
        actor=actor,
        held_until=appointment.hold_expires_at,
    )
    if not settled.settled:
        raise placements.unavailable(conn, wish, errors.SlotUnavailable)
    moved = conn.execute(
        queries.move_appointment,
        {
            "appointment_id": appointment.id,
            "start_at": wish.start_at,
            "end_at": wish.start_at + (appointment.end_at - appointment.start_at),
            "staff_id": staff_id,
            "slots": Jsonb([[staff_id, slot, weight] for slot, weight in claims]),
            "actor": actor,
        },
    )
    assert moved.rowcount == 1, "an appointment stands on one hold"
