"""What becomes of appointments is told once: to their customer in a letter, to subscribers in an announcement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from bridge import db
from bridge.core import appointments, moves, reminders
from bridge.core.appointments import Appointment
from bridge.db import Connection
from tasks.outgoing import do_work
from tests.factories import Shop, at, lapse, make_appointment, make_shop
from tests.tasks.conftest import look

pytestmark = pytest.mark.usefixtures("settings")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def shop(own: str) -> Shop:
    with db.transaction() as conn:
        return make_shop(conn)


def held(conn: Connection, shop: Shop, **fields: Any) -> Appointment:
    return make_appointment(conn, service_id=shop.service_id, staff_id=shop.staff_id, **fields)


def work() -> None:
    """Do all that is owed because of appointments, twice."""
    for _ in range(2):
        with db.transaction() as conn:
            due = conn.execute("SELECT id FROM event WHERE type LIKE 'appointment.%' ORDER BY received_at").fetchall()
        for event in due:
            do_work(event["id"])


def letters(appointment_id: str) -> list[dict[str, Any]]:
    """The letters owed, oldest first."""
    with db.transaction() as conn:
        rows = conn.execute("SELECT raw FROM event WHERE type = 'mail' ORDER BY received_at, id").fetchall()
    return [letter for row in rows if appointment_id in (letter := orjson.loads(row["raw"]))["ics"]]


def subjects(appointment_id: str) -> list[str]:
    return [letter["subject"].partition(":")[0] for letter in letters(appointment_id)]


def test_a_confirmed_booking_is_written_about_once_with_its_zone_and_calendar(shop: Shop) -> None:
    with db.transaction() as conn:
        booking = held(conn, shop, customer_name="Ada <3", confirmed=True)

    work()

    (letter,) = letters(booking.id)
    assert letter["to"] == "ada@example.test"
    assert "10:00 (Australia/Brisbane)" in letter["subject"]
    assert "10:00 (Australia/Brisbane)" in letter["text"]
    assert "/manage/" in letter["text"]
    assert "Hello Ada <3," in letter["text"]
    assert "Ada &lt;3" in letter["html"]
    assert f"UID:{booking.id}@bridge" in letter["ics"]
    assert "METHOD:PUBLISH" in letter["ics"]


def test_each_change_is_written_about_under_a_rising_sequence(shop: Shop) -> None:
    with db.transaction() as conn:
        booking = held(conn, shop, confirmed=True)
    work()
    with db.transaction() as conn:
        moves.move_appointment(conn, booking.id, start_at=at("15:00"), actor="user:1")
    work()
    with db.transaction() as conn:
        appointments.cancel_appointment(conn, booking.id, actor="user:1", reason="ill")
    work()

    sent = letters(booking.id)
    assert subjects(booking.id) == ["Confirmed", "Moved", "Cancelled"]
    sequences = [int(letter["ics"].partition("SEQUENCE:")[2].split()[0]) for letter in sent]
    assert sequences == sorted(set(sequences))
    assert "METHOD:CANCEL" in sent[-1]["ics"]


def test_what_was_never_confirmed_is_not_written_about(shop: Shop) -> None:
    with db.transaction() as conn:
        booking = held(conn, shop)
        lapse(conn, booking.hold_id)
        conn.execute("SELECT expire_holds(1000)")

    work()

    assert letters(booking.id) == []


def test_who_gave_no_address_is_not_written_to(shop: Shop) -> None:
    with db.transaction() as conn:
        booking = held(conn, shop, customer_email=None, confirmed=True)

    work()

    assert letters(booking.id) == []


def test_every_change_is_announced_once_to_whoever_listens(shop: Shop) -> None:
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO webhook (id, url, types, secret)"
            " VALUES ('wh_t', 'https://t.test', '{booking.*}', 'whsec_eA==')"
        )
        booking = held(conn, shop, internal_notes="secret", confirmed=True)
        appointments.close_appointment(conn, booking.id, status="no_show", actor="user:1")

    work()

    with db.transaction() as conn:
        told = conn.execute(
            "SELECT type, data FROM announcement WHERE starts_with(key, %s) ORDER BY n", [booking.id]
        ).fetchall()
        conn.execute("DELETE FROM webhook WHERE id = 'wh_t'")
    assert [row["type"] for row in told] == ["booking.created", "booking.confirmed", "booking.no_show"]
    assert told[0]["data"]["id"] == booking.id
    assert "secret" not in str(told)


# -- reminders ---------------------------------------------------------------------------------------------------------


def remind(conn: Connection) -> int:
    return reminders.owe_reminders(conn, leads=[DAY, HOUR], limit=100)


def pretend(conn: Connection, booking: Appointment, *, starts_in: timedelta, settled: timedelta = 10 * DAY) -> None:
    """Have it start that soon, settled so long before now."""
    conn.execute(
        "UPDATE appointment SET start_at = date_trunc('second', now()) + %s, end_at = now() + %s + INTERVAL '1 hour'"
        " WHERE id = %s",
        [starts_in, starts_in, booking.id],
    )
    conn.execute("UPDATE appointment SET settled_at = now() - %s WHERE id = %s", [settled, booking.id])
    # Nobody is told of what only the test did.
    conn.execute("DELETE FROM event WHERE type = 'appointment.news' AND status = 'pending'")


@pytest.mark.parametrize(
    ("starts_in", "settled", "count"),
    [
        (DAY + HOUR, 10 * DAY, 0),
        (DAY - HOUR, 10 * DAY, 1),
        (2 * HOUR, 10 * DAY, 1),  # Beat was away: better late.
        (HOUR / 2, 10 * DAY, 1),  # The nearer of two alone.
        (HOUR / 2, HOUR, 1),  # Booked an hour and a half before.
        (HOUR / 2, HOUR / 4, 0),  # Just booked.
        (DAY - HOUR, HOUR / 2, 0),
        (-HOUR, 10 * DAY, 0),
    ],
)
def test_a_reminder_is_owed_once_when_it_is_news(
    shop: Shop, starts_in: timedelta, settled: timedelta, count: int
) -> None:
    with db.transaction() as conn:
        booking = held(conn, shop, confirmed=True)
        pretend(conn, booking, starts_in=starts_in, settled=settled)

        owed = [remind(conn), remind(conn)]
        conn.execute("UPDATE appointment SET customer_email = NULL WHERE id = %s", [booking.id])

    assert owed == [count, 0]


def test_a_reminder_is_of_the_time_as_it_is(shop: Shop) -> None:
    with db.transaction() as conn:
        kept, moved, cancelled = (
            held(conn, shop, start_at=at(clock), confirmed=True) for clock in ("09:00", "11:00", "13:00")
        )
    work()
    with db.transaction() as conn:
        for booking in (kept, moved, cancelled):
            pretend(conn, booking, starts_in=DAY - HOUR)
        assert remind(conn) == 3
        moves.move_appointment(conn, moved.id, start_at=at("15:00"), actor="user:1")
        appointments.cancel_appointment(conn, cancelled.id, actor="user:1")

    work()

    assert subjects(kept.id) == ["Confirmed", "Reminder"]
    assert subjects(moved.id) == ["Confirmed", "Moved"]
    assert subjects(cancelled.id) == ["Confirmed", "Cancelled"]


def test_a_moved_appointment_is_reminded_of_again(shop: Shop) -> None:
    with db.transaction() as conn:
        booking = held(conn, shop, confirmed=True)
        pretend(conn, booking, starts_in=DAY - HOUR)
        first = remind(conn)
        pretend(conn, booking, starts_in=DAY - 2 * HOUR)
        second = remind(conn)
        conn.execute("UPDATE appointment SET customer_email = NULL WHERE id = %s", [booking.id])

    assert (first, second) == (1, 1)


def test_an_unreadable_piece_of_news_fails_where_people_see_it(own: str) -> None:
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO event (id, source, dedupe_key, type, queue, raw)"
            " VALUES ('evt_bad_news', 'bridge', 'bad', 'appointment.news', 'bridge.outgoing', '{}')"
        )

    do_work("evt_bad_news")

    assert look("evt_bad_news")["status"] == "failed"
