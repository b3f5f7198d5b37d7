"""Appointments at the same instant: nobody is in two chairs, and no chair has two in it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from bridge import db, errors
from bridge.core import appointments, audits, moves, openings, placements
from bridge.core.appointments import Appointment
from bridge.core.placements import Wish
from bridge.db import Connection
from tests.concurrency.rush import in_transaction, rush
from tests.factories import Shop, at, counters, future_day, lapse, make_appointment, make_shop, make_staff
from tests.web.ops.rows import committed

TERM = timedelta(minutes=10)


def wish(conn: Connection, shop: Shop, clock: str, staff_id: str | None = None) -> Appointment:
    wanted = Wish(service_id=shop.service_id, staff_id=staff_id, start_at=at(clock))
    return placements.place_appointment(conn, wanted, term=TERM, hard_term=TERM, actor="tests")


def booked(answers: list[Any]) -> list[Appointment]:
    """The appointments among the answers; all others must be refusals that say so."""
    refused = [answer for answer in answers if not isinstance(answer, Appointment)]
    assert all(isinstance(answer, errors.SlotUnavailable | errors.Unavailable) for answer in refused), refused
    return sorted((answer for answer in answers if isinstance(answer, Appointment)), key=lambda made: made.start_at)


@pytest.mark.parametrize(
    ("clocks", "duration", "buffer"),
    [
        (["10:00"], 30, 0),  # The same start.
        (["10:00", "10:15"], 45, 0),  # One inside the other's end.
        (["09:45", "10:00", "10:15", "10:30"], 60, 0),  # Across.
        (["10:00", "10:30", "10:45", "11:00"], 30, 15),  # Into the other's buffer.
        (["09:30", "10:00", "10:30", "11:00"], 20, 5),
    ],
)
def test_however_fifty_overlap_nobody_is_served_while_another_is(
    app: object, clocks: list[str], duration: int, buffer: int
) -> None:
    shop = committed(make_shop, duration_minutes=duration, buffer_minutes=buffer)
    calls = [
        in_transaction(partial(wish, shop=shop, clock=clocks[n % len(clocks)], staff_id=shop.staff_id))
        for n in range(50)
    ]

    made = booked(rush(calls))

    assert made
    for one, other in pairwise(made):
        assert one.end_at + timedelta(minutes=buffer) <= other.start_at
    with db.transaction() as conn:
        assert all(held <= 2 for held, _allocated in counters(conn, shop.staff_id))


def test_buffers_on_both_sides_share_a_gap_under_a_rush(app: object) -> None:
    shop = committed(make_shop, duration_minutes=30, buffer_before_minutes=15, buffer_minutes=15)
    calls = [
        in_transaction(partial(wish, shop=shop, clock=clock, staff_id=shop.staff_id))
        for clock in ("10:00", "10:45", "11:30") * 10
    ]

    made = booked(rush(calls))

    assert [appointment.start_at for appointment in made] == [at("10:00"), at("10:45"), at("11:30")]


def test_a_rush_on_anybody_books_each_once(app: object) -> None:
    """Fifty want ten o'clock of whoever is free of five."""
    shop = committed(make_shop)
    crew = {shop.staff_id, *(committed(make_staff, service_ids=[shop.service_id]) for _ in range(4))}

    made = booked(rush([in_transaction(partial(wish, shop=shop, clock="10:00")) for _ in range(50)]))

    assert {appointment.staff_id for appointment in made} == crew
    assert len(made) == 5


