"""What the clock brings to bookings: a reminder before the departure, completion after it."""

from __future__ import annotations

from datetime import timedelta

from bridge import sql
from bridge.db import Connection

queries = sql.load("travel")


def owe_reminders(conn: Connection, *, before: timedelta, limit: int) -> int:
    """Owe a reminder to up to `limit` customers who leave within `before`; how many. One for each departure, ever.

    Who booked or changed when it was that near already has just had a letter.
    """
    return conn.execute(queries.owe_reminders, {"before": before, "limit": limit}).rowcount


def complete_bookings(conn: Connection, *, limit: int) -> int:
    """Complete up to `limit` confirmed bookings whose day of travel is over, by the tour's own clock; how many."""
    return conn.execute(queries.complete_bookings, {"limit": limit}).rowcount
