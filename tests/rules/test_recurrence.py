"""On which dates a schedule recurs: the library against the slow and obvious, and every clock's tricks."""

from __future__ import annotations

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.recurrence import Recurrence, RuleError, check_rule, dates_between, instant_of

DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
WEEKDAYS = st.lists(st.integers(0, 6), unique=True)


def matches(recurrence: Recurrence, day: date) -> bool:
    """Whether a day is one of its dates, said as a person would."""
    if day < recurrence.valid_from or (recurrence.valid_until and day > recurrence.valid_until):
        return False
    weekdays = recurrence.weekdays or [recurrence.valid_from.weekday()]
    monday = recurrence.valid_from - timedelta(days=recurrence.valid_from.weekday())
    match recurrence.pattern:
        case "none":
            return day == recurrence.valid_from
        case "daily":
            return True
        case "weekly":
            return day.weekday() in weekdays
        case "biweekly":
            return day.weekday() in weekdays and (day - monday).days // 7 % 2 == 0
    return day.day == recurrence.valid_from.day


@given(
    pattern=st.sampled_from(["none", "daily", "weekly", "biweekly", "monthly"]),
    valid_from=DAYS,
    length=st.one_of(st.none(), st.integers(0, 500)),
    weekdays=WEEKDAYS,
    start=DAYS,
    days=st.integers(-1, 200),
)
def test_every_pattern_has_the_dates_that_a_person_would_count(
    pattern: str, valid_from: date, length: int | None, weekdays: list[int], start: date, days: int
) -> None:
    until = None if length is None else valid_from + timedelta(days=length)
    recurrence = Recurrence(pattern=pattern, valid_from=valid_from, valid_until=until, weekdays=weekdays)
    end = start + timedelta(days=days)

    found = dates_between(recurrence, start, end)

    every = [start + timedelta(days=n) for n in range(days + 1)]
    assert found == [day for day in every if matches(recurrence, day)]


@given(start=DAYS, first=st.integers(0, 60), second=st.integers(0, 60))
def test_two_halves_of_a_range_have_what_the_whole_has(start: date, first: int, second: int) -> None:
    recurrence = Recurrence(
        pattern="custom", valid_from=date(2024, 1, 1), custom_rule={"rrule": "FREQ=MONTHLY;BYDAY=1SA,-1SU"}
    )
    middle, end = start + timedelta(days=first), start + timedelta(days=first + second + 1)

    halves = dates_between(recurrence, start, middle) + dates_between(recurrence, middle + timedelta(days=1), end)

    assert halves == dates_between(recurrence, start, end)


def test_months_without_the_day_are_left_out() -> None:
    recurrence = Recurrence(pattern="monthly", valid_from=date(2027, 1, 31))

    found = dates_between(recurrence, date(2027, 1, 1), date(2027, 6, 30))

    assert found == [date(2027, 1, 31), date(2027, 3, 31), date(2027, 5, 31)]


def test_a_leap_day_comes_every_four_years() -> None:
    rule = {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"}
    recurrence = Recurrence(pattern="custom", valid_from=date(2026, 1, 1), custom_rule=rule)

    found = dates_between(recurrence, date(2026, 1, 1), date(2037, 1, 1))

    assert found == [date(2028, 2, 29), date(2032, 2, 29), date(2036, 2, 29)]


@pytest.mark.parametrize(
    ("rule", "dates"),
    [
        ("FREQ=MONTHLY;BYDAY=1SA", ["2027-01-02", "2027-02-06"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", ["2027-01-04", "2027-01-06", "2027-01-11"]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20270121T000000Z", ["2027-01-01", "2027-01-11", "2027-01-21"]),
        ("freq=monthly;byday=mo,tu,we,th,fr;bysetpos=-1", ["2027-01-29", "2027-02-26"]),
    ],
)
def test_a_rule_of_ones_own(rule: str, dates: list[str]) -> None:
    recurrence = Recurrence(pattern="custom", valid_from=date(2027, 1, 1), custom_rule={"rrule": rule})

    found = dates_between(recurrence, date(2027, 1, 1), date(2027, 2, 28))

    assert [day.isoformat() for day in found] == dates


def test_dates_that_a_rule_leaves_out() -> None:
    rule = {"rrule": "FREQ=DAILY", "exdates": ["2027-01-02"]}
    recurrence = Recurrence(pattern="custom", valid_from=date(2027, 1, 1), custom_rule=rule)

    found = dates_between(recurrence, date(2027, 1, 1), date(2027, 1, 3))

    assert found == [date(2027, 1, 1), date(2027, 1, 3)]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY",
        "FREQ=MINUTELY;INTERVAL=5",
        "FREQ=DAILY;BYHOUR=3",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=99999999999999999999",
        "FREQ=DAILY;COUNT=²",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20271399",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY\nDTSTART:20200101",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=99999999999999999999MO",
        "FREQ=DAILY;BYSETPOS=0",
        "FREQ=YEARLY;BYEASTER=0",
        "every day",
        "",
        "X" * 501,
        None,
        7,
    ],
)
def test_what_is_no_rule_of_dates_is_refused(rule: object) -> None:
    with pytest.raises(RuleError):
        check_rule(Recurrence(pattern="custom", valid_from=date(2027, 1, 1), custom_rule={"rrule": rule}))