def test_confirming_against_the_clock_leaves_one_of_both(app: object) -> None:
    shop = committed(make_shop)
    for _ in range(5):
        held = committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id)
        with db.transaction() as conn:
            conn.execute(
                "WITH soon AS (UPDATE hold SET expires_at = clock_timestamp() + INTERVAL '30 ms'"
                " WHERE id = %s RETURNING id, expires_at)"
                " UPDATE claim k SET expires_at = s.expires_at FROM soon s WHERE k.hold_id = s.id",
                [held.hold_id],
            )

        def expire() -> Any:
            with db.transaction() as conn:
                conn.execute("SELECT pg_sleep(0.02)")
            return in_transaction(lambda conn: list(conn.execute("SELECT expire_holds(1000)")))()

        confirm = in_transaction(lambda conn, held=held: appointments.confirm_appointment(conn, held.id, actor="tests"))
        answers = rush([confirm, confirm, expire, expire], at_once=4)

        with db.transaction() as conn:
            after = appointments.get_appointment(conn, held.id)
            taken = counters(conn, shop.staff_id)
        assert after.status in {"confirmed", "cancelled", "held"}
        if after.status == "confirmed":
            assert set(taken) == {(0, 2)}
            with db.transaction() as conn:
                appointments.cancel_appointment(conn, held.id, actor="tests")
        else:
            assert all(isinstance(answer, errors.HoldExpired) for answer in answers[:2])
            with db.transaction() as conn:
                lapse(conn, held.hold_id)


def test_moving_against_cancelling_ends_with_nothing_taken(app: object) -> None:
    shop = committed(make_shop)
    for confirmed in (True, False) * 3:
        made = committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, confirmed=confirmed)
        move = in_transaction(
            lambda conn, made=made: moves.move_appointment(conn, made.id, start_at=at("10:15"), actor="tests")
        )
        cancel = in_transaction(lambda conn, made=made: appointments.cancel_appointment(conn, made.id, actor="tests"))

        rush([move, cancel, move, cancel], at_once=4)

        with db.transaction() as conn:
            assert appointments.get_appointment(conn, made.id).status == "cancelled"
            assert set(counters(conn, shop.staff_id)) == {(0, 0)}


def test_two_who_change_places_at_once_do_not_wait_for_each_other_for_ever(app: object) -> None:
    shop = committed(make_shop)
    first, second = (
        committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, start_at=at(clock))
        for clock in ("10:00", "14:00")
    )
    calls = [
        in_transaction(
            lambda conn, made=made, clock=clock: moves.move_appointment(
                conn, made.id, start_at=at(clock), actor="tests"
            )
        )
        for made, clock in ((first, "14:15"), (second, "10:15"), (first, "10:00"), (second, "14:00")) * 5
    ]

    answers = rush(calls, at_once=10)

    assert all(isinstance(answer, Appointment | errors.SlotUnavailable | errors.Unavailable) for answer in answers), (
        answers
    )
    with db.transaction() as conn:
        assert sum(held for held, _allocated in counters(conn, shop.staff_id)) == 8


def test_whoever_books_while_the_rules_change_is_counted_or_refused(app: object) -> None:
    """Closing a day names every booking on it: none is made by the old rules after it was looked."""
    shop = committed(make_shop)

    def close(conn: Connection) -> list[str]:
        openings.lock_staff(conn, shop.staff_id)
        openings.add_rule(conn, shop.staff_id, rule_type="blocked", specific_date=future_day())
        return [found.id for found in openings.find_conflicts(conn, shop.staff_id)]

    clocks = [f"{hour:02}:{minute:02}" for hour in range(9, 16) for minute in (0, 30)]
    calls = [in_transaction(partial(wish, shop=shop, clock=clock, staff_id=shop.staff_id)) for clock in clocks]
    answers = rush([*calls[:7], in_transaction(close), *calls[7:]], at_once=8)

    named = answers.pop(7)
    made = {answer.id for answer in answers if isinstance(answer, Appointment)}
    assert all(
        isinstance(answer, Appointment | errors.OutsideBusinessHours | errors.Unavailable) for answer in answers
    ), answers
    assert set(named) == made


def test_the_ledger_adds_up_after_all_of_this(app: object) -> None:
    with db.transaction() as conn:
        findings = audits.audit(conn)
    assert [found for found in findings if str(found.get("resource_id")).startswith("bkstf_")] == []
