"""What becomes of reservations: each figure, from reservations of every fate."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge import db
from bridge.config import Config
from bridge.core import (
    orders,
    reservation_analytics,
    reservation_refusals,
    reservation_reports,
    reservations,
    shortfalls,
)
from bridge.core.reservation_analytics import Analytics, Figures
from bridge.db import Connection
from bridge.errors import InvalidData, ResourceNotFound
from bridge.rules.orders import LineFacts, OrderFacts
from tests.databases import own_database
from tests.factories import ZONE, lapse_reservation, make_reservation, make_resource
from tests.reservation_fates import make_fates, make_withdrawn, pay

OF_FATES = {
    "begun": 8,
    "paid": 4,
    "partly_paid": 1,
    "paid_late": 1,
    "cancelled_after_payment": 1,
    "lapsed": 1,
    "abandoned": 2,
    "withdrawn": 0,
    "open": 1,
    "items": 9,
    "items_paid": 4,
}


def analyse(conn: Connection, **asked: Any) -> Analytics:
    return reservation_analytics.analyse(conn, **{"time_zone": ZONE, **asked})


def counted(figures: Figures) -> dict[str, int]:
    return {name: getattr(figures, name) for name in OF_FATES}


def look_at(conn: Connection, resource_id: str, number: str) -> tuple[str, set[str], dict[str, int]]:
    """The status of a number, those that its resource's are counted by, and what of the figures is not nothing."""
    page, _count = reservation_reports.list_reservations(conn, resource_id=resource_id, time_zone=ZONE)
    numbers = [reservation.booking_number for reservation in page]
    rows = conn.execute(
        "SELECT f.status FROM reservation_fates('-infinity', 'infinity', false) f WHERE f.booking_number = ANY (%s)",
        [numbers],
    )
    figures = counted(analyse(conn, resource_id=resource_id).summary)
    status = reservations.get_reservation(conn, number).status
    return status, {row["status"] for row in rows}, {name: n for name, n in figures.items() if n}


def begin_at(conn: Connection, number: str, at: datetime) -> None:
    conn.execute("UPDATE reservation SET created_at = %s WHERE booking_number = %s", [at, number])


def refuse(conn: Connection, resource_id: str, reason: str, times: int = 1) -> None:
    reservation_refusals.count(conn, [{"resource_id": resource_id, "reason": reason}] * times, time_zone=ZONE)


def test_every_fate_is_counted_as_what_it_is(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=50)
    make_fates(conn, resource_id, days)
    make_withdrawn(conn, resource_id, days[2])

    figures = analyse(conn, resource_id=resource_id).summary

    assert counted(figures) == OF_FATES | {"begun": 9, "withdrawn": 1, "items": 10}
    assert (figures.decided, figures.success_rate) == (7, 0.5714)
    assert (figures.expiry_rate, figures.abandonment_rate) == (0.1429, 0.2857)


def test_nothing_has_no_rates(conn: Connection) -> None:
    resource_id, _days = make_resource(conn)

    figures = analyse(conn, resource_id=resource_id).summary

    assert figures == Figures()
    assert (figures.success_rate, figures.expiry_rate, figures.abandonment_rate, figures.conflict_rate) == (None,) * 4
    assert (figures.average_seconds_to_payment, figures.p95_seconds_to_payment) == (None, None)


def test_what_is_paid_and_has_no_place_counts_as_partly_paid_also_once_it_is_paid_back(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=1, days=1)
    made = make_reservation(conn, resource_id, days)
    lapse_reservation(conn, made.booking_number)
    make_reservation(conn, resource_id, days)
    order = pay(conn, made)
    is_short = counted(analyse(conn, resource_id=resource_id).summary)
    [shortfall], _count = shortfalls.list_shortfalls(conn, order_id=order.id)
    shortfalls.give_up(conn, shortfall["id"], actor="tests", note=None)

    is_refunded = counted(analyse(conn, resource_id=resource_id).summary)

    assert is_short == OF_FATES | dict.fromkeys(OF_FATES, 0) | {
        "begun": 2, "paid": 1, "partly_paid": 1, "open": 1, "items": 2
    }  # fmt: skip
    assert is_refunded == is_short | {"cancelled_after_payment": 1}


def test_what_was_given_back_and_is_paid_for_all_the_same_is_paid(conn: Connection) -> None:
    resource_id, days = make_resource(conn, days=1)
    made = make_reservation(conn, resource_id, days)
    reservations.release(conn, made.booking_number, actor="tests", reason="the page was closed")
    line = LineFacts(id="item_1", quantity=1, resource_id=resource_id, dates=tuple(days))
    facts = OrderFacts(
        source="medusa", id=f"order_{made.booking_number}", booking_number=made.booking_number, lines=(line,)
    )
    orders.reconcile(conn, facts, actor="tests")

    figures = analyse(conn, resource_id=resource_id).summary

    assert (figures.paid, figures.partly_paid, figures.abandoned, figures.items_paid) == (1, 0, 0, 1)


