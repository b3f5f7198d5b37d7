"""/api/calendar/admin/slots/{id}/cancel: a departure that does not run."""

from __future__ import annotations

from datetime import time

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import bookings, takes
from bridge.ids import new_id
from tests.waiting import make_booking, make_slot, make_tour, slot_id_of, take

PATH = "/api/calendar/admin/slots"
Headers = dict[str, str]


def test_a_departure_is_cancelled_and_its_parties_dealt_with(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no, other = make_slot(conn, tour_id, capacity=9), make_slot(conn, tour_id, capacity=2, at=time(12))
        moved = make_booking(conn, tour_id, slot_no, 2)
        paid = make_booking(conn, tour_id, slot_no, 2, order_id=new_id("order"))
        slot_id, alternative = slot_id_of(conn, slot_no), slot_id_of(conn, other)
    body = {"reason": "Storm", "alternative_slot_id": alternative}

    tried = client.post(f"{PATH}/{slot_id}/cancel", json={**body, "dry_run": True}, headers=admin)
    still_none = client.get(f"{PATH}/{slot_id}/cancel", headers=admin)
    done = client.post(f"{PATH}/{slot_id}/cancel", json=body, headers=admin)
    again = client.post(f"{PATH}/{slot_id}/cancel", json=body, headers=admin)

    assert (tried.status_code, tried.json["dry_run"], still_none.status_code) == (200, True, 404)
    assert [(party["action"], party["booking_id"]) for party in tried.json["parties"]] == [
        ("move", moved),
        ("cancel", paid),
    ]
    assert tried.json["parties"][1]["refund_amount"] == 165.0
    expected = {"status": "done", "bookings": 2, "moved": 1, "cancelled": 1, "refunds": 1, "reason": "Storm"}
    assert (done.status_code, {name: done.json[name] for name in expected}) == (200, expected)
    assert again.json == done.json == client.get(f"{PATH}/{slot_id}/cancel", headers=admin).json
    [entry] = client.get(f"/api/calendar/admin/bookings/{moved}/modifications", headers=admin).json["modifications"]
    assert [entry[value]["starts_at"][-5:] for value in ("old_value", "new_value")] == [".000Z", ".000Z"]
    with db.transaction() as conn:
        assert bookings.get_booking(conn, moved).slot_id == alternative
        assert bookings.get_booking(conn, paid).status == "cancelled"
        with pytest.raises(takes.Short):
            take(conn, tour_id, slot_no)


def test_what_cannot_be_cancelled_is_refused(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_id = slot_id_of(conn, make_slot(conn, tour_id))
    path = f"{PATH}/{slot_id}/cancel"

    assert client.post(f"{PATH}/slot_none/cancel", json={"reason": "Storm"}, headers=admin).status_code == 404
    assert client.post(path, json={"reason": ""}, headers=admin).status_code == 400
    assert client.post(path, json={"reason": "Storm", "alternative_slot_id": slot_id}, headers=admin).status_code == 400
    assert client.post(path, json={"reason": "Storm"}).status_code == 401
    assert client.post(path, json={"reason": "Storm"}, headers=admin).status_code == 200
    other = client.post(path, json={"reason": "Something else"}, headers=admin)
    assert (other.status_code, other.json["code"]) == (409, "slot_cancelled")


def test_nobody_has_to_say_why_a_departure_does_not_run(client: FlaskClient, admin: Headers) -> None:
    with db.transaction() as conn:
        slot_id = slot_id_of(conn, make_slot(conn, make_tour(conn)))
    path = f"{PATH}/{slot_id}/cancel"

    tried = client.post(f"{path}?dry_run=true", headers=admin)
    done = client.post(path, headers=admin)

    assert (tried.status_code, tried.json["dry_run"]) == (200, True), tried.json
    assert (done.status_code, done.json["status"], done.json["reason"]) == (200, "done", "cancelled by staff")
