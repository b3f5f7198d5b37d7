"""Reservations as the database reads them."""

from __future__ import annotations

from bridge.core import reservations
from bridge.db import Connection
from tests.factories import make_reservation, make_resource


def test_a_status_reads_the_holds_of_its_number_and_no_others(conn: Connection) -> None:
    sold, days = make_resource(conn)
    numbers = [make_reservation(conn, sold, days).booking_number for _ in range(3)]
    before = entries_read(conn)

    status = reservations.lock(conn, numbers[1])

    assert status == "open"
    # Its hold, as it was placed and as its time was set.
    assert entries_read(conn) - before == 2


def entries_read(conn: Connection) -> int:
    """How many holds this transaction has found by their numbers."""
    row = conn.execute("SELECT pg_stat_get_xact_tuples_returned('hold_by_booking_number'::regclass) AS n").fetchone()
    assert row is not None
    return int(row["n"])