def test_what_was_given_back_and_is_owed_to_an_order_is_paid(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=1, days=1)
    made = make_reservation(conn, resource_id, days)
    reservations.release(conn, made.booking_number, actor="tests", reason="the page was closed")
    make_reservation(conn, resource_id, days)
    order = pay(conn, made)
    owed = look_at(conn, resource_id, made.booking_number)
    [shortfall], _count = shortfalls.list_shortfalls(conn, order_id=order.id)
    shortfalls.give_up(conn, shortfall["id"], actor="tests", note=None)

    given_up = look_at(conn, resource_id, made.booking_number)

    figures = {"begun": 2, "paid": 1, "partly_paid": 1, "open": 1, "items": 2}
    assert owed == ("paid", {"paid", "open"}, figures)
    assert given_up == ("cancelled", {"cancelled", "open"}, figures | {"cancelled_after_payment": 1})


def test_the_status_counted_by_is_the_one_shown(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=50)
    numbers = make_fates(conn, resource_id, days)
    numbers["withdrawn"] = make_withdrawn(conn, resource_id, days[2])

    shown = {number: reservations.get_reservation(conn, number).status for number in numbers.values()}
    rows = conn.execute(
        "SELECT f.booking_number, f.status FROM reservation_fates('-infinity', 'infinity', false) f"
        " WHERE f.booking_number = ANY (%s)",
        [list(numbers.values())],
    )

    assert {row["booking_number"]: row["status"] for row in rows} == shown
    assert {name: shown[number] for name, number in numbers.items()} == {
        "open": "open",
        "paid": "paid",
        "paid_late": "paid",
        "partly_paid": "paid",
        "cancelled": "cancelled",
        "lapsed": "expired",
        "released": "released",
        "emptied": "open",
        "withdrawn": "open",
    }


def test_by_resource_each_counts_what_became_of_its_own_items(conn: Connection) -> None:
    lake, days = make_resource(conn, name="Lake")
    hill, _days = make_resource(conn, name="Hill")
    number = make_reservation(conn, lake, days).booking_number
    made = make_reservation(conn, hill, days, booking_number=number)
    pay(conn, made, items=1)
    lapse_reservation(conn, number)
    refuse(conn, hill, "sold_out", 3)
    refuse(conn, hill, "blackout")

    groups = {group.resource_id: group for group in analyse(conn, group_by="resource").breakdown}

    at_lake, at_hill = groups[lake].figures, groups[hill].figures
    assert (groups[hill].name, groups[hill].date) == ("Hill", None)
    assert (at_lake.begun, at_lake.paid, at_lake.partly_paid, at_lake.lapsed) == (1, 1, 0, 0)
    assert (at_hill.begun, at_hill.paid, at_hill.lapsed, at_hill.success_rate) == (1, 0, 1, 0.0)
    assert (at_hill.conflicts, at_hill.refusals) == (4, {"sold_out": 3, "blackout": 1})
    assert (at_hill.conflict_rate, at_lake.conflict_rate) == (0.8, 0.0)


def test_only_one_resource_when_one_is_asked_for(conn: Connection) -> None:
    lake, days = make_resource(conn, name="Lake")
    hill, _days = make_resource(conn, name="Hill")
    number = make_reservation(conn, lake, days).booking_number
    make_reservation(conn, hill, days, booking_number=number)

    [group] = analyse(conn, resource_id=hill, group_by="resource").breakdown

    assert (group.resource_id, group.figures.begun, group.figures.items) == (hill, 1, 1)


@pytest.mark.parametrize(("zone", "day"), [("Australia/Brisbane", 11), ("America/New_York", 10)])
def test_a_day_is_one_of_the_resources_zone(conn: Connection, zone: str, day: int) -> None:
    resource_id, days = make_resource(conn, time_zone=zone)
    # Two in the morning in Brisbane, noon of the day before in New York.
    begin_at(conn, make_reservation(conn, resource_id, days).booking_number, datetime(2026, 3, 10, 16, tzinfo=UTC))

    by_day = analyse(
        conn, resource_id=resource_id, start_date=date(2026, 3, 10), end_date=date(2026, 3, 12), group_by="day"
    )
    of_its_day = analyse(conn, start_date=date(2026, 3, day), end_date=date(2026, 3, day), group_by="resource")
    of_the_other = analyse(
        conn, start_date=date(2026, 3, 21 - day), end_date=date(2026, 3, 21 - day), group_by="resource"
    )

    assert {group.date.day: group.figures.begun for group in by_day.breakdown if group.date} == {
        10: 0, 11: 0, 12: 0, day: 1
    }  # fmt: skip
    assert resource_id in {group.resource_id for group in of_its_day.breakdown}
    assert resource_id not in {group.resource_id for group in of_the_other.breakdown}


