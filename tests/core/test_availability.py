"""What is free, and why not more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.core import availability
from bridge.errors import ResourceNotFound
from bridge.rules.slots import day_slot
from tests.factories import future_day, make_hold, make_resource


def test_each_date_says_why_it_is_not_for_sale(conn):
    resource_id, dates = make_resource(conn, capacity=2, days=4)
    make_hold(conn, resource_id, [dates[0]], quantity=2)
    make_hold(conn, resource_id, [dates[1]])
    conn.execute(
        "UPDATE capacity SET closed = true WHERE resource_id = %s AND slot_no = %s", [resource_id, day_slot(dates[2])]
    )

    found = availability.read_days(
        conn, resource_id=resource_id, start_date=dates[0], end_date=dates[3] + timedelta(days=1), quantity=2
    )

    assert [(day.available_capacity, day.is_available, day.reason) for day in found.days] == [
        (0, False, "sold_out"),
        (1, False, "sold_out"),
        (0, False, "not_open"),
        (2, True, None),
        (0, False, "not_open"),
    ]


def test_what_is_not_sold_by_the_day_is_not_found_here(conn):
    resource_id, _dates = make_resource(conn, grain="departure", days=0)

    with pytest.raises(ResourceNotFound):
        availability.read_days(conn, resource_id=resource_id, start_date=future_day(), end_date=future_day())
