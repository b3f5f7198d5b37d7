"""Capacity: opened, changed, reported; what is sold is never lost by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from bridge import db
from bridge.core import blackouts, capacity
from bridge.db import Connection
from bridge.errors import DatesNotOpen, InsufficientCapacity, ResourceNotFound, WrongGrain
from tests.factories import future_day, lapse, make_allocation, make_hold, make_resource


def _initialize(
    conn: Connection, resource_id: str, days: list[date], daily: int, **fields: bool
) -> capacity.Initialized:
    return capacity.initialize_capacity(
        conn, resource_id=resource_id, start_date=days[0], end_date=days[-1], daily_capacity=daily, **fields
    )


def _adjust(conn: Connection, resource_id: str, days: list[date], adjustment: int) -> list[dict[str, object]]:
    return capacity.adjust_capacity(
        conn, resource_id=resource_id, dates=days, adjustment=adjustment, reason="tests", actor="tests"
    )


def _rows(conn: Connection, resource_id: str) -> list[dict[str, int]]:
    return conn.execute(
        "SELECT max_capacity, held, allocated, overbooked FROM capacity WHERE resource_id = %s ORDER BY slot_no",
        [resource_id],
    ).fetchall()


def test_initializing_opens_every_day_once(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=2, days=2)
    week = [days[0] + timedelta(days=n) for n in range(7)]

    first = _initialize(conn, resource_id, week, 5, skip_existing=True)
    again = _initialize(conn, resource_id, week, 9, skip_existing=True)

    assert (first.created, first.skipped, first.updated) == (5, 2, 0)
    assert (again.created, again.skipped) == (0, 7)
    assert [row["max_capacity"] for row in _rows(conn, resource_id)] == [2, 2, 5, 5, 5, 5, 5]


def test_initializing_below_what_is_sold_counts_the_excess(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=10)
    make_allocation(conn, resource_id, days[:1], 3)
    make_hold(conn, resource_id, days[:2], 2)
    lapse(conn, make_hold(conn, resource_id, days, 5))

    done = _initialize(conn, resource_id, days, 2)

    assert (done.created, done.updated, done.skipped) == (0, 3, 0)
    assert done.overbooked == [{"date": days[0], "overbooked": 3}]
    assert [row["overbooked"] for row in _rows(conn, resource_id)] == [3, 0, 0]


def test_only_what_is_sold_by_the_day_has_days(conn: Connection) -> None:
    resource_id, days = make_resource(conn, grain="departure", days=1)

    with pytest.raises(WrongGrain):
        _initialize(conn, resource_id, days, 1)
    with pytest.raises(WrongGrain):
        _adjust(conn, resource_id, days, 1)


def test_an_unknown_resource_is_not_found(conn: Connection) -> None:
    with pytest.raises(ResourceNotFound):
        _initialize(conn, "res_none", [future_day()], 1)


def test_adjusting_stops_at_zero_and_counts_the_excess(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=4)
    make_hold(conn, resource_id, days[:1], 3)

    cut = _adjust(conn, resource_id, days[:2], -999)
    raised = _adjust(conn, resource_id, days[:1], 5)

    assert cut == [
        {"date": days[0], "max_capacity": 0, "available_capacity": 0, "overbooked": 3},
        {"date": days[1], "max_capacity": 0, "available_capacity": 0, "overbooked": 0},
    ]
    assert raised == [{"date": days[0], "max_capacity": 5, "available_capacity": 2, "overbooked": 0}]


def test_adjusting_keeps_who_and_why(conn: Connection) -> None:
    resource_id, days = make_resource(conn)

    _adjust(conn, resource_id, days[:1], 1)

    kept = conn.execute("SELECT * FROM ops_action WHERE target = %s", [resource_id]).fetchall()
    assert [(row["action"], row["actor"], row["reason"]) for row in kept] == [("capacity.adjust", "tests", "tests")]
    assert kept[0]["details"] == {"dates": [days[0].isoformat()], "adjustment": 1}


def test_days_that_are_not_open_are_named_and_nothing_changes(database_url: str) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=4)
    missing = days[-1] + timedelta(days=1)

    with pytest.raises(DatesNotOpen) as refused, db.transaction() as conn:
        _adjust(conn, resource_id, [*days, missing], 1)

    assert refused.value.details == {"dates": [missing.isoformat()]}
    with db.transaction() as conn:
        assert {row["max_capacity"] for row in _rows(conn, resource_id)} == {4}


def test_the_report_adds_up_to_the_second(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=10)
    make_allocation(conn, resource_id, days[:2], 4)
    make_hold(conn, resource_id, days[:1], 2)
    lapse(conn, make_hold(conn, resource_id, days, 3))

    report = capacity.report_capacity(
        conn, resource_id=resource_id, start_date=days[0], end_date=days[-1] + timedelta(days=1)
    )

    shown = [(day.date, day.max_capacity, day.allocated, day.on_hold, day.available) for day in report.breakdown]
    assert shown == [
        (days[0], 10, 4, 2, 4),
        (days[1], 10, 4, 0, 6),
        (days[2], 10, 0, 0, 10),
        (days[2] + timedelta(days=1), 0, 0, 0, 0),
    ]
    assert [day.utilization for day in report.breakdown] == [0.4, 0.4, 0, 0]
    total = report.summary
    assert (total.max_capacity, total.allocated, total.on_hold, total.available) == (30, 8, 2, 20)
    assert total.utilization == 0.2667


def test_days_that_are_closed_have_capacity_and_nothing_to_sell(conn: Connection) -> None:
    resource_id, days = make_resource(conn, capacity=3)
    blackouts.create_blackout(conn, resource_id=resource_id, start_date=days[0], end_date=days[0], actor="tests")
    make_allocation(conn, resource_id, days[1:2], 3)
    _adjust(conn, resource_id, days[1:2], -1)

    report = capacity.report_capacity(conn, resource_id=resource_id, start_date=days[0], end_date=days[2])

    assert [(day.max_capacity, day.available) for day in report.breakdown] == [(3, 0), (2, 0), (3, 3)]
    assert report.breakdown[1].utilization == 1.5


@pytest.mark.parametrize(
    ("group_by", "periods"),
    [
        ("week", [("2031-01-27", 4), ("2031-02-03", 5)]),  # Thursday to Sunday, then Monday to Friday.
        ("month", [("2031-01-01", 2), ("2031-02-01", 7)]),
    ],
)
def test_weeks_start_on_monday_and_count_only_the_range(
    conn: Connection, group_by: capacity.Period, periods: list[tuple[str, int]]
) -> None:
    first = date(2031, 1, 28)  # A Tuesday.
    resource_id, _ = make_resource(conn, capacity=1, days=20, first_day=first)

    report = capacity.report_capacity(
        conn, resource_id=resource_id, start_date=date(2031, 1, 30), end_date=date(2031, 2, 7), group_by=group_by
    )

    assert [(part.date.isoformat(), part.max_capacity) for part in report.breakdown] == periods


def test_a_cut_in_a_rush_loses_no_hold_and_oversells_none(database_url: str) -> None:
    """Thirty customers rush for thirty places while the capacity is cut to five."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=30)

    def buy(_n: int) -> bool:
        try:
            with db.transaction() as conn:
                make_hold(conn, resource_id, days)
            return True
        except InsufficientCapacity:
            return False
        finally:
            db.close()

    with ThreadPoolExecutor(6) as pool:
        buyers = [pool.submit(buy, n) for n in range(30)]
        with db.transaction() as conn:
            _initialize(conn, resource_id, days, 5)
        placed = sum(buyer.result() for buyer in buyers)

    with db.transaction() as conn:
        rows = _rows(conn, resource_id)
    assert placed >= 5
    for row in rows:
        assert (row["max_capacity"], row["held"], row["overbooked"]) == (5, placed, placed - 5)