def test_the_seconds_to_payment_run_from_the_first_item_to_the_first_payment(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=50)
    for seconds in (10, 20, 30, 40, 100):
        made = make_reservation(conn, resource_id, days)
        pay(conn, made)
        conn.execute(
            "UPDATE allocation a SET created_at = r.created_at + make_interval(secs => %s) FROM reservation r"
            " WHERE a.hold_id = %s AND r.booking_number = %s",
            [seconds, made.items[0].id, made.booking_number],
        )

    figures = analyse(conn, resource_id=resource_id).summary

    assert figures.average_seconds_to_payment == pytest.approx(40)
    assert figures.median_seconds_to_payment == pytest.approx(30)
    assert figures.p95_seconds_to_payment == pytest.approx(88)


def test_ungrouped_a_number_counts_once_and_every_day_is_there(config: Config) -> None:
    today = datetime.now(UTC).date()
    with own_database(config.database_url), db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=50)
        other, _days = make_resource(conn, capacity=50)
        numbers = make_fates(conn, resource_id, days)
        make_reservation(conn, other, days, booking_number=numbers["open"])
        begin_at(conn, numbers["paid"], datetime.now(UTC) - timedelta(days=1))
        begin_at(conn, numbers["lapsed"], datetime.now(UTC) - timedelta(days=40))
        refuse(conn, other, "not_open", 2)
        conn.execute("UPDATE refusal SET on_date = %s", [today])  # Brisbane may be a day ahead.

        whole = analyse(conn, time_zone="UTC")
        by_day = analyse(conn, time_zone="UTC", group_by="day")

    expected = OF_FATES | {"begun": 7, "lapsed": 0}
    assert counted(whole.summary) == expected
    assert (whole.start_date, whole.end_date) == (today - timedelta(days=29), today)
    assert whole.breakdown == []
    assert whole.summary.refusals == {"not_open": 2}
    assert whole.summary.conflict_rate == 0.1818
    assert by_day.summary == whole.summary
    assert [group.date for group in by_day.breakdown] == [today - timedelta(days=n) for n in range(29, -1, -1)]
    assert [group.figures.begun for group in by_day.breakdown] == [0] * 28 + [1, 6]
    assert by_day.breakdown[0].figures == Figures()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"start_date": date(2026, 3, 2), "end_date": date(2026, 3, 1)}, "end_date: Must not be before start_date."),
        ({"start_date": date(2025, 3, 1), "end_date": date(2026, 3, 2)}, "end_date: At most 366 days"),
    ],
)
def test_a_range_runs_forwards_and_is_a_year_at_most(conn: Connection, asked: dict[str, date], message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        analyse(conn, **asked)


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({"end_date": date(2026, 3, 30)}, 30),
        ({"start_date": date(2020, 1, 1)}, 366),
        ({"start_date": date(2150, 1, 1)}, 1),
        ({"start_date": date(2025, 3, 1), "end_date": date(2026, 3, 1)}, 366),
    ],
)
def test_half_a_range_is_filled_up(conn: Connection, asked: dict[str, date], days: int) -> None:
    found = analyse(conn, **asked)

    assert (found.end_date - found.start_date).days + 1 == days
    assert all(getattr(found, name) == day for name, day in asked.items())


def test_an_unknown_resource_is_not_found(conn: Connection) -> None:
    with pytest.raises(ResourceNotFound):
        analyse(conn, resource_id="res_none")


def test_a_page_is_found_by_an_index_whatever_it_is_looked_up_by(conn: Connection) -> None:
    """Without one, a busy shop's list would read every reservation there ever was."""
    query = reservation_reports.queries.list_reservations
    nothing = dict.fromkeys(
        ("status", "booking_number", "q", "customer_email", "order_id", "resource_id", "start_date", "end_date")
    )
    conn.execute("SET LOCAL enable_seqscan = off")
    indexes = {
        "booking_number": "reservation_pkey",
        "customer_email": "reservation_by_email",
        "order_id": "reservation_by_order",
        "resource_id": "hold_reserved",
    }

    for name, index in indexes.items():
        asked = nothing | {name: "x", "time_zone": ZONE, "limit": 20, "offset": 0}
        plan = conn.execute(f"EXPLAIN {query}", asked, prepare=False).fetchall()

        assert any(index in row["QUERY PLAN"] for row in plan), name


def test_nothing_that_the_figures_are_read_from_is_ever_deleted() -> None:
    """A task that tidied these up would make last year's figures wrong, and nobody would notice."""
    kept = r"(reservation|reservation_item|hold|allocation|shortfall|journal|refusal)"
    root = Path(__file__).parents[2]
    code = [
        path for kind in ("*.py", "*.sql") for folder in ("bridge", "tasks") for path in (root / folder).rglob(kind)
    ]

    deleting = [path for path in code if re.search(rf"(DELETE FROM|TRUNCATE) (ONLY )?{kept}\b", path.read_text())]

    assert len(code) > 200
    assert deleting == []
