"""A guest's page of an appointment: what it is, when it could be instead, and how to cancel it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError

from bridge import db, errors, letters, links
from bridge.core import appointments, diaries, moves
from bridge.core.appointment_calendars import calendar_of
from bridge.core.appointments import Appointment
from bridge.db import Connection
from bridge.rules.slots import quarter_start
from bridge.web.endpoints import settings
from bridge.web.manage import page, wants_json
from schemas.appointments import AppointmentAnswerSchema, CancelAppointmentSchema, MoveAppointmentSchema
from schemas.fields import Day

ACTOR = "guest"

_one = AppointmentAnswerSchema()
_day = Day()
_move = MoveAppointmentSchema()
_cancel = CancelAppointmentSchema()


def show(appointment_id: str, token: str) -> ResponseReturnValue:
    """The appointment, and the free times of a day (`?date=`) to move it to."""
    with db.transaction() as conn:
        booking = appointments.get_appointment(conn, appointment_id)
        if wants_json():
            return jsonify(_one.dump({"booking": booking}))
        day = _asked_day(booking)
        free = _free_times(conn, booking, day) if booking.is_live else []
    shown = {"when": letters.show_time, "money": letters.show_money}
    return page("appointment", booking=booking, token=token, day=day, free=free, **shown)


def reschedule(appointment_id: str, token: str) -> ResponseReturnValue:
    """Move it to another time."""
    body = _load(_move)
    with db.transaction() as conn:
        moved = moves.move_appointment(conn, appointment_id, **body, actor=ACTOR, by_customer=True)
    return _answer(moved, token)


def cancel(appointment_id: str, token: str) -> ResponseReturnValue:
    """Cancel it. What was paid is paid back as the service's terms say."""
    body = _load(_cancel)
    with db.transaction() as conn:
        cancelled = appointments.cancel_appointment(
            conn, appointment_id, actor=ACTOR, reason=body["reason"] or "cancelled by the customer", by_customer=True
        )
    return _answer(cancelled, token)


def calendar(appointment_id: str, token: str) -> ResponseReturnValue:
    """Its calendar file."""
    with db.transaction() as conn:
        booking = appointments.get_appointment(conn, appointment_id)
    text = calendar_of(booking, url=links.manage_url(settings(), "appointment", booking.id))
    headers = {"Content-Disposition": 'attachment; filename="appointment.ics"'}
    return Response(text, headers=headers, content_type="text/calendar; charset=utf-8")


ACTIONS: dict[str, Callable[[str, str], ResponseReturnValue]] = {
    "reschedule": reschedule,
    "cancel": cancel,
    "calendar": calendar,
}
READS = {"calendar"}


def _answer(booking: Appointment, token: str) -> ResponseReturnValue:
    if wants_json():
        return jsonify(_one.dump({"booking": booking}))
    return redirect(url_for("manage.show", token=token), 303)


def _load(schema: Schema) -> Any:
    try:
        return schema.load(_sent())
    except ValidationError as error:
        # In words for a person: the page shows them.
        raise errors.InvalidData(f"This cannot be read: {', '.join(map(str, error.messages_dict))}.") from error


def _sent() -> Any:
    """What a form or a program sent."""
    if request.is_json:
        sent = request.get_json(silent=True)
        return sent if isinstance(sent, dict) else {}
    return {name: value for name, value in request.form.items() if value}


def _asked_day(booking: Appointment) -> date:
    try:
        day: date = _day.deserialize(request.args["date"])
    except (KeyError, ValidationError):
        return booking.start_at.astimezone(ZoneInfo(booking.time_zone)).date()
    return day


def _free_times(conn: Connection, booking: Appointment, day: date) -> list[datetime]:
    """When the same member of staff could do it on that day, on their wall clock."""
    try:
        crew = diaries.open_crew(
            conn, service_id=booking.service_id, staff_id=booking.staff_id, first_day=day, last_day=day
        )
    except (errors.ServiceNotFound, errors.StaffNotFound):
        return []
    zone = ZoneInfo(booking.time_zone)
    return [
        quarter_start(slot).astimezone(zone) for diary in crew.diaries for slot in sorted(crew.starts(diary, day).free)
    ]
