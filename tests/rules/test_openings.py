"""Rules in, slots out: every rule on its own, and all of them beside a slow model that nobody can misread."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.openings import DAY_MINUTES, Hours, Rule, Shape, Taken, claims_of, find_starts, local_day, shape_of
from bridge.rules.slots import quarter_slot, quarter_start

BRISBANE, NEW_YORK, LORD_HOWE, KATHMANDU = (
    "Australia/Brisbane",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
)
MONDAY = date(2027, 3, 1)
HALF_HOUR = shape_of(30, 0, 0)


def weekly(day: date, opens: int, closes: int, **fields: object) -> Rule:
    return Rule(kind="recurring", day_of_week=day.weekday(), opens=opens * 60, closes=closes * 60, **fields)


def dated(kind: str, day: date, opens: int = 0, closes: int = 24, *, is_available: bool = False) -> Rule:
    return Rule(kind=kind, on_date=day, opens=opens * 60, closes=closes * 60, is_available=is_available)


def walls(
    rules: list[Rule], day: date = MONDAY, *, zone: str = BRISBANE, shape: Shape = HALF_HOUR, **fields
) -> list[str]:
    """The wall times at which an appointment may start."""
    starts = find_starts(Hours(zone, rules), day, shape, **{"taken": Taken(), **fields})
    return [f"{quarter_start(slot).astimezone(ZoneInfo(zone)):%H:%M}" for slot in starts.offered]


def slot_at(text: str, zone: str = BRISBANE) -> int:
    return quarter_slot(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


# -- rules -------------------------------------------------------------------------------------------------------------


def test_weekly_hours_are_offered_by_the_quarter_hour_until_the_last_that_fits() -> None:
    assert walls([weekly(MONDAY, 9, 11)]) == ["09:00", "09:15", "09:30", "09:45", "10:00", "10:15", "10:30"]


def test_a_day_without_hours_offers_nothing() -> None:
    assert walls([weekly(MONDAY, 9, 17)], MONDAY + timedelta(days=1)) == []


def test_hours_with_a_gap_offer_nothing_that_would_run_into_it() -> None:
    starts = walls([weekly(MONDAY, 9, 10), weekly(MONDAY, 11, 12)])

    assert starts == ["09:00", "09:15", "09:30", "11:00", "11:15", "11:30"]


def test_hours_that_meet_off_the_grid_are_one() -> None:
    rules = [
        Rule(kind="recurring", day_of_week=0, opens=9 * 60, closes=9 * 60 + 20),
        Rule(kind="recurring", day_of_week=0, opens=9 * 60 + 20, closes=10 * 60),
    ]

    assert walls(rules) == ["09:00", "09:15", "09:30"]


def test_hours_that_begin_off_the_grid_begin_on_the_next_quarter() -> None:
    rule = Rule(kind="recurring", day_of_week=0, opens=9 * 60 + 5, closes=9 * 60 + 55)

    assert walls([rule]) == ["09:15"]


def test_an_exception_replaces_the_weekly_hours_and_breaks_of_its_date() -> None:
    rules = [
        weekly(MONDAY, 9, 17),
        weekly(MONDAY, 12, 13, is_available=False),
        dated("exception", MONDAY, 12, 13, is_available=True),
    ]

    assert walls(rules) == ["12:00", "12:15", "12:30"]
    assert "12:00" not in walls(rules, MONDAY + timedelta(days=7))


def test_a_weekly_break_is_taken_out() -> None:
    rules = [weekly(MONDAY, 11, 14), weekly(MONDAY, 12, 13, is_available=False)]

    assert walls(rules) == ["11:00", "11:15", "11:30", "13:00", "13:15", "13:30"]


@pytest.mark.parametrize("kind", ["exception", "blocked"])
def test_a_date_is_closed_whole_or_in_part(kind: str) -> None:
    assert walls([weekly(MONDAY, 9, 17), dated(kind, MONDAY)]) == []
    assert walls([weekly(MONDAY, 9, 11), dated(kind, MONDAY, 9, 10)]) == ["10:00", "10:15", "10:30"]


def test_blocked_time_that_touches_a_quarter_hour_takes_all_of_it() -> None:
    blocked = Rule(kind="blocked", on_date=MONDAY, opens=9 * 60 + 40, closes=9 * 60 + 41)

    assert walls([weekly(MONDAY, 9, 11), blocked]) == ["09:00", "09:45", "10:00", "10:15", "10:30"]


def test_what_else_closes_a_date_closes_it() -> None:
    assert walls([weekly(MONDAY, 9, 17)], closed_on={MONDAY}) == []


def test_buffers_have_to_fit_into_the_hours_too() -> None:
    assert walls([weekly(MONDAY, 9, 11)], shape=shape_of(30, 15, 15)) == ["09:15", "09:30", "09:45", "10:00", "10:15"]


def test_hours_of_two_days_that_meet_at_midnight_are_crossed() -> None:
    rules = [weekly(MONDAY, 23, 24), weekly(MONDAY + timedelta(days=1), 0, 1)]

    assert walls(rules, shape=shape_of(60, 0, 0)) == ["23:00", "23:15", "23:30", "23:45"]
    assert walls(rules[:1], shape=shape_of(60, 0, 0)) == ["23:00"]


def test_nothing_is_offered_before_the_earliest() -> None:
    assert walls([weekly(MONDAY, 9, 11)], earliest=slot_at("2027-03-01T10:15")) == ["10:15", "10:30"]
    assert walls([weekly(MONDAY, 9, 11)], earliest=slot_at("2027-03-03T00:00")) == []


# -- what an appointment takes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "shape"),
    [
        ((30, 0, 0), Shape(0, 2, 0)),
        ((45, 0, 15), Shape(0, 3, 1)),
        ((30, 5, 10), Shape(1, 2, 1)),
        ((20, 0, 5), Shape(0, 2, 0)),  # The buffer lies in the quarter hour that the service has anyway.
        ((20, 0, 15), Shape(0, 2, 1)),
        ((1, 16, 30), Shape(2, 1, 2)),
    ],
)
def test_minutes_are_rounded_up_to_quarter_hours(minutes: tuple[int, int, int], shape: Shape) -> None:
    assert shape_of(*minutes) == shape


def test_a_service_takes_all_of_a_quarter_hour_and_a_buffer_half() -> None:
    assert claims_of(Shape(1, 2, 1), 100) == [(99, 1), (100, 2), (101, 2), (102, 1)]


def test_buffers_share_a_gap_and_nothing_shares_with_a_service() -> None:
    noon = slot_at("2027-03-01T12:00")
    claims = claims_of(shape_of(30, 15, 15), noon)
    taken = Taken(
        full=[slot for slot, weight in claims if weight == 2], half=[slot for slot, weight in claims if weight == 1]
    )

    starts = find_starts(Hours(BRISBANE, [weekly(MONDAY, 9, 17)]), MONDAY, shape_of(30, 15, 15), taken=taken)

    refused = [slot - noon for slot in starts.offered if slot not in starts.free]
    assert refused == [-2, -1, 0, 1, 2]  # Three quarters away the two buffers are one gap.


# -- clocks that change ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "quarters"),
    [
        (NEW_YORK, date(2027, 3, 14), 23 * 4),
        (NEW_YORK, date(2027, 11, 7), 25 * 4),
        (LORD_HOWE, date(2027, 10, 3), 23 * 4 + 2),
        (LORD_HOWE, date(2027, 4, 4), 24 * 4 + 2),
        (KATHMANDU, date(2027, 3, 14), 24 * 4),
        (BRISBANE, date(2027, 3, 14), 24 * 4),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_a_day_has_as_many_quarter_hours_as_it_has(zone: str, day: date, quarters: int) -> None:
    assert len(local_day(zone, day).slots) == quarters


def test_a_skipped_hour_has_no_starts_and_what_runs_over_it_is_not_shortened() -> None:
    starts = walls([weekly(date(2027, 3, 14), 1, 4)], date(2027, 3, 14), zone=NEW_YORK, shape=shape_of(60, 0, 0))

    assert starts == ["01:00", "01:15", "01:30", "01:45", "03:00"]


def test_a_repeated_hour_is_open_twice() -> None:
    starts = walls([weekly(date(2027, 11, 7), 1, 2)], date(2027, 11, 7), zone=NEW_YORK, shape=shape_of(30, 0, 0))

    assert starts == ["01:00", "01:15", "01:30", "01:45", "01:00", "01:15", "01:30"]


def test_a_clock_that_moves_by_half_an_hour_is_followed() -> None:
    spring = walls([weekly(date(2027, 10, 3), 1, 4)], date(2027, 10, 3), zone=LORD_HOWE)
    autumn = walls([weekly(date(2027, 4, 4), 1, 3)], date(2027, 4, 4), zone=LORD_HOWE)

    assert [start for start in spring if start.startswith("02")] == ["02:30", "02:45"]
    assert [start for start in autumn if start.startswith("01")] == [
        *["01:00", "01:15", "01:30", "01:45"],
        *["01:30", "01:45"],
    ]


def test_a_zone_off_the_hour_keeps_its_own_wall_clock() -> None:
    assert walls([weekly(MONDAY, 9, 10)], zone=KATHMANDU) == ["09:00", "09:15", "09:30"]


def test_a_date_that_its_zone_never_had_offers_nothing() -> None:
    assert walls([weekly(date(2011, 12, 30), 0, 24)], date(2011, 12, 30), zone="Pacific/Apia") == []


# -- beside a slow model -----------------------------------------------------------------------------------------------

DAYS = [
    (NEW_YORK, date(2027, 3, 14)),
    (NEW_YORK, date(2027, 11, 7)),
    (LORD_HOWE, date(2027, 10, 3)),
    (LORD_HOWE, date(2027, 4, 4)),
    (KATHMANDU, date(2027, 3, 14)),
    (BRISBANE, date(2027, 3, 14)),
    ("Africa/Cairo", date(2027, 4, 30)),  # Begins at 01:00.
    ("Africa/Cairo", date(2027, 10, 28)),  # Has 23:00 twice.
]
minutes_of_day = st.integers(0, DAY_MINUTES).map(lambda minute: minute // 5 * 5)


@st.composite
def rules_near(draw: st.DrawFn, day: date) -> Rule:
    kind = draw(st.sampled_from(["recurring", "recurring", "recurring", "exception", "blocked"]))
    near = day + timedelta(days=draw(st.integers(-1, 1)))
    opens, closes = sorted((draw(minutes_of_day), draw(minutes_of_day)))
    return Rule(
        kind=kind,
        is_available=kind != "blocked" and draw(st.integers(0, 4)) > 0,
        day_of_week=near.weekday() if kind == "recurring" else None,
        on_date=None if kind == "recurring" else near,
        opens=opens,
        closes=closes,
    )


def is_open(rules: list[Rule], wall: datetime) -> bool:
    """Whether a minute of the wall clock is open, by the words of `Rule`."""
    minute = wall.hour * 60 + wall.minute
    todays = [rule for rule in rules if rule.on_date == wall.date() or rule.day_of_week == wall.weekday()]
    special = [rule for rule in todays if rule.kind == "exception" and rule.is_available]
    if special:
        todays = [rule for rule in todays if rule.kind != "recurring"]
    opening = [rule for rule in todays if rule.kind != "blocked" and rule.is_available]
    closing = [rule for rule in todays if rule not in opening]
    return any(rule.opens <= minute < rule.closes for rule in opening) and not any(
        rule.opens <= minute < rule.closes for rule in closing
    )


@given(st.data())
def test_the_starts_are_those_of_a_slow_and_obvious_model(data: st.DataObject) -> None:
    zone, day = data.draw(st.sampled_from(DAYS))
    rules = data.draw(st.lists(rules_near(day), max_size=8))
    duration, before, after = (data.draw(st.integers(least, 100)) for least in (1, 0, 0))
    closed_on = data.draw(st.sets(st.sampled_from([day - timedelta(days=1), day, day + timedelta(days=1)])))
    first = quarter_slot(datetime(day.year, day.month, day.day, tzinfo=UTC)) - 64
    some = st.sets(st.integers(first, first + 240), max_size=12)
    full = data.draw(some)
    half = data.draw(some) - full

    starts = find_starts(
        Hours(zone, rules),
        day,
        shape_of(duration, before, after),
        taken=Taken(full, half),
        closed_on=closed_on,
    )

    offered, free = [], set()
    for slot in range(first - 64, first + 300):
        start = quarter_start(slot)
        if start.astimezone(ZoneInfo(zone)).date() != day:
            continue
        service = {slot + n for n in range(-(-duration // 15))}
        buffers = {slot - 1 - n for n in range(-(-before // 15))}
        buffers |= {slot + n for n in range(-(-(duration + after) // 15))} - service
        minutes = [quarter_start(taken) + timedelta(minutes=m) for taken in service | buffers for m in range(15)]
        local = [minute.astimezone(ZoneInfo(zone)) for minute in minutes]
        if all(wall.date() not in closed_on and is_open(rules, wall) for wall in local):
            offered.append(slot)
            if not service & (full | half) and not buffers & full:
                free.add(slot)
    assert list(starts.offered) == offered
    assert starts.free == free
