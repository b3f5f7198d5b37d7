"""What may become of a booking: core's table and the database's are one."""

from __future__ import annotations

import psycopg
import pytest

from bridge.db import Connection
from bridge.rules.bookings import STATUSES, TRANSITIONS, may_become
from tests import waiting


def test_the_database_knows_the_same_table(conn: Connection) -> None:
    rows = conn.execute("SELECT from_status::text AS a, to_status::text AS b FROM booking_transition").fetchall()

    pairs = {(status, wanted) for status, others in TRANSITIONS.items() for wanted in others}
    # The one more: an order that is paid late makes a booking confirmed that had lapsed.
    assert {(row["a"], row["b"]) for row in rows} == pairs | {("cancelled", "confirmed")}


@pytest.mark.parametrize("status", ["completed", "no_show", "refunded"])
def test_some_are_for_good(status: str) -> None:
    assert not any(may_become(status, wanted) for wanted in STATUSES)


def test_nothing_becomes_what_it_is() -> None:
    assert not any(may_become(status, status) for status in STATUSES)


def test_the_database_refuses_what_the_table_does_not_say(conn: Connection) -> None:
    tour_id = waiting.make_tour(conn)
    booking_id = waiting.make_booking(conn, tour_id, waiting.make_slot(conn, tour_id))

    for status in ("completed", "no_show", "refunded"):
        with pytest.raises(psycopg.errors.CheckViolation) as refusal, conn.transaction():
            conn.execute("UPDATE booking SET status = %s WHERE id = %s", [status, booking_id])
        assert refusal.value.diag.constraint_name == "booking_transition_is_allowed"


def test_the_database_lets_nobody_undo_what_people_cancelled(conn: Connection) -> None:
    tour_id = waiting.make_tour(conn)
    booking_id = waiting.make_booking(conn, tour_id, waiting.make_slot(conn, tour_id))
    conn.execute(
        "UPDATE booking SET status = 'cancelled', cancelled_at = now(), cancelled_by = 'customer' WHERE id = %s",
        [booking_id],
    )

    with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
        conn.execute("UPDATE booking SET status = 'confirmed', cancelled_at = NULL WHERE id = %s", [booking_id])
