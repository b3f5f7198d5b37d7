"""What became of an appointment, told to those it concerns: a letter to the customer, an announcement to others."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bridge import db, letters, links
from bridge.core import announcements, appointments, mails, reservation_news
from bridge.core.appointment_calendars import calendar_of
from bridge.core.appointments import Appointment
from bridge.core.events import Event, Status
from bridge.db import Connection
from bridge.errors import UnreadableEvent
from tasks import settings

# Which status has to stand still for the letter of a change to be worth writing.
LETTERS = {"confirmed": "confirmed", "rescheduled": "confirmed", "cancelled": "cancelled"}


def tell(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Announce a change of an appointment, and write to its customer where they should know. Once."""
    appointment_id, n = payload.get("appointment_id"), payload.get("change")
    if not isinstance(appointment_id, str) or not isinstance(n, int):
        raise UnreadableEvent("appointment_id: must be a text, and change a number.")
    with db.transaction() as conn:
        booking = appointments.get_appointment(conn, appointment_id)
        what = appointments.get_change(conn, appointment_id, n)["what"]
        told = "changed" if what == "rescheduled" else what  # As of any booking.
        announcements.announce(conn, f"booking.{told}", _public(booking), key=f"{appointment_id}:{n}")
        is_news = LETTERS.get(what) == booking.status and booking.confirmed_at is not None
        if is_news and not (what == "confirmed" and _is_told_with_number(conn, booking, n)):
            _write(conn, booking, what, dedupe_key=event.id)
    return "applied", f"booking.{told} announced"


def remind(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Remind a customer of an appointment that is near, unless it is at another time, or not at all, by now. Once."""
    with db.transaction() as conn:
        booking = appointments.get_appointment(conn, str(payload.get("appointment_id")))
        if booking.status != "confirmed" or booking.start_at.timestamp() != payload.get("start_at"):
            return "ignored", "there is nothing to be reminded of any more"
        _write(conn, booking, "reminder", dedupe_key=event.id)
    return "applied", "a reminder is on its way"


def _write(conn: Connection, booking: Appointment, what: str, *, dedupe_key: str) -> None:
    if not booking.customer_email:
        return
    url = links.manage_url(settings(), "appointment", booking.id)
    mails.owe_mail(
        conn,
        letters.render(f"appointments/{what}", booking=booking, manage_url=url),
        to=booking.customer_email,
        dedupe_key=dedupe_key,
        order_id=booking.order_id,
        ics=calendar_of(booking, url=url),
    )


def _is_told_with_number(conn: Connection, booking: Appointment, n: int) -> bool:
    """Whether it was confirmed as part of a reservation, whose one letter tells of that; of a second time none does."""
    before = [change for change in appointments.list_changes(conn, booking.id) if change["n"] < n]
    is_again = any(change["what"] == "confirmed" for change in before)
    return not is_again and reservation_news.is_told_with_number(conn, booking.hold_id)


def _public(booking: Appointment) -> dict[str, Any]:
    """The appointment as subscribers see it: what only staff read stays here."""
    return {name: value for name, value in asdict(booking).items() if name not in {"internal_notes", "read_at"}}
