"""The auditor sees what does not add up."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from bridge import db
from bridge.core import audits
from bridge.ids import new_id
from tests.factories import make_allocation, make_hold, make_resource


@pytest.fixture
def broken(database_url):
    """A transaction that is rolled back: what a test breaks is whole again afterwards."""
    with db.transaction() as conn, conn.transaction(force_rollback=True):
        yield conn


def found(conn, resource_id, check):
    return [row for row in audits.audit(conn) if row["check"] == check and row.get("resource_id") == resource_id]


def test_an_untouched_ledger_adds_up(broken):
    resource_id, dates = make_resource(broken)
    make_hold(broken, resource_id, dates)
    make_allocation(broken, resource_id, dates, quantity=2)

    assert [row for row in audits.audit(broken) if row.get("resource_id") == resource_id] == []
    assert audits.last_audit(broken)["checked_at"] is not None


def test_a_counter_changed_by_hand_is_found(broken):
    resource_id, _dates = make_resource(broken)
    broken.execute("UPDATE capacity SET held = held + 1 WHERE resource_id = %s", [resource_id])

    (row, *_more) = found(broken, resource_id, "counters")

    assert (row["held"], row["claims_held"]) == (1, 0)


def test_a_claim_deleted_by_hand_is_found(broken):
    resource_id, dates = make_resource(broken, days=1)
    hold_id = make_hold(broken, resource_id, dates)
    broken.execute("DELETE FROM claim WHERE hold_id = %s", [hold_id])

    assert len(found(broken, resource_id, "counters")) == 1


def test_a_forged_allocation_is_found(broken):
    resource_id, dates = make_resource(broken, days=1)
    hold_id = make_hold(broken, resource_id, dates)
    broken.execute(
        "INSERT INTO allocation (id, hold_id, resource_id, source, order_id, quantity)"
        " VALUES (%s, %s, %s, 'medusa', 'order_forged', 1)",
        [new_id("alloc"), hold_id, resource_id],
    )

    (row,) = found(broken, resource_id, "claims")

    assert row["what"] == "allocation whose claims say otherwise"


def test_an_excess_nobody_decided_on_is_found(broken):
    resource_id, _dates = make_resource(broken, days=1)
    broken.execute("UPDATE capacity SET overbooked = 3 WHERE resource_id = %s", [resource_id])

    assert len(found(broken, resource_id, "overbooked")) == 1


def test_a_cancelled_order_that_still_has_something_is_found(broken):
    resource_id, dates = make_resource(broken)
    order_id = uuid4().hex
    make_allocation(broken, resource_id, dates, order_id=order_id)
    broken.execute("INSERT INTO platform_order (source, id, cancelled_at) VALUES ('medusa', %s, now())", [order_id])

    assert [row["order_id"] for row in audits.audit(broken) if row["check"] == "orders"] == [order_id]


def test_on_a_large_ledger_it_rests_twenty_times_as_long_as_it_took(broken):
    audits.audit(broken)
    broken.execute("UPDATE audit SET seconds = 60, checked_at = clock_timestamp() - INTERVAL '19 minutes'")
    assert not audits.is_due(broken)

    broken.execute("UPDATE audit SET checked_at = clock_timestamp() - INTERVAL '21 minutes'")
    assert audits.is_due(broken)


def test_counters_cannot_be_negative(broken):
    resource_id, _dates = make_resource(broken, days=1)

    with pytest.raises(psycopg.errors.CheckViolation, match="capacity_not_negative"), broken.transaction():
        broken.execute("UPDATE capacity SET held = -1 WHERE resource_id = %s", [resource_id])
