"""/api/calendar/admin/waitlist: who waits, who goes first, and seats offered by hand."""

from __future__ import annotations

from flask.testing import FlaskClient

from bridge import db
from bridge.core import holds
from tests.waiting import make_slot, make_tour, statuses, take, wait

PATH = "/api/calendar/admin/waitlist"
Headers = dict[str, str]


def test_staff_list_a_queue_and_change_who_goes_first(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        held = take(conn, tour_id, make_slot(conn, tour_id, capacity=1))
        first, second = wait(conn, tour_id), wait(conn, tour_id)

    changed = client.put(f"{PATH}/{second.id}", json={"priority": 10}, headers=admin)
    listed = client.get(f"{PATH}?tour_id={tour_id}&status=active", headers=admin)
    with db.transaction() as conn:
        holds.release_hold(conn, held, actor="tests")

    assert (changed.status_code, changed.json["priority"], changed.json["position"]) == (200, 10, 1)
    assert [entry["id"] for entry in listed.json["waitlist_entries"]] == [second.id, first.id]
    assert listed.json["count"] == 2
    with db.transaction() as conn:
        assert statuses(conn, first, second) == ["active", "notified"]


def test_seats_are_offered_by_hand_only_where_there_are_some(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=1)
        take(conn, tour_id, slot_no)
        entry = wait(conn, tour_id)

    none = client.post(f"{PATH}/{entry.id}/offer", headers=admin)
    with db.transaction() as conn:
        conn.execute("UPDATE capacity SET max_capacity = 2 WHERE slot_no = %s", [slot_no])
    offered = client.post(f"{PATH}/{entry.id}/offer", headers=admin)
    again = client.post(f"{PATH}/{entry.id}/offer", headers=admin)

    assert (none.status_code, none.json["code"]) == (409, "insufficient_capacity")
    assert (offered.status_code, offered.json["status"]) == (200, "notified")
    assert (again.status_code, again.json["code"]) == (409, "waitlist_entry_closed")


def test_what_is_not_known_or_not_valid_is_refused(client: FlaskClient, admin: Headers) -> None:
    assert client.put(f"{PATH}/wait_none", json={"priority": 1}, headers=admin).status_code == 404
    assert client.put(f"{PATH}/wait_none", json={"priority": "high"}, headers=admin).status_code == 400
    assert client.put(f"{PATH}/wait_none", json={"status": "converted"}, headers=admin).status_code == 400
    assert client.get(f"{PATH}?status=waiting", headers=admin).status_code == 400
    assert client.get(f"{PATH}/wait_none", headers=admin).status_code == 404
    assert client.post(f"{PATH}/wait_none/offer", headers=admin).status_code == 404
