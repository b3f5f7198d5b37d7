"""Customers are told what becomes of their bookings and of their place in the queue: each thing once."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from icalendar import Calendar

from bridge import db
from bridge.core import bookings, holds, slot_cancellations, travel, waitlist, webhooks
from bridge.ids import new_id
from schemas.announcements import dump_announcement
from tasks.maintenance import follow_travel, tend_waitlist
from tasks.outgoing import do_work
from tests.tasks.conftest import look
from tests.waiting import lapse_offer, make_booking, make_slot, make_tour, slot_id_of, statuses, take, wait

pytestmark = pytest.mark.usefixtures("settings")


def pending(prefix):
    """Ids of work not done yet whose type begins so, the oldest first."""
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT id FROM event WHERE status = 'pending' AND starts_with(type, %s) ORDER BY received_at, id", [prefix]
        )
        return [row["id"] for row in rows]


def work_off(*prefixes):
    """Do what is owed, twice, as a relay that rings twice has it done."""
    for prefix in prefixes:
        for event_id in pending(prefix):
            do_work(event_id)
            assert look(event_id)["status"] in {"applied", "ignored"}, look(event_id)


@pytest.fixture
def letters(database_url):
    """The letters owed since the test began: of each {to, subject, text, html, ics}."""
    with db.transaction() as conn:
        conn.execute("UPDATE event SET status = 'ignored', finished_at = now() WHERE status = 'pending'")

    def read():
        with db.transaction() as conn:
            rows = conn.execute(
                "SELECT convert_from(raw, 'UTF8')::jsonb AS letter FROM event"
                " WHERE type = 'mail' AND status = 'pending' ORDER BY received_at, id"
            )
            return [row["letter"] for row in rows]

    return read


@pytest.fixture
def tour():
    with db.transaction() as conn:
        tour_id = make_tour(conn, name="Harbour <tour>")
        return tour_id, make_slot(conn, tour_id, capacity=10)


def event_of(letter):
    (event,) = Calendar.from_ical(letter["ics"]).walk("VEVENT")
    return event


def test_a_confirmed_booking_is_told_once_with_a_calendar_file_and_a_link(letters, tour):
    with db.transaction() as conn:
        booking_id = make_booking(conn, *tour, 2, order_id=new_id("order"))

    (told,) = pending("booking.notify")
    do_work(told)
    with db.transaction() as conn:
        conn.execute("UPDATE event SET status = 'pending', finished_at = NULL WHERE id = %s", [told])
    do_work(told)  # A worker that died after its commit.

    (letter,) = letters()
    assert letter["to"] == "ada@example.test"
    assert letter["subject"].startswith("Confirmed: Harbour <tour>, ")
    assert "2 adults" in letter["text"] and "165.00 AUD" in letter["text"]
    assert "/manage/" in letter["text"] and "/manage/" in letter["html"]
    assert "Harbour &lt;tour&gt;" in letter["html"]
    assert Calendar.from_ical(letter["ics"])["METHOD"] == "PUBLISH"
    assert event_of(letter)["UID"] == f"{booking_id}@bridge"


def test_calendar_files_of_a_booking_follow_each_other_and_the_last_takes_it_off(letters, tour):
    tour_id, slot_no = tour
    with db.transaction() as conn:
        other = make_slot(conn, tour_id, capacity=10, at=time(12))
        make_booking(conn, tour_id, slot_no, order_id=new_id("order"))
    work_off("booking.notify")
    with db.transaction() as conn:
        slot_id = slot_id_of(conn, slot_no)
        slot_cancellations.begin(
            conn, slot_id, reason="Storm", alternative_slot_id=slot_id_of(conn, other), actor="key:1"
        )
    work_off("slot.cancel", "booking.notify")
    with db.transaction() as conn:
        slot_cancellations.begin(
            conn, slot_id_of(conn, other), reason="More storm", alternative_slot_id=None, actor="key:1"
        )
    work_off("slot.cancel", "booking.notify")

    confirmed, moved, cancelled = letters()

    assert moved["subject"].startswith("Your tour leaves at another time")
    assert "Storm" in moved["text"] and "Instead of" in moved["text"]
    assert cancelled["subject"].startswith("Your tour does not run")
    assert "will be paid back" in cancelled["text"]
    events = [event_of(letter) for letter in (confirmed, moved, cancelled)]
    assert len({event["UID"] for event in events}) == 1
    sequences = [event["SEQUENCE"] for event in events]
    assert sequences == sorted(set(sequences))
    assert events[0]["DTSTART"].dt + timedelta(hours=3) == events[1]["DTSTART"].dt
    assert Calendar.from_ical(cancelled["ics"])["METHOD"] == "CANCEL"


def test_who_let_a_booking_lapse_is_told_nothing(letters, tour):
    with db.transaction() as conn:
        booking_id = make_booking(conn, *tour)
        hold_id = bookings.get_booking(conn, booking_id).hold_id
        conn.execute("UPDATE hold SET expires_at = now() WHERE id = %s", [hold_id])
        conn.execute("UPDATE claim SET expires_at = now() WHERE hold_id = %s", [hold_id])
    with db.transaction() as conn:
        holds.expire_holds(conn, limit=1000)

    work_off("booking.notify")

    assert letters() == []


def test_those_who_leave_soon_are_reminded_once(letters, tour):
    tour_id, _far = tour
    with db.transaction() as conn:
        soon = make_slot(conn, tour_id, starts_at=datetime.now(UTC) + timedelta(hours=20), at=time(7))
        booking_id = make_booking(conn, tour_id, soon, order_id=new_id("order"))
        make_booking(conn, *tour, order_id=new_id("order"))
        conn.execute("UPDATE booking SET confirmed_at = now() - INTERVAL '3 days' WHERE id = %s", [booking_id])
    work_off("booking.notify")
    before = len(letters())

    follow_travel()
    follow_travel()
    work_off("booking.remind")
    follow_travel()
    work_off("booking.remind")

    (reminder,) = letters()[before:]
    assert reminder["subject"].startswith("Soon: ")


def test_who_booked_when_it_was_near_already_is_not_reminded(letters, tour):
    tour_id, _far = tour
    with db.transaction() as conn:
        soon = make_slot(conn, tour_id, starts_at=datetime.now(UTC) + timedelta(hours=20), at=time(7))
        make_booking(conn, tour_id, soon, order_id=new_id("order"))

    with db.transaction() as conn:
        assert travel.owe_reminders(conn, before=timedelta(hours=24), limit=10) == 0


def test_a_booking_is_completed_when_the_day_is_over_where_the_tour_is(letters, tour):
    tour_id, _far = tour
    with db.transaction() as conn:
        past = make_slot(conn, tour_id, at=time(7))
        today = make_slot(conn, tour_id, at=time(8))
        travelled = make_booking(conn, tour_id, past, order_id=new_id("order"))
        travelling = make_booking(conn, tour_id, today, order_id=new_id("order"))
        never_paid = make_booking(conn, tour_id, past)
        for slot_no, days in ((past, 1), (today, 0)):
            conn.execute(
                "UPDATE slot SET slot_date = (now() AT TIME ZONE time_zone)::date - %(days)s,"
                " starts_at = now() - INTERVAL '1 hour' - %(days)s * INTERVAL '1 day',"
                " ends_at = now() - INTERVAL '1 minute'"
                " WHERE slot_no = %(slot_no)s",
                {"days": days, "slot_no": slot_no},
            )

    follow_travel()
    follow_travel()

    with db.transaction() as conn:
        stand = [bookings.get_booking(conn, booking_id).status for booking_id in (travelled, travelling, never_paid)]
        logged = conn.execute(
            "SELECT count(*) AS n FROM booking_change WHERE booking_id = %s AND new_value ->> 'status' = 'completed'",
            [travelled],
        ).fetchone()
    assert stand == ["completed", "confirmed", "pending"]
    assert logged == {"n": 1}


def test_a_worker_deals_with_what_another_left_of_a_cancelled_departure(letters, tour):
    tour_id, slot_no = tour
    with db.transaction() as conn:
        made = [make_booking(conn, tour_id, slot_no) for _ in range(5)]
        slot_id = slot_id_of(conn, slot_no)
        slot_cancellations.begin(conn, slot_id, reason="Storm", alternative_slot_id=None, actor="key:1")
    with db.transaction() as conn:
        slot_cancellations.take_step(conn, slot_no, limit=2)  # And then it died.
        half = slot_cancellations.get_cancellation(conn, slot_id)

    work_off("slot.cancel")

    with db.transaction() as conn:
        done = slot_cancellations.get_cancellation(conn, slot_id)
        stand = {bookings.get_booking(conn, booking_id).status for booking_id in made}
    assert (half.status, half.cancelled) == ("running", 2)
    assert (done.status, done.cancelled) == ("done", 5)
    assert stand == {"cancelled"}
    work_off("booking.notify")
    assert len(letters()) == 5


def test_work_that_takes_too_long_is_continued_as_another_piece(letters, tour, monkeypatch):
    tour_id, slot_no = tour
    with db.transaction() as conn:
        make_booking(conn, tour_id, slot_no)
        slot_cancellations.begin(
            conn, slot_id_of(conn, slot_no), reason="Storm", alternative_slot_id=None, actor="key:1"
        )
    monkeypatch.setattr("tasks.slot_cancellations.BUDGET_SECONDS", -1)
    (first,) = pending("slot.cancel")
    do_work(first)
    monkeypatch.undo()

    (rest,) = pending("slot.cancel")
    do_work(rest)

    assert rest != first
    with db.transaction() as conn:
        assert slot_cancellations.get_cancellation(conn, slot_id_of(conn, slot_no)).status == "done"


# -- the waitlist ------------------------------------------------------------------------------------------------------


def test_who_waits_is_told_each_thing_once(letters):
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=1)
        held = take(conn, tour_id, slot_no)
        entry = wait(conn, tour_id, customer_email="jane@example.test")
    work_off("waitlist.notify")
    with db.transaction() as conn:
        holds.release_hold(conn, held, actor="tests")
    work_off("waitlist.notify")
    with db.transaction() as conn:
        lapse_offer(conn, entry)
    with db.transaction() as conn:
        holds.expire_holds(conn, limit=1000)
    work_off("waitlist.notify")

    joined, offered, expired = letters()

    assert {letter["to"] for letter in (joined, offered, expired)} == {"jane@example.test"}
    assert "number 1 on the waitlist" in joined["text"]
    assert "1 seat has become free" in offered["text"] and "/manage/" in offered["text"]
    assert "not taken up in time" in expired["text"]


def test_an_offer_that_is_over_before_it_is_told_is_not_told(letters):
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=1)
        held = take(conn, tour_id, slot_no)
        entry = wait(conn, tour_id)
    work_off("waitlist.notify")
    before = len(letters())
    with db.transaction() as conn:
        holds.release_hold(conn, held, actor="tests")
    with db.transaction() as conn:
        lapse_offer(conn, entry)

    work_off("waitlist.notify")

    assert letters()[before:] == []


def test_settings_that_change_are_followed_by_the_next_turn(settings):
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=1)
        held = take(conn, tour_id, slot_no)
        entry = wait(conn, tour_id)
    settings(waitlist_auto_process=False)
    tend_waitlist()
    with db.transaction() as conn:
        holds.release_hold(conn, held, actor="tests")
        by_hand = statuses(conn, entry)
    settings(waitlist_auto_process=True)

    tend_waitlist()

    assert by_hand == ["active"]
    with db.transaction() as conn:
        assert statuses(conn, entry) == ["notified"]


def test_subscribers_hear_of_the_queue(letters):
    with db.transaction() as conn:
        webhooks.create_webhook(
            conn, url="https://example.test/hook", types=["waitlist.*"], actor="tests", allow_private=True
        )
        tour_id = make_tour(conn)
        held = take(conn, tour_id, make_slot(conn, tour_id, capacity=1))
        entry = wait(conn, tour_id)
        holds.release_hold(conn, held, actor="tests")
    work_off("waitlist.notify")
    with db.transaction() as conn:
        waitlist.leave(conn, entry.id, actor="tests")
    work_off("waitlist.notify")

    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT type, data FROM announcement WHERE data ->> 'id' = %s ORDER BY n", [entry.id]
        ).fetchall()
    assert [row["type"] for row in rows] == ["waitlist.joined", "waitlist.offered", "waitlist.left"]
    for row in rows:
        told = dump_announcement(type=row["type"], timestamp=datetime.now(UTC), data=row["data"])
        assert told["data"]["customer_email"] == entry.customer_email
