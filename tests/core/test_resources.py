"""Resources: made, changed, deleted, and never deleted from under a hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Event

import pytest

from bridge import db
from bridge.core import resources
from bridge.db import Connection
from bridge.errors import HasBookings, InvalidData, ResourceNotFound
from tests.factories import ZONE, counters, lapse, make_allocation, make_hold, make_resource


def _create(conn: Connection, **fields: object) -> resources.Resource:
    return resources.create_resource(conn, **{"type": "TOUR", "name": "A tour", "time_zone": ZONE, **fields})


def _status(conn: Connection, hold_id: str) -> tuple[str, str | None]:
    row = conn.execute("SELECT status::text, closed_reason FROM hold WHERE id = %s", [hold_id]).fetchone()
    return row["status"], row["closed_reason"]


def test_a_new_resource_has_defaults(conn: Connection) -> None:
    made = _create(conn)

    assert made.id.startswith("res_")
    assert (made.grain, made.is_active, made.hold_minutes, made.shortfall_policy) == ("day", True, None, "flag")
    assert resources.get_resource(conn, made.id) == made


def test_a_zone_the_database_does_not_know_is_refused(database_url: str) -> None:
    with pytest.raises(InvalidData, match="time_zone"), db.transaction() as conn:
        _create(conn, time_zone="Mars/Olympus_Mons")


def test_changes_leave_the_other_fields(conn: Connection) -> None:
    made = _create(conn, description="By the sea", hold_minutes=12.5, metadata={"seats": 7})

    changed = resources.update_resource(conn, made.id, changes={"name": "Another", "hold_minutes": None})

    assert (changed.name, changed.hold_minutes) == ("Another", None)
    assert (changed.description, changed.metadata) == ("By the sea", {"seats": 7})
    assert changed.updated_at > made.updated_at


@pytest.mark.parametrize("q", ["100%_SURE", "%_sure", "by THE"])
def test_search_takes_text_as_text(conn: Connection, q: str) -> None:
    found = _create(conn, name="100%_Sure tour", description="By the sea")
    other = _create(conn, name="100xxsure tour", description="In the hills")

    page, count = resources.list_resources(conn, q=q, limit=100, offset=0)

    ids = [resource.id for resource in page]
    assert found.id in ids
    assert other.id not in ids
    assert count >= 1


def test_a_page_counts_what_is_beyond_it(conn: Connection) -> None:
    for n in range(3):
        _create(conn, name=f"Paged tour {n}")

    page, count = resources.list_resources(conn, q="paged tour", limit=2, offset=0)
    rest, _ = resources.list_resources(conn, q="paged tour", limit=2, offset=2)

    assert [resource.name for resource in [*page, *rest]] == ["Paged tour 2", "Paged tour 1", "Paged tour 0"]
    assert count == 3


def test_stats_count_today_and_later(conn: Connection) -> None:
    yesterday = date.today() - timedelta(days=3)
    resource_id, days = make_resource(conn, capacity=4, days=40, first_day=yesterday)
    make_allocation(conn, resource_id, days[10:12], 2)
    make_allocation(conn, resource_id, days[20:21], 4)
    past = make_allocation(conn, resource_id, days[30:31])
    conn.execute("UPDATE capacity SET allocated = 0 WHERE resource_id = %s AND on_date = %s", [resource_id, days[30]])
    conn.execute(
        "UPDATE claim SET state = 'released' WHERE hold_id = (SELECT hold_id FROM allocation WHERE id = %s)", [past]
    )

    stats = resources.get_stats(conn, resource_id)

    upcoming = [day for day in days if day >= date.today()]
    assert stats["total_allocations"] == 3
    assert stats["upcoming_bookings"] == 2
    assert stats["capacity_utilization"] == pytest.approx(8 / (4 * len(upcoming)), abs=0.01)


def test_a_resource_without_bookings_is_deleted_and_stays_readable(conn: Connection) -> None:
    resource_id, days = make_resource(conn)
    lapse(conn, make_hold(conn, resource_id, days))

    deleted = resources.delete_resource(conn, resource_id, force=False, actor="tests")

    assert (deleted.holds_released, deleted.allocations_cancelled) == (0, 0)
    assert resources.get_resource(conn, resource_id).deleted_at is not None
    with pytest.raises(ResourceNotFound):
        resources.update_resource(conn, resource_id, changes={"name": "Back"})
    with pytest.raises(ResourceNotFound):
        resources.delete_resource(conn, resource_id, force=False, actor="tests")


def test_deleted_resources_are_listed_only_on_request(conn: Connection) -> None:
    gone = _create(conn, name="Vanishing tour")
    resources.delete_resource(conn, gone.id, force=False, actor="tests")

    _, shown = resources.list_resources(conn, q="vanishing", limit=1, offset=0)
    _, in_all = resources.list_resources(conn, q="vanishing", include_deleted=True, limit=1, offset=0)

    assert (shown, in_all) == (0, 1)


@pytest.mark.parametrize("make", [make_hold, make_allocation])
def test_a_resource_with_bookings_is_not_deleted(conn: Connection, make) -> None:
    resource_id, days = make_resource(conn)
    make(conn, resource_id, days)

    with pytest.raises(HasBookings) as refused:
        resources.delete_resource(conn, resource_id, force=False, actor="tests")

    assert refused.value.details["holds"] + refused.value.details["allocations"] == 1
    assert resources.get_resource(conn, resource_id).deleted_at is None


def test_force_cancels_what_is_held_and_booked(conn: Connection) -> None:
    resource_id, days = make_resource(conn)
    hold_id = make_hold(conn, resource_id, days[:2], 2)
    allocation_id = make_allocation(conn, resource_id, days[1:], 3)

    deleted = resources.delete_resource(conn, resource_id, force=True, actor="tests")

    assert (deleted.holds_released, deleted.allocations_cancelled) == (1, 1)
    assert counters(conn, resource_id) == [(0, 0)] * 3
    assert _status(conn, hold_id) == ("RELEASED", "delete")
    allocation = conn.execute("SELECT * FROM allocation WHERE id = %s", [allocation_id]).fetchone()
    assert (allocation["status"], allocation["cancelled_by_admin"]) == ("CANCELLED", 3)
    causes = conn.execute(
        "SELECT DISTINCT actor FROM journal WHERE resource_id = %s AND cause = 'delete'", [resource_id]
    )
    assert [row["actor"] for row in causes] == ["tests"]


def test_deleting_sees_the_hold_that_is_being_placed(database_url: str) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn)
    placed, commit = Event(), Event()

    def place() -> str:
        try:
            with db.transaction() as conn:
                hold_id = make_hold(conn, resource_id, days)
                placed.set()
                commit.wait(2)
            return hold_id
        finally:
            db.close()

    def delete() -> resources.Deleted:
        try:
            with db.transaction() as conn:
                return resources.delete_resource(conn, resource_id, force=True, actor="tests")
        finally:
            db.close()

    with ThreadPoolExecutor(2) as pool:
        hold = pool.submit(place)
        assert placed.wait(5)
        deletion = pool.submit(delete)
        commit.wait(0.3)  # Until the deletion waits for the slot.
        commit.set()
        hold_id, deleted = hold.result(), deletion.result()

    assert deleted.holds_released == 1
    with db.transaction() as conn:
        assert _status(conn, hold_id) == ("RELEASED", "delete")
        assert counters(conn, resource_id) == [(0, 0)] * 3


@pytest.mark.parametrize("how", ["delete", "switch off"])
def test_nothing_is_held_of_what_was_taken_out_of_sale_in_a_rush(database_url: str, how: str) -> None:
    """Holds are placed all the while; once the resource is gone, none is left and none comes."""
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=1000)
    stop = Event()

    def buy(n: int) -> int:
        placed = 0
        try:
            while not stop.is_set():
                with db.transaction() as conn:
                    make_hold(conn, resource_id, days[n % 2 :])
                placed += 1
        except ResourceNotFound:
            return placed
        finally:
            db.close()
        return placed

    with ThreadPoolExecutor(6) as pool:
        buyers = [pool.submit(buy, n) for n in range(6)]
        stop.wait(0.3)
        with db.transaction() as conn:
            if how == "delete":
                gone = resources.delete_resource(conn, resource_id, force=True, actor="tests").holds_released
            else:
                resources.update_resource(conn, resource_id, changes={"is_active": False})
                gone = None
        with db.transaction() as conn:
            left = conn.execute(
                "SELECT count(*) AS n FROM hold WHERE resource_id = %s AND status = 'ACTIVE'", [resource_id]
            ).fetchone()["n"]
        placed = sum(buyer.result(10) for buyer in buyers)
        stop.set()

    assert placed > 0
    assert (left, gone) == ((0, placed) if how == "delete" else (placed, None))
    with db.transaction() as conn:
        assert (
            sum(held for held, _ in counters(conn, resource_id))
            == conn.execute(
                "SELECT coalesce(sum(quantity), 0) AS n FROM claim WHERE resource_id = %s AND state = 'held'",
                [resource_id],
            ).fetchone()["n"]
        )
