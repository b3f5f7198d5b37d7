"""What may become of a booking: core's table and the database's are one."""

from __future__ import annotations

import pytest

from bridge.db import Connection
from bridge.rules.bookings import STATUSES, TRANSITIONS, may_become


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
