"""/api/calendar/bookings."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bridge import db
from tests.factories import lapse
from tests.web.calendar.tours import (
    API,
    FIRST,
    Headers,
    book,
    booking_body,
    customer,
    make_departures,
    spots,
    token_of,
)

# -- making ------------------------------------------------------------------------------------------------------------


def test_a_guest_books_a_pending_place_at_a_fixed_price(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, _other] = make_departures(client, admin)

    answer = client.post(
        f"{API}/bookings",
        json=booking_body(
            tour_id,
            slot_id,
            special_requirements="Vegetarian meals",
            dietary_restrictions="Gluten-free",
            accessibility_needs="Wheelchair accessible",
        ),
    )

    assert answer.status_code == 201
    booking = answer.json
    assert re.fullmatch(r"ST-\d{8}-[A-Z0-9]{6}", booking["booking_reference"])
    assert booking["status"] == "pending"
    assert (booking["tour_id"], booking["tour_name"]) == (tour_id, "Jerusalem Old City Tour")
    assert (booking["tour_date"], booking["tour_time"]) == (FIRST.isoformat(), "09:00:00")
    assert booking["total_people"] == 3
    assert (booking["price_per_adult"], booking["price_per_child"], booking["price_per_infant"]) == (75, 52.5, 0)
    assert (booking["subtotal"], booking["tax_amount"], booking["total_amount"]) == (202.5, 20.25, 222.75)
    assert booking["hold_expires_at"] > booking["created_at"]
    assert booking["special_requirements"] == "Vegetarian meals"
    assert booking["line_item_metadata"]["booking_hold_id"] == booking["hold_id"]
    assert spots(client, tour_id, slot_id) == 12


def test_infants_take_no_seat_unless_the_tour_says_so(client: FlaskClient, admin: Headers) -> None:
    on_laps, [lap_slot] = make_departures(client, admin, days=1)
    in_seats, [seat_slot] = make_departures(client, admin, days=1, tour={"infants_take_seats": True})

    for tour_id, slot_id in ((on_laps, lap_slot), (in_seats, seat_slot)):
        booking = book(client, tour_id, slot_id, num_adults=1, num_children=0, num_infants=2)
        assert booking["total_amount"] == 82.5

    assert spots(client, on_laps, lap_slot) == 14
    assert spots(client, in_seats, seat_slot) == 12


def test_a_party_that_does_not_fit_is_told_what_is_left(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1, max_capacity=4, min_capacity=1)
    book(client, tour_id, slot_id)

    answer = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id))

    assert (answer.status_code, answer.json["code"]) == (409, "insufficient_capacity")
    assert answer.json["message"] == "Only 1 seat is left on this departure."
    assert answer.json["details"]["available"] == 1
    assert answer.json["details"]["waitlist_available"] is True
    assert spots(client, tour_id, slot_id) == 1


def test_a_party_no_departure_could_take_is_not_sent_to_the_waitlist(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1, max_capacity=4, min_capacity=1)

    refused = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id, num_adults=5))

    assert (refused.status_code, refused.json["code"]) == (409, "insufficient_capacity")
    assert refused.json["details"]["waitlist_available"] is False


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"num_adults": 0, "num_children": 2}, "party_size"),
        ({"num_adults": 51}, "party_size"),
        ({"num_adults": -1}, "invalid_data"),
        ({"num_adults": "2"}, "invalid_data"),
        ({"customer_email": "nobody"}, "invalid_data"),
        ({"customer_name": ""}, "invalid_data"),
        ({"booking_slot_id": None}, "invalid_data"),
        ({"discount": 100}, "invalid_data"),
        ({"customer_name": "a\0b"}, "invalid_data"),
    ],
)
def test_what_cannot_be_booked_is_refused_and_changes_nothing(
    client: FlaskClient, admin: Headers, fields: dict[str, object], code: str
) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)

    answer = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id, **fields))

    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert spots(client, tour_id, slot_id) == 15


def test_a_departure_of_another_tour_is_not_found(client: FlaskClient, admin: Headers) -> None:
    tour_id, _slots = make_departures(client, admin, days=1)
    _other, [slot_id] = make_departures(client, admin, days=1)

    of_another = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id))
    of_none = client.post(f"{API}/bookings", json=booking_body("res_none", slot_id))

    assert (of_another.status_code, of_another.json["code"]) == (404, "slot_not_found")
    assert (of_none.status_code, of_none.json["code"]) == (404, "resource_not_found")


def test_nobody_books_too_late_or_too_far_ahead(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, far_id] = make_departures(client, admin)
    with db.transaction() as conn:
        conn.execute(
            "UPDATE slot SET starts_at = now() + INTERVAL '23 hours', ends_at = now() + INTERVAL '1 day' WHERE id = %s",
            [slot_id],
        )
        conn.execute("UPDATE slot SET slot_date = current_date + 100 WHERE id = %s", [far_id])

    late = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id))
    far = client.post(f"{API}/bookings", json=booking_body(tour_id, far_id))

    assert (late.status_code, late.json["code"]) == (400, "too_late")
    assert late.json["details"]["starts_at"].endswith("Z")
    assert (far.status_code, far.json["code"]) == (400, "too_far_ahead")


def test_nobody_books_on_a_blackout_or_a_cancelled_departure(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, cancelled_id] = make_departures(client, admin)
    client.post(
        f"{API}/admin/blackouts",
        json={"tour_id": tour_id, "start_date": FIRST.isoformat(), "end_date": FIRST.isoformat(), "name": "Strike"},
        headers=admin,
    )
    with db.transaction() as conn:
        conn.execute("UPDATE slot SET cancelled_at = now() WHERE id = %s", [cancelled_id])

    closed = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id))
    cancelled = client.post(f"{API}/bookings", json=booking_body(tour_id, cancelled_id))

    assert (closed.status_code, closed.json["code"]) == (409, "blackout")
    assert closed.json["details"]["blackout"]["reason"] == "Strike"
    assert (cancelled.status_code, cancelled.json["code"]) == (409, "slot_cancelled")


def test_the_same_key_books_once(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    key = {"Idempotency-Key": f"key-{tour_id}"}

    first = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id), headers=key)
    again = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id), headers=key)
    other = client.post(f"{API}/bookings", json=booking_body(tour_id, slot_id, num_adults=1), headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]
    assert spots(client, tour_id, slot_id) == 12


# -- seeing ------------------------------------------------------------------------------------------------------------


def test_a_booking_is_shown_to_whom_it_belongs_and_to_nobody_else(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    owner = customer()
    booking = book(client, tour_id, slot_id, headers=owner)
    path = f"{API}/bookings/{booking['id']}"

    assert client.get(path).status_code == 401
    assert client.get(path, headers=customer()).status_code == 403
    assert client.get(path, headers=owner).json["customer_email"] == "john@example.com"
    assert client.get(path, headers=admin).json["id"] == booking["id"]
    assert client.get(path, query_string={"token": token_of(booking)}).json["id"] == booking["id"]
    assert client.get(path, query_string={"token": "forged"}).status_code == 403
    assert client.get(f"{API}/bookings/book_none", headers=owner).status_code == 404
    assert client.get(f"{API}/bookings/book_none").status_code == 401


def test_the_link_of_one_booking_opens_no_other(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    mine, theirs = book(client, tour_id, slot_id), book(client, tour_id, slot_id)

    answer = client.delete(f"{API}/bookings/{theirs['id']}", query_string={"token": token_of(mine)})

    assert answer.status_code == 403
    assert client.get(f"{API}/bookings/{theirs['id']}", headers=admin).json["status"] == "pending"


def test_a_reference_shows_nothing_personal(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id, special_requirements="Ring Mrs Doe")

    answer = client.get(f"{API}/bookings/reference/{booking['booking_reference']}")

    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["total_people"]) == ("pending", 3)
    assert "Doe" not in answer.text
    assert "john@" not in answer.text
    assert "+1234567890" not in answer.text
    assert client.get(f"{API}/bookings/reference/ST-20260101-NONE00").status_code == 404


def test_customers_list_their_own(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    owner = customer()
    first, second = (book(client, tour_id, slot_id, headers=owner) for _ in range(2))
    book(client, tour_id, slot_id, headers=customer())
    client.delete(f"{API}/bookings/{first['id']}", headers=owner)
    path = f"{API}/bookings/user/me"

    everything = client.get(path, headers=owner)
    pending = client.get(path, query_string={"status_filter": "pending"}, headers=owner)
    page = client.get(path, query_string={"limit": 1, "offset": 1}, headers=owner)

    assert [one["id"] for one in everything.json["bookings"]] == [second["id"], first["id"]]
    assert everything.json["count"] == 2
    assert [one["id"] for one in pending.json["bookings"]] == [second["id"]]
    assert [one["id"] for one in page.json["bookings"]] == [first["id"]]
    assert client.get(path).status_code == 401
    assert client.get(path, headers=admin).status_code == 401
    assert client.get(path, query_string={"status_filter": "lost"}, headers=owner).status_code == 400


def test_a_pending_booking_reads_cancelled_the_second_it_lapses(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    with db.transaction() as conn:
        lapse(conn, booking["hold_id"])

    shown = client.get(f"{API}/bookings/{booking['id']}", headers=admin).json
    changed = client.put(f"{API}/bookings/{booking['id']}", json={"new_num_adults": 1}, headers=admin)

    assert (shown["status"], shown["cancellation_reason"]) == ("cancelled", "expired")
    assert (changed.status_code, changed.json["code"]) == (409, "invalid_transition")
    assert spots(client, tour_id, slot_id) == 15


# -- changing ----------------------------------------------------------------------------------------------------------


def test_departure_and_party_change_in_one_act(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, other_id] = make_departures(client, admin)
    owner = customer()
    booking = book(client, tour_id, slot_id, headers=owner)

    answer = client.put(
        f"{API}/bookings/{booking['id']}",
        json={"new_slot_id": other_id, "new_num_adults": 3, "modification_notes": "Changed party size"},
        headers=owner | {"User-Agent": "a browser"},
    )

    assert answer.status_code == 200
    assert answer.json["tour_date"] == (FIRST + timedelta(days=1)).isoformat()
    assert (answer.json["total_people"], answer.json["total_amount"]) == (4, 305.25)
    assert answer.json["price_difference"] == 82.5
    assert (spots(client, tour_id, slot_id), spots(client, tour_id, other_id)) == (15, 11)
    log = client.get(f"{API}/admin/bookings/{booking['id']}/modifications", headers=admin).json
    [entry] = log["modifications"]
    assert entry["modification_type"] == "date_change"
    assert entry["modified_by"].startswith("customer:")
    assert (entry["old_value"]["slot_id"], entry["new_value"]["slot_id"]) == (slot_id, other_id)
    assert (entry["old_value"]["num_adults"], entry["new_value"]["num_adults"]) == (2, 3)
    assert (entry["old_value"]["total_amount"], entry["new_value"]["total_amount"]) == (222.75, 305.25)
    assert (entry["reason"], entry["user_agent"]) == ("Changed party size", "a browser")
    assert entry["ip_address"] == "127.0.0.1"


def test_a_try_says_what_a_change_costs_and_changes_nothing(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    path, key = f"{API}/bookings/{booking['id']}", {"token": token_of(booking)}

    tried = client.put(path, json={"new_num_children": 0, "dry_run": True}, query_string=key)
    in_query = client.put(path, json={"new_num_adults": 3}, query_string=key | {"dry_run": "true"})

    assert (tried.json["price_difference"], tried.json["dry_run"]) == (-57.75, True)
    assert in_query.json["price_difference"] == 82.5
    shown = client.get(path, headers=admin).json
    assert (shown["num_children"], shown["total_amount"]) == (1, 222.75)
    assert client.get(f"{API}/admin/bookings/{booking['id']}/modifications", headers=admin).json["count"] == 0


def test_nothing_is_lost_when_the_other_departure_is_full(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, other_id] = make_departures(client, admin, max_capacity=3, min_capacity=1)
    mine = book(client, tour_id, slot_id)
    book(client, tour_id, other_id, num_adults=1)

    answer = client.put(f"{API}/bookings/{mine['id']}", json={"new_slot_id": other_id}, headers=admin)

    assert (answer.status_code, answer.json["code"]) == (409, "insufficient_capacity")
    assert answer.json["details"]["available"] == 1
    assert client.get(f"{API}/bookings/{mine['id']}", headers=admin).json["booking_slot_id"] == slot_id
    assert (spots(client, tour_id, slot_id), spots(client, tour_id, other_id)) == (0, 1)


def test_a_party_grows_only_where_there_is_room_for_it(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1, max_capacity=4, min_capacity=1)
    booking = book(client, tour_id, slot_id)
    path = f"{API}/bookings/{booking['id']}"

    fits = client.put(path, json={"new_num_adults": 3}, headers=admin)
    too_many = client.put(path, json={"new_num_adults": 4}, headers=admin)

    assert fits.json["total_people"] == 4
    assert too_many.status_code == 409
    assert client.get(path, headers=admin).json["num_adults"] == 3
    assert spots(client, tour_id, slot_id) == 0


def test_what_is_noted_of_a_booking_can_be_changed(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)

    answer = client.put(
        f"{API}/bookings/{booking['id']}",
        json={"dietary_restrictions": "No nuts", "customer_phone": None},
        query_string={"token": token_of(booking)},
    )

    assert (answer.json["dietary_restrictions"], answer.json["customer_phone"]) == ("No nuts", None)
    [entry] = client.get(f"{API}/admin/bookings/{booking['id']}/modifications", headers=admin).json["modifications"]
    assert (entry["modification_type"], entry["modified_by"]) == ("details_change", "guest")


@pytest.mark.parametrize("body", [{}, {"modification_notes": "nothing"}, {"num_adults": 3}, {"new_num_adults": -1}])
def test_a_change_of_nothing_or_nonsense_is_refused(client: FlaskClient, admin: Headers, body: object) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)

    assert client.put(f"{API}/bookings/{booking['id']}", json=body, headers=admin).status_code == 400


def test_a_booking_moves_to_no_other_tour(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    _tour, [other_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    path = f"{API}/bookings/{booking['id']}"

    answer = client.put(path, json={"new_slot_id": other_id}, headers=admin)
    unknown = client.put(path, json={"new_slot_id": "slot_none"}, headers=admin)

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_data")
    assert (unknown.status_code, unknown.json["code"]) == (404, "slot_not_found")


def test_a_new_departure_has_its_own_price_and_the_old_one_its_booked_one(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id, other_id] = make_departures(client, admin)
    booking = book(client, tour_id, slot_id, num_children=0)
    with db.transaction() as conn:
        conn.execute("UPDATE slot SET price_per_person = 100 WHERE id = ANY (%s)", [[slot_id, other_id]])
    path = f"{API}/bookings/{booking['id']}"

    grown = client.put(path, json={"new_num_adults": 3}, headers=admin).json
    moved = client.put(path, json={"new_slot_id": other_id}, headers=admin).json

    assert (grown["price_per_adult"], grown["total_amount"]) == (75, 247.5)
    assert (moved["price_per_adult"], moved["total_amount"]) == (100, 330)


# -- statuses ----------------------------------------------------------------------------------------------------------


def test_only_staff_set_a_status_and_only_as_the_table_says(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    owner = customer()
    booking = book(client, tour_id, slot_id, headers=owner)
    path = f"{API}/bookings/{booking['id']}"

    assert client.put(path, json={"status": "confirmed"}, headers=owner).status_code == 403
    assert client.put(path, json={"status": "completed"}, headers=admin).json["code"] == "invalid_transition"
    confirmed = client.put(path, json={"status": "confirmed"}, headers=admin)
    assert (confirmed.status_code, confirmed.json["status"]) == (200, "confirmed")
    assert client.put(path, json={"status": "pending"}, headers=admin).status_code == 409
    assert client.put(path, json={"status": "no_show"}, headers=admin).json["status"] == "no_show"
    assert client.put(path, json={"status": "confirmed"}, headers=admin).status_code == 409
    log = client.get(f"{API}/admin/bookings/{booking['id']}/modifications", headers=admin).json
    assert [entry["new_value"] for entry in log["modifications"]] == [{"status": "confirmed"}, {"status": "no_show"}]
    assert spots(client, tour_id, slot_id) == 12


def test_a_confirmed_booking_does_not_lapse(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    path = f"{API}/bookings/{booking['id']}"

    client.put(path, json={"status": "confirmed"}, headers=admin)

    shown = client.get(path, headers=admin).json
    assert (shown["status"], shown["hold_expires_at"], shown["order_id"]) == ("confirmed", None, None)


# -- cancelling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_cancelling_gives_the_seats_back_once(client: FlaskClient, admin: Headers, is_confirmed: bool) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    owner = customer()
    booking = book(client, tour_id, slot_id, headers=owner)
    path = f"{API}/bookings/{booking['id']}"
    if is_confirmed:
        client.put(path, json={"status": "confirmed"}, headers=admin)

    tried = client.delete(path, query_string={"dry_run": "true"}, headers=owner)
    answer = client.delete(path, json={"cancellation_reason": "Plans changed"}, headers=owner)
    again = client.delete(path, headers=owner)

    assert (tried.json["status"], tried.json["dry_run"]) == ("cancelled", True)
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["cancellation_reason"]) == ("cancelled", "Plans changed")
    assert answer.json["cancellation_fee"] == 0
    assert (again.status_code, again.json["code"]) == (409, "invalid_transition")
    assert spots(client, tour_id, slot_id) == 15
    log = client.get(f"{API}/admin/bookings/{booking['id']}/modifications", headers=admin).json["modifications"]
    assert log[-1]["modification_type"] == "cancellation"
    assert log[-1]["reason"] == "Plans changed"


def test_a_policy_charges_customers_and_not_staff(client: FlaskClient, admin: Headers) -> None:
    policy = {"deadline_hours": 2, "fees": [{"hours_before": 24 * 365, "percent": 50}]}
    tour_id, [slot_id] = make_departures(client, admin, days=1, tour={"cancellation_policy": policy})
    mine, theirs = (book(client, tour_id, slot_id) for _ in range(2))
    for booking in (mine, theirs):
        client.put(f"{API}/bookings/{booking['id']}", json={"status": "confirmed"}, headers=admin)

    by_guest = client.delete(f"{API}/bookings/{mine['id']}", query_string={"token": token_of(mine)})
    by_staff = client.delete(f"{API}/bookings/{theirs['id']}", headers=admin)

    assert by_guest.json["cancellation_fee"] == 111.38
    assert by_staff.json["cancellation_fee"] == 0


def test_customers_cancel_until_the_deadline(client: FlaskClient, admin: Headers) -> None:
    days_ahead = {"deadline_hours": 24 * 100}
    tour_id, [slot_id] = make_departures(client, admin, days=1, tour={"cancellation_policy": days_ahead})
    booking = book(client, tour_id, slot_id)

    answer = client.delete(f"{API}/bookings/{booking['id']}", query_string={"token": token_of(booking)})

    assert (answer.status_code, answer.json["code"]) == (400, "too_late")
    assert spots(client, tour_id, slot_id) == 12


def test_a_cancelled_booking_can_be_refunded_by_staff(client: FlaskClient, admin: Headers) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    path = f"{API}/bookings/{booking['id']}"
    client.delete(path, headers=admin)

    refunded = client.put(path, json={"status": "refunded"}, headers=admin)

    assert refunded.json["status"] == "refunded"
    assert client.put(path, json={"status": "cancelled"}, headers=admin).status_code == 409


# -- the door ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_changes_a_booking_without_saying_who_they_are(client: FlaskClient, admin: Headers, method: str) -> None:
    tour_id, [slot_id] = make_departures(client, admin, days=1)
    booking = book(client, tour_id, slot_id)
    path, body = f"{API}/bookings/{booking['id']}", {"new_num_adults": 1} if method == "PUT" else None

    assert client.open(path, method=method, json=body).status_code == 401
    assert client.open(path, method=method, json=body, headers=customer()).status_code == 403
    assert client.get(path, headers=admin).json["status"] == "pending"


def test_other_methods_are_refused(client: FlaskClient) -> None:
    assert client.get(f"{API}/bookings").status_code == 405
    assert client.post(f"{API}/bookings/user/me").status_code == 405
    assert client.patch(f"{API}/bookings/book_1").status_code == 405


def test_routes_of_staff_demand_a_credential(app: Flask) -> None:
    client = app.test_client()

    for path in ("bookings", "schedules", "blackouts"):
        assert client.get(f"{API}/admin/{path}").status_code == 401
        assert client.get(f"{API}/admin/{path}", headers=customer()).status_code == 403
