"""Reports: what is booked, and what became of the holds of a local day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bridge.core import holds, reports, resources
from bridge.db import Connection
from bridge.errors import AllocationNotFound, ResourceNotFound
from bridge.ids import new_id
from tests.factories import ZONE, lapse, make_allocation, make_hold, make_resource


def _list(conn: Connection, **filters: Any) -> reports.AllocationPage:
    return reports.list_allocations(conn, **{"limit": 20, "offset": 0, **filters})


def _move(conn: Connection, hold_id: str, created_at: datetime) -> None:
    conn.execute("UPDATE hold SET created_at = %s WHERE id = %s", [created_at, hold_id])


def test_an_allocation_shows_what_its_order_has(conn: Connection) -> None:
    resource_id, days = make_resource(conn, name="Lake tour")
    order_id = new_id("order")
    allocation_id = make_allocation(conn, resource_id, days, 2, order_id=order_id, customer_email="a@b.test")

    page = _list(conn, order_id=order_id)

    (shown,) = page.allocations
    assert (shown.id, shown.resource, shown.order_id) == (
        allocation_id,
        {"id": resource_id, "name": "Lake tour"},
        order_id,
    )
    assert (list(shown.dates), shown.quantity, shown.status, shown.posted_late) == (days, 2, "CONFIRMED", False)
    assert shown.customer_email == "a@b.test"
    assert reports.get_allocation(conn, allocation_id) == shown


def test_pages_count_all_that_match(conn: Connection) -> None:
    resource_id, days = make_resource(conn)
    made = [make_allocation(conn, resource_id, days, quantity) for quantity in (1, 2, 3)]

    first = _list(conn, resource_id=resource_id, limit=2)
    beyond = _list(conn, resource_id=resource_id, limit=2, offset=4)

    assert [shown.id for shown in first.allocations] == [made[2], made[1]]
    assert (first.count, first.total_quantity) == (3, 6)
    assert (beyond.allocations, beyond.count, beyond.total_quantity) == ([], 3, 6)


def test_the_range_is_of_the_dates_it_touches(conn: Connection) -> None:
    resource_id, days = make_resource(conn, days=6)
    early = make_allocation(conn, resource_id, days[:3])
    late = make_allocation(conn, resource_id, [days[0], days[5]])

    def found(start: date | None, end: date | None) -> set[str]:
        return {shown.id for shown in _list(conn, resource_id=resource_id, start_date=start, end_date=end).allocations}

    assert found(days[2], days[2]) == {early}
    assert found(days[3], days[4]) == set()
    assert found(days[3], None) == {late}
    assert found(None, days[0]) == {early, late}


def test_cancelled_ones_are_shown_on_request_with_what_they_had(conn: Connection) -> None:
    resource_id, days = make_resource(conn)
    cancelled = make_allocation(conn, resource_id, days[:2], 4)
    resources.delete_resource(conn, resource_id, force=True, actor="tests")

    assert _list(conn, resource_id=resource_id).count == 0
    (shown,) = _list(conn, resource_id=resource_id, status="CANCELLED").allocations
    assert (shown.id, list(shown.dates), shown.quantity) == (cancelled, days[:2], 4)
    assert _list(conn, resource_id=resource_id, status=None, start_date=days[1]).total_quantity == 4


def test_an_unknown_allocation_is_not_found(conn: Connection) -> None:
    with pytest.raises(AllocationNotFound):
        reports.get_allocation(conn, "alloc_none")


def test_holds_are_counted_by_what_became_of_them(conn: Connection) -> None:
    resource_id, days = make_resource(conn, name="Counted")
    confirmed = [make_hold(conn, resource_id, days) for _ in range(2)]
    for hold_id in confirmed:
        holds.confirm_hold(conn, hold_id, order_id=new_id("order"), line_item_id=None, actor="tests")
    holds.release_hold(conn, make_hold(conn, resource_id, days), actor="tests")
    lapse(conn, make_hold(conn, resource_id, days))
    make_hold(conn, resource_id, days)
    conn.execute("UPDATE hold SET closed_at = created_at + INTERVAL '10 seconds' WHERE id = %s", [confirmed[0]])
    conn.execute("UPDATE hold SET closed_at = created_at + INTERVAL '21 seconds' WHERE id = %s", [confirmed[1]])

    found = reports.hold_expirations(conn, time_zone=ZONE, resource_id=resource_id)

    for part in (found.summary, *found.resource_breakdown):
        assert (part.total_holds_created, part.expired_before_confirmation) == (5, 1)
        assert (part.confirmed, part.manually_released, part.expiration_rate) == (2, 1, 0.2)
        assert part.average_seconds_to_confirm == 15.5
    assert [(part.resource_id, part.name) for part in found.resource_breakdown] == [(resource_id, "Counted")]


def test_a_day_begins_at_the_resources_midnight(conn: Connection) -> None:
    resource_id, days = make_resource(conn, time_zone="Asia/Kathmandu")  # 5:45 ahead of UTC.
    midnight = datetime(2024, 5, 9, 18, 15, tzinfo=UTC)
    moments = [midnight - timedelta(seconds=1), midnight, midnight + timedelta(hours=23), midnight + timedelta(days=1)]
    for moment in moments:
        _move(conn, make_hold(conn, resource_id, days), moment)

    found = [
        reports.hold_expirations(conn, time_zone="UTC", date=date(2024, 5, day), resource_id=resource_id)
        for day in (9, 10, 11)
    ]

    assert [day.summary.total_holds_created for day in found] == [1, 2, 1]


def test_only_holds_of_customers_count(conn: Connection) -> None:
    resource_id, days = make_resource(conn)
    conn.execute("UPDATE hold SET kind = 'order' WHERE id = %s", [make_hold(conn, resource_id, days)])

    found = reports.hold_expirations(conn, time_zone=ZONE, resource_id=resource_id)

    assert found.resource_breakdown == []
    assert (found.summary.expiration_rate, found.summary.average_seconds_to_confirm) == (0, None)


def test_without_a_resource_the_day_is_the_business_day_of_all(conn: Connection) -> None:
    day = date(2023, 3, 3)
    made = [make_resource(conn, name=name) for name in ("B tour", "A tour")]
    for resource_id, days in made:
        _move(conn, make_hold(conn, resource_id, days), datetime(2023, 3, 2, 14, tzinfo=UTC))

    found = reports.hold_expirations(conn, time_zone=ZONE, date=day)

    assert [part.resource_id for part in found.resource_breakdown] == [made[1][0], made[0][0]]
    assert found.summary.total_holds_created == 2


def test_an_unknown_resource_is_not_found(conn: Connection) -> None:
    with pytest.raises(ResourceNotFound):
        reports.hold_expirations(conn, time_zone=ZONE, resource_id="res_none")
