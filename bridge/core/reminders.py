"""What the clock brings to appointments: a word some time before each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bridge import sql
from bridge.db import Connection

queries = sql.load("reminders")


def owe_reminders(conn: Connection, *, leads: Sequence[timedelta], limit: int) -> int:
    """Owe a reminder to whose appointment is as near as one of `leads`: one for each lead and time, ever. How many.

    Who booked or moved it later than that has just been told, and of two that are due only the nearer is sent. Who
    moves or cancels it afterwards gets what is true then: see tasks/appointments.py.
    """
    owed = 0
    ascending = sorted(leads)
    for nearer, lead in zip([timedelta(0), *ascending], ascending, strict=False):
        owed += conn.execute(queries.owe_reminders, {"lead": lead, "nearer": nearer, "limit": limit}).rowcount
    return owed
