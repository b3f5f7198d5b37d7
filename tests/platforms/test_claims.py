"""What a browser's metadata says of a booking, and that nothing it says can do harm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.platforms.claims import Claims

CHRISTMAS = (date(2026, 12, 24), date(2026, 12, 25))


@pytest.mark.parametrize(
    "metadata",
    [
        {"booking_dates": ["2026-12-25", "2026-12-24", "2026-12-24"]},
        {"booking_dates": "2026-12-24, 2026-12-25,"},
        {"dates": ["2026-12-24", "2026-12-25"]},
        {"booking_dates": "", "dates": "2026-12-25,2026-12-24"},
        {"start_date": "2026-12-24", "end_date": "2026-12-25"},
        {"booking_dates": ["2026-12-24", "2026-12-25"], "date": "2027-01-01"},
    ],
)
def test_dates_have_many_spellings(metadata: dict[str, Any]) -> None:
    claims = Claims(metadata)

    assert claims.dates() == CHRISTMAS
    assert claims.complaint() is None


@pytest.mark.parametrize(
    "metadata",
    [
        {"date": "24.12.2026"},
        {"date": "2026-02-30"},
        {"date": "20261224"},
        {"date": "2026-12-24T00:00:00Z"},
        {"date": 20261224},
        {"booking_dates": {"0": "2026-12-24"}},
        {"booking_dates": ["2026-12-24", None]},
        {"booking_dates": ["2026-12-24"] * 367},
        {"booking_dates": ",".join(["2026-12-24"] * 367)},
        {"start_date": "2026-12-24"},
        {"end_date": "2026-12-24"},
        {"start_date": "2026-12-24", "end_date": "2026-12-23"},
        {"start_date": "2026-01-01", "end_date": "2027-01-01"},
    ],
)
def test_dates_that_cannot_be_read_are_complained_of(metadata: dict[str, Any]) -> None:
    claims = Claims(metadata)

    assert claims.dates() == ()
    assert (claims.complaint() or "").endswith(".")


def test_a_range_may_last_a_year() -> None:
    claims = Claims({"start_date": "2026-01-01", "end_date": "2026-12-31"})

    assert len(claims.dates()) == 365


def test_holds_are_named_one_by_one_or_in_lists() -> None:
    claims = Claims(
        {
            "booking_hold_id": "h1",
            "booking_hold_ids": ["h2", "h1"],
            "booking_holds": [{"id": "h3"}, {"hold_id": "h4"}, None, ""],
        }
    )

    assert claims.hold_ids() == ("h1", "h2", "h3", "h4")
    assert claims.complaint() is None


@pytest.mark.parametrize("bad", [7, ["h"], "x" * 201, "h\0", "\ud800", {"id": "h"}, True])
def test_a_bad_hold_id_spoils_only_itself(bad: object) -> None:
    claims = Claims({"booking_hold_id": bad, "booking_holds": ["h1"], "resource_id": "r1"})

    assert claims.hold_ids() == ("h1",)
    assert claims.text("resource_id") == "r1"
    assert (claims.complaint() or "").startswith("booking_hold_id ")


@pytest.mark.parametrize("bad", ["h1", [7], [{}], [{"id": 7}], [["h"]], [f"h{n}" for n in range(61)]])
def test_a_bad_list_of_holds_is_complained_of(bad: object) -> None:
    claims = Claims({"booking_holds": bad})

    assert claims.hold_ids() == ()
    assert (claims.complaint() or "").startswith("booking_holds ")


def test_there_are_never_more_than_sixty_holds() -> None:
    claims = Claims({"booking_hold_ids": [f"a{n}" for n in range(40)], "booking_holds": [f"b{n}" for n in range(40)]})

    assert claims.hold_ids() == ()
    assert claims.complaint() == "metadata names more than 60 holds."


def test_a_start_is_a_time_with_a_zone() -> None:
    assert Claims({"start_at": "2026-12-24T10:00:00+10:00"}).instant("start_at") == datetime(2026, 12, 24, tzinfo=UTC)
    absurd = ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:45:00Z")
    for bad in ("2026-12-24T10:00:00", "soon", 7, *absurd):
        claims = Claims({"start_at": bad})

        assert claims.instant("start_at") is None
        assert (claims.complaint() or "").startswith("start_at ")


def test_what_is_empty_is_absent() -> None:
    claims = Claims({"booking_hold_id": "", "resource_id": None, "booking_holds": [], "date": " "})

    assert (claims.hold_ids(), claims.text("resource_id")) == ((), None)
    assert claims.complaint() is None


@pytest.mark.parametrize("metadata", ["text", [1], 7, True])
def test_metadata_that_is_no_object_says_nothing(metadata: object) -> None:
    claims = Claims(metadata)

    assert (claims.hold_ids(), claims.dates(), claims.text("slot_id")) == ((), (), None)
    assert claims.complaint() == "metadata is not an object."


@given(st.dates(), st.integers(min_value=0, max_value=364))
def test_a_range_holds_both_its_ends(start: date, days: int) -> None:
    try:
        end = start + timedelta(days=days)
    except OverflowError:
        return

    dates = Claims({"start_date": start.isoformat(), "end_date": end.isoformat()}).dates()

    assert (dates[0], dates[-1], len(dates)) == (start, end, days + 1)
