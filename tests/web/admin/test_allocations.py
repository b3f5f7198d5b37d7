"""POST /admin/resource-booking/allocations/{id}/cancel."""

from __future__ import annotations

import pytest

from bridge import db
from tests.factories import counters, make_allocation, make_resource

PATH = "/admin/resource-booking/allocations"


@pytest.fixture
def booked(database_url):
    """An allocation of 3 places on 2 dates: (resource, allocation)."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=2)
        return resource_id, make_allocation(conn, resource_id, dates, quantity=3)


def cancel(client, allocation_id, headers, **body):
    return client.post(f"{PATH}/{allocation_id}/cancel", headers=headers, json=body)


def test_all_of_it_is_cancelled_once(client, admin, booked):
    resource_id, allocation_id = booked

    answer = cancel(client, allocation_id, admin, reason="bad weather")
    again = cancel(client, allocation_id, admin)

    assert answer.status_code == 200
    assert answer.json["capacity_returned"] == 6
    assert (answer.json["allocation"]["status"], answer.json["allocation"]["quantity"]) == ("CANCELLED", 3)
    assert (again.status_code, again.json["code"]) == (409, "allocation_cancelled")
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 0)] * 2


def test_a_part_of_it_is_cancelled(client, admin, booked):
    resource_id, allocation_id = booked

    answer = cancel(client, allocation_id, admin, quantity=1)

    assert answer.json["capacity_returned"] == 2
    assert (answer.json["allocation"]["status"], answer.json["allocation"]["quantity"]) == ("CONFIRMED", 2)
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 2)] * 2


@pytest.mark.parametrize(("quantity", "code"), [(4, "quantity_too_large"), (0, "invalid_data"), ("1", "invalid_data")])
def test_a_bad_quantity_changes_nothing_and_is_named(client, admin, booked, quantity, code):
    resource_id, allocation_id = booked

    answer = cancel(client, allocation_id, admin, quantity=quantity)

    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert "quantity" in answer.json["message"]
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 3)] * 2


def test_there_must_be_such_an_allocation_and_a_key(client, admin, booked):
    assert cancel(client, "alloc_none", admin).json["code"] == "allocation_not_found"
    assert cancel(client, booked[1], {}).status_code == 401
