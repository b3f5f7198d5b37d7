"""/admin/bookings: appointments, as staff see and change them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import appointments
from schemas.fields import show_instant
from tests.factories import Shop, at, counters, future_day, lapse, make_appointment, make_shop, make_staff
from tests.web.ops.rows import committed

PATH = "/admin/bookings"
Headers = dict[str, str]


@pytest.fixture
def shop(app: object) -> Shop:
    """A service, and somebody who does it from nine to five."""
    return committed(make_shop)


def appointment(shop: Shop, **fields: Any) -> appointments.Appointment:
    return committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id, **fields)


def create(client: FlaskClient, admin: Headers, shop: Shop, **fields: Any) -> Any:
    body = {"service_id": shop.service_id, "start_at": at("10:00").isoformat(), **fields}
    return client.post(PATH, json=body, headers=admin)


def test_staff_book_and_it_is_confirmed_at_once(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    answer = create(client, admin, shop, customer_name="Ada", internal_notes="pays late")

    assert answer.status_code == 201, answer.json
    booking = answer.json["booking"]
    assert (booking["status"], booking["payment_mode"]) == ("confirmed", "pay_in_store")
    assert (booking["staff_id"], booking["internal_notes"]) == (shop.staff_id, "pays late")
    assert answer.json["manage_url"].startswith("http")


def test_staff_may_only_hold(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    booking = create(client, admin, shop, hold=True).json["booking"]

    assert booking["status"] == "held"
    assert booking["hold_expires_at"] is not None


def test_a_mode_that_is_not_allowed_books_nothing(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    answer = create(client, admin, shop, payment_mode="full")

    assert answer.json["code"] == "payment_mode_not_allowed"
    assert committed(counters, resource_id=shop.staff_id) == []


def test_bookings_are_found_by_every_filter(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    first = appointment(shop, customer_name="Ada Lovelace", customer_id="cus_1", confirmed=True)
    second = appointment(shop, start_at=at("10:00", future_day(31)), customer_name="100% Bob")

    def found(**query: Any) -> list[str]:
        answer = client.get(PATH, query_string={"staff_id": shop.staff_id, **query}, headers=admin)
        assert answer.status_code == 200, answer.json
        assert answer.json["count"] == len(answer.json["bookings"])
        return [booking["id"] for booking in answer.json["bookings"]]

    assert found() == [first.id, second.id]
    assert found(start_date=future_day(31)) == [second.id]
    assert found(end_date=future_day(30)) == [first.id]
    assert found(start_date=future_day(30), end_date=future_day(30)) == [first.id]
    assert found(status="confirmed") == [first.id]
    assert found(status="held") == [second.id]
    assert found(status="no_show") == []
    assert found(service_id=shop.service_id) == [first.id, second.id]
    assert found(service_id="bksvc_none") == []
    assert found(customer_id="cus_1") == [first.id]
    assert found(order_id="order_none") == []
    assert found(booking_number=second.booking_number) == [second.id]
    assert found(q="LOVELACE") == [first.id]
    assert found(q="100%") == [second.id]
    assert found(q=first.booking_number.lower()) == [first.id]


def test_a_page_past_the_end_still_knows_how_many_there_are(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    appointment(shop)

    answer = client.get(f"{PATH}?staff_id={shop.staff_id}&offset=5", headers=admin).json

    assert (answer["bookings"], answer["count"]) == ([], 1)


def test_a_lapsed_booking_is_found_as_cancelled(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    held = appointment(shop)
    with db.transaction() as conn:
        lapse(conn, held.hold_id)

    listed = client.get(f"{PATH}?staff_id={shop.staff_id}&status=cancelled", headers=admin).json["bookings"]

    assert [booking["id"] for booking in listed] == [held.id]
    assert client.get(f"{PATH}?staff_id={shop.staff_id}&status=held", headers=admin).json["bookings"] == []


@pytest.mark.parametrize(("call", "status"), [("complete", "completed"), ("no-show", "no_show")])
def test_what_came_of_a_booking_is_said_once(
    client: FlaskClient, admin: Headers, shop: Shop, call: str, status: str
) -> None:
    booking = appointment(shop, confirmed=True)

    first, second = (client.post(f"{PATH}/{booking.id}/{call}", headers=admin) for _ in range(2))

    assert first.json["booking"]["status"] == status
    assert (first.json["booking"]["completed_at"] is not None) == (status == "completed")
    assert (second.status_code, second.json["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize("call", ["complete", "no-show"])
def test_what_is_only_held_or_cancelled_has_nothing_come_of_it(
    client: FlaskClient, admin: Headers, shop: Shop, call: str
) -> None:
    held = appointment(shop)
    assert client.post(f"{PATH}/{held.id}/{call}", headers=admin).status_code == 409

    client.delete(f"{PATH}/{held.id}", headers=admin)
    assert client.post(f"{PATH}/{held.id}/{call}", headers=admin).status_code == 409
    assert client.post(f"{PATH}/book_none/{call}", headers=admin).status_code == 404


def test_a_deleted_booking_gives_its_time_back_and_stays_on_record(
    client: FlaskClient, admin: Headers, shop: Shop
) -> None:
    booking = appointment(shop, confirmed=True)

    answer = client.delete(f"{PATH}/{booking.id}", headers=admin)

    assert (answer.json["id"], answer.json["deleted"]) == (booking.id, True)
    assert client.get(f"{PATH}/{booking.id}", headers=admin).json["booking"]["status"] == "cancelled"
    assert committed(counters, resource_id=shop.staff_id) == [(0, 0), (0, 0)]
    assert client.delete(f"{PATH}/{booking.id}", headers=admin).status_code == 409


def test_staff_move_change_and_close_a_booking_in_one_go(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    booking = appointment(shop, confirmed=True)
    other = committed(make_staff, service_ids=[shop.service_id])

    body = {"start_at": at("12:00").isoformat(), "staff_id": other, "notes": "new", "status": "completed"}
    answer = client.post(f"{PATH}/{booking.id}", json=body, headers=admin)

    assert answer.status_code == 200, answer.json
    changed = answer.json["booking"]
    assert (changed["staff_id"], changed["notes"], changed["status"]) == (other, "new", "completed")
    assert committed(counters, resource_id=shop.staff_id) == [(0, 0), (0, 0)]
    assert committed(counters, resource_id=other) == [(0, 2), (0, 2)]


def test_a_change_that_cannot_be_made_changes_nothing(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    booking = appointment(shop)

    body = {"start_at": at("12:00").isoformat(), "notes": "new", "status": "completed"}
    answer = client.post(f"{PATH}/{booking.id}", json=body, headers=admin)

    assert (answer.status_code, answer.json["code"]) == (409, "invalid_transition")
    with db.transaction() as conn:
        same = appointments.get_appointment(conn, booking.id)
    assert (same.start_at, same.notes) == (at("10:00"), None)


def test_a_booking_of_a_service_and_hours_that_are_gone_can_still_be_moved(
    client: FlaskClient, admin: Headers, shop: Shop
) -> None:
    booking = appointment(shop, confirmed=True)
    client.post(f"/admin/bookings/services/{shop.service_id}", json={"duration_minutes": 90}, headers=admin)
    client.delete(f"/admin/bookings/services/{shop.service_id}", headers=admin)

    answer = client.post(f"{PATH}/{booking.id}", json={"start_at": at("11:00").isoformat()}, headers=admin)

    assert answer.status_code == 200, answer.json
    assert answer.json["booking"]["end_at"] == at("11:30").isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_what_became_of_a_booking_is_on_record(client: FlaskClient, admin: Headers, shop: Shop) -> None:
    booking = appointment(shop, confirmed=True)
    client.post(f"{PATH}/{booking.id}", json={"start_at": at("11:00").isoformat()}, headers=admin)
    client.post(f"{PATH}/{booking.id}/cancel", json={"reason": "strike"}, headers=admin)

    changes = client.get(f"{PATH}/{booking.id}/changes", headers=admin).json["changes"]

    assert [change["what"] for change in changes] == ["created", "confirmed", "rescheduled", "cancelled"]
    assert changes[-1]["reason"] == "strike"
    assert changes[-1]["actor"].startswith("key:")
    moved = changes[2]
    assert (moved["old_value"]["start_at"], moved["new_value"]["start_at"]) == (
        show_instant(booking.start_at),
        show_instant(at("11:00")),
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"colour": "red"},
        {"status": "lost"},
        {"start_at": "soon"},
        {"customer_email": 7},
        {"reason": "only a reason"},
        {"staff_id": None},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    client: FlaskClient, admin: Headers, shop: Shop, body: dict[str, Any]
) -> None:
    booking = appointment(shop)

    answer = client.post(f"{PATH}/{booking.id}", json=body, headers=admin)

    assert answer.status_code == 400, answer.json
    assert client.post(f"{PATH}/book_none", json={"notes": "x"}, headers=admin).status_code == 404
    assert client.put(f"{PATH}/{booking.id}", json={"notes": "x"}, headers=admin).status_code == 405


def test_customers_are_no_staff(client: FlaskClient, shop: Shop) -> None:
    booking = appointment(shop, start_at=at("10:00") + timedelta(hours=1))

    for path in ("", "/services", "/staff", f"/{booking.id}", f"/{booking.id}/changes"):
        assert client.get(f"{PATH}{path}").status_code == 401
    for path in ("", f"/{booking.id}", f"/{booking.id}/complete", f"/{booking.id}/no-show", "/services", "/staff"):
        assert client.post(f"{PATH}{path}", json={}).status_code == 401