@pytest.mark.parametrize("exdates", ["2027-01-01", ["2027-02-30"], [7], ["2027-01-01"] * 367])
def test_what_is_no_list_of_dates_is_refused(exdates: object) -> None:
    rule = {"rrule": "FREQ=DAILY", "exdates": exdates}

    with pytest.raises(RuleError):
        check_rule(Recurrence(pattern="custom", valid_from=date(2027, 1, 1), custom_rule=rule))


@pytest.mark.parametrize(
    "rule",
    ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;INTERVAL=7;BYDAY=TU", "FREQ=YEARLY;BYYEARDAY=400"],
)
def test_a_rule_that_matches_nothing_is_refused_before_long(rule: str) -> None:
    started = clock.monotonic()

    with pytest.raises(RuleError):
        check_rule(Recurrence(pattern="custom", valid_from=date(2027, 1, 1), custom_rule={"rrule": rule}))

    # A tenth of a second on a fast machine; the library alone looks for a quarter of a minute.
    assert clock.monotonic() - started < 10


@given(text=st.text(max_size=60))
def test_no_text_makes_reading_a_rule_fail_otherwise(text: str) -> None:
    recurrence = Recurrence(
        pattern="custom",
        valid_from=date(2027, 1, 1),
        valid_until=date(2027, 3, 1),
        custom_rule={"rrule": f"FREQ=MONTHLY;BYDAY={text}"},
    )

    try:
        found = dates_between(recurrence, date(2027, 1, 1), date(2027, 3, 1))
    except RuleError:
        return
    assert all(date(2027, 1, 1) <= day <= date(2027, 3, 1) for day in found)


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Australia/Brisbane", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@given(day=DAYS, hour=st.integers(3, 23), minute=st.sampled_from([0, 15, 30, 45]))
def test_the_wall_time_is_the_truth_all_year(zone: str, day: date, hour: int, minute: int) -> None:
    wall = time(hour, minute)

    shown = instant_of(day, wall, zone).astimezone(ZoneInfo(zone))

    assert (shown.date(), shown.time()) == (day, wall)


@pytest.mark.parametrize(
    ("day", "wall", "zone", "instant", "shown"),
    [
        # Clocks jump over it: as long after midnight as without the jump.
        (date(2027, 3, 14), time(2, 30), "America/New_York", "2027-03-14T07:30", time(3, 30)),
        (date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe", "2026-10-03T15:45", time(2, 45)),
        # It comes twice: the first.
        (date(2027, 11, 7), time(1, 30), "America/New_York", "2027-11-07T05:30", time(1, 30)),
        (date(2027, 4, 4), time(1, 45), "Australia/Lord_Howe", "2027-04-03T14:45", time(1, 45)),
    ],
)
def test_a_time_that_is_skipped_or_comes_twice(day: date, wall: time, zone: str, instant: str, shown: time) -> None:
    found = instant_of(day, wall, zone)

    assert found == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert found.astimezone(ZoneInfo(zone)).time() == shown
