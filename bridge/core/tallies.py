"""Tallies: what is counted of bookings, of the waitlist and of reservations, for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge import db, sql
from bridge.db import Connection

queries = sql.load("tallies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What stands in the database this second, whichever process did it."""

    created: int
    cancelled: Mapping[str, int]  # By who cancelled.
    conversions: int
    waiting: int
    booking_seconds: float  # From making a booking to its confirmation, on average of the last day.
    utilization: float  # Per cent of the seats of the next 30 days that are held or sold.
    reservations: Mapping[str, int]  # Begun in the last day, by what became of them: see reservation_fates.
    open_reservations: int
    refusals: Mapping[str, int]  # Items of reservations that were not to be had, ever, by reason.
    payment_seconds: float  # From a reservation's first item to its payment, on average of those begun in the last day.


def take_tally(conn: Connection) -> Tally:
    """Count. Rows are read by indexes alone: a million bookings take a tenth of a second."""
    counted = db.one(conn.execute(queries.count_bookings))
    cancelled = {row["cancelled_by"]: row["count"] for row in conn.execute(queries.count_cancelled)}
    waiting = db.one(conn.execute(queries.count_waiting))["count"]
    fates = {row["fate"]: row for row in conn.execute(queries.count_reservations)}
    return Tally(
        cancelled=cancelled,
        waiting=waiting,
        reservations={fate: row["count"] for fate, row in fates.items()},
        open_reservations=db.one(conn.execute(queries.count_open_reservations))["count"],
        refusals={row["reason"]: row["n"] for row in conn.execute(queries.count_refusals_ever)},
        payment_seconds=fates["paid"]["seconds_to_payment"] if "paid" in fates else 0.0,
        **counted,
    )
