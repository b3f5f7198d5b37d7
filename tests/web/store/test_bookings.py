"""/store/bookings: appointments as a storefront books, pays, looks at, moves and cancels them."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from flask.testing import FlaskClient

from bridge import db, errors
from bridge.core import appointments
from bridge.web.store.bookings import show
from schemas.appointments import AppointmentSchema
from schemas.fields import show_instant
from tests.conftest import JWT_SECRET
from tests.factories import Shop, at, counters, future_day, lapse, make_appointment, make_service, make_shop, make_staff
from tests.web.ops.rows import committed

PATH = "/store/bookings"
Headers = dict[str, str]


def customer(who: str = "cus_ada") -> Headers:
    """The platform's token of a customer."""
    content = {"actor_type": "customer", "actor_id": who, "exp": int(time.time()) + 600}
    return {"Authorization": f"Bearer {jwt.encode(content, JWT_SECRET, 'HS256')}"}


def token_of(answer: Any) -> str:
    """The token of a guest's link."""
    return urlsplit(answer["manage_url"]).path.removeprefix("/manage/")


@pytest.fixture
def shop(app: object) -> Shop:
    """A service, and somebody who does it from nine to five."""
    return committed(make_shop)


def book(client: FlaskClient, shop: Shop, start: str = "10:00", headers: Headers | None = None, **fields: Any):
    service_id, staff_id = shop
    body = {
        "service_id": service_id,
        "staff_id": staff_id,
        "start_at": at(start).isoformat(),
        "customer_email": "ada@example.test",
        **fields,
    }
    return client.post(PATH, json={name: value for name, value in body.items() if value is not None}, headers=headers)


# -- booking -----------------------------------------------------------------------------------------------------------


def test_a_booking_is_held_for_ten_minutes(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop, customer_name="Ada", notes="Short at the back", metadata={"chair": 2})

    assert answer.status_code == 201, answer.json
    booking = answer.json["booking"]
    assert booking["status"] == "held"
    assert booking["start_at"] == at("10:00").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert booking["end_at"] == at("10:30").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert booking["time_zone"] == "Australia/Brisbane"
    assert (booking["service_id"], booking["staff_id"]) == shop
    assert booking["price_amount"] == 40
    assert booking["booking_number"].startswith("BK-")
    assert booking["id"].startswith("book_")
    assert isinstance(booking["display_id"], int)
    assert booking["customer_name"] == "Ada"
    assert booking["metadata"] == {"chair": 2}
    assert booking["hold_expires_at"] is not None
    assert {name for name, value in booking.items() if value is None} >= {"confirmed_at", "cancelled_at", "amount_paid"}


def test_the_answer_carries_the_guests_link(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json

    seen = client.get(f"{PATH}/{answer['booking']['id']}?token={token_of(answer)}")
    assert answer["booking"]["manage_url"] == answer["manage_url"]
    assert seen.status_code == 200
    assert seen.json["booking"]["id"] == answer["booking"]["id"]


def test_a_taken_time_is_refused_with_the_nearest_five_of_the_same_member_of_staff(
    client: FlaskClient, shop: Shop
) -> None:
    committed(make_staff, service_ids=[shop.service_id])
    book(client, shop)

    answer = book(client, shop, "10:15")

    assert answer.status_code == 409
    assert answer.json["code"] == "slot_unavailable"
    near = answer.json["details"]["alternatives"]
    assert [slot["start_at"] for slot in near] == [
        show_instant(at(clock)) for clock in ("09:15", "09:30", "10:30", "10:45", "11:00")
    ]
    assert {slot["staff_id"] for slot in near} == {shop[1]}
    assert near[0]["end_at"] == show_instant(at("09:45"))


def test_the_alternatives_are_written_as_the_availability_writes_them(client: FlaskClient, shop: Shop) -> None:
    book(client, shop)

    near = book(client, shop).json["details"]["alternatives"]
    query = {"date": future_day().isoformat(), "service_id": shop.service_id, "staff_id": shop[1]}
    free = client.get(f"{PATH}/availability", query_string=query).json["slots"]

    assert {(slot["start_at"], slot["end_at"]) for slot in near} < {(slot["start_at"], slot["end_at"]) for slot in free}


def test_without_a_name_whoever_is_free_is_booked_until_nobody_is(client: FlaskClient) -> None:
    service_id = committed(make_service)
    crew = {committed(make_staff, service_ids=[service_id]) for _ in range(2)}

    answers = [book(client, Shop(service_id, ""), staff_id=None) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert {answer.json["booking"]["staff_id"] for answer in answers[:2]} == crew
    assert len(answers[2].json["details"]["alternatives"]) == 5


def test_whoever_has_the_least_to_do_that_day_is_booked(client: FlaskClient) -> None:
    service_id = committed(make_service)
    busy, idle = (committed(make_staff, service_ids=[service_id]) for _ in range(2))
    book(client, Shop(service_id, busy), "14:00")

    booking = book(client, Shop(service_id, ""), staff_id=None).json["booking"]

    assert booking["staff_id"] == idle


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"start_at": "2020-01-01T10:00:00Z"}, 400, "in_the_past"),
        ({"start": "10:07"}, 400, "off_grid"),
        ({"start": "08:45"}, 409, "outside_business_hours"),
        ({"start": "16:45"}, 409, "outside_business_hours"),
        ({"start_at": "0001-01-01T00:00:00+14:00"}, 400, "invalid_data"),
        ({"start_at": "9999-12-31T23:45:00-14:00"}, 400, "invalid_data"),
        ({"start_at": "tomorrow"}, 400, "invalid_data"),
        ({"service_id": "bksvc_none"}, 404, "service_not_found"),
        ({"staff_id": "bkstf_none"}, 404, "staff_not_found"),
        ({"customer_email": None}, 400, "invalid_data"),
        ({"customer_email": "nobody"}, 400, "invalid_data"),
        ({"colour": "red"}, 400, "invalid_data"),
        ({"notes": "a\0b"}, 400, "invalid_data"),
        ({"metadata": [1]}, 400, "invalid_data"),
    ],
)
def test_what_cannot_be_booked_is_refused_in_words(
    client: FlaskClient, shop: Shop, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = book(client, shop, **fields)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert committed(counters, resource_id=shop[1]) == []


def test_who_does_not_do_a_service_is_not_booked_for_it(client: FlaskClient) -> None:
    service_id, other = committed(make_service), committed(make_service)
    staff_id = committed(make_staff, service_ids=[other])

    answer = book(client, Shop(service_id, staff_id))

    assert (answer.status_code, answer.json["code"]) == (400, "service_not_offered")


def test_the_notice_and_the_window_of_a_service_are_kept(client: FlaskClient) -> None:
    late = committed(make_shop, notice_minutes=60 * 24 * 60)
    far = committed(make_shop, advance_days=7)

    assert book(client, late).json["code"] == "too_late"
    assert book(client, far).json["code"] == "too_far_ahead"


def test_the_same_request_under_one_key_makes_one_booking(client: FlaskClient, shop: Shop) -> None:
    headers = {"Idempotency-Key": "walk-in-1", **customer("cus_key")}

    first, second = (book(client, shop, headers=headers) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json == first.json


def test_a_closed_day_is_outside_business_hours(client: FlaskClient, shop: Shop, admin: Headers) -> None:
    day = future_day().isoformat()
    client.post(
        "/admin/resource-booking/blackouts",
        json={"resource_id": shop[1], "start_date": day, "end_date": day},
        headers=admin,
    )

    answer = book(client, shop)

    assert answer.json["code"] == "outside_business_hours"
    assert len(answer.json["details"]["alternatives"]) == 5


# -- the hold ----------------------------------------------------------------------------------------------------------


def test_a_lapsed_booking_reads_cancelled_the_same_second_and_its_time_is_free(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop, headers=customer())
    with db.transaction() as conn:
        lapse(conn, appointments.get_appointment(conn, answer.json["booking"]["id"]).hold_id)

    seen = client.get(f"{PATH}/{answer.json['booking']['id']}", headers=customer()).json["booking"]
    again = book(client, shop)

    assert (seen["status"], seen["cancellation_reason"], seen["hold_expires_at"]) == ("cancelled", "expired", None)
    assert seen["cancelled_at"] is not None
    assert again.status_code == 201


def test_a_lapsed_booking_is_not_confirmed(client: FlaskClient, shop: Shop) -> None:
    booking_id = book(client, shop).json["booking"]["id"]
    with db.transaction() as conn:
        lapse(conn, appointments.get_appointment(conn, booking_id).hold_id)

    answer = client.post(f"{PATH}/{booking_id}/confirm", json={"payment_mode": "pay_in_store"})

    assert (answer.status_code, answer.json["code"]) == (409, "hold_expired")


# -- paying in the shop ------------------------------------------------------------------------------------------------


def test_paid_in_the_shop_it_is_confirmed_at_once_and_twice_is_as_good_as_once(client: FlaskClient, shop: Shop) -> None:
    booking_id = book(client, shop).json["booking"]["id"]

    first, second = (
        client.post(f"{PATH}/{booking_id}/confirm", json={"payment_mode": "pay_in_store"}) for _ in range(2)
    )

    assert first.status_code == 200, first.json
    assert first.json["booking"]["status"] == "confirmed"
    assert first.json["booking"]["confirmed_at"] is not None
    assert first.json["booking"]["payment_mode"] == "pay_in_store"
    assert first.json["booking"]["hold_expires_at"] is None
    assert "cart" not in first.json
    assert second.json == first.json
    assert committed(counters, resource_id=shop[1]) == [(0, 2), (0, 2)]


def test_a_mode_the_service_does_not_allow_is_refused(client: FlaskClient) -> None:
    shop = committed(make_shop, payment_modes_allowed=["full"])
    booking_id = book(client, shop).json["booking"]["id"]

    answer = client.post(f"{PATH}/{booking_id}/confirm", json={"payment_mode": "pay_in_store"})

    assert (answer.status_code, answer.json["code"]) == (400, "payment_mode_not_allowed")
    assert client.post(f"{PATH}/{booking_id}/confirm", json={"payment_mode": "barter"}).status_code == 400


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_customers_see_their_own_bookings_alone(client: FlaskClient) -> None:
    shop = committed(make_shop)
    mine = [
        book(client, shop, clock, headers=customer("cus_own")).json["booking"]["id"] for clock in ("11:00", "09:00")
    ]
    book(client, shop, "13:00", headers=customer("cus_other"))

    answer = client.get(PATH, headers=customer("cus_own"))

    assert answer.status_code == 200
    assert [booking["id"] for booking in answer.json["bookings"]] == mine[::-1]
    assert answer.json["count"] == 2
    assert client.get(f"{PATH}?limit=1&offset=1", headers=customer("cus_own")).json["bookings"][0]["id"] == mine[0]


def test_nobody_lists_bookings_without_being_a_customer(client: FlaskClient, admin: Headers) -> None:
    assert client.get(PATH).status_code == 401
    assert client.get(PATH, headers=admin).status_code == 401
    assert client.get(PATH, headers={"Authorization": "Bearer a.b.c"}).status_code == 401


@pytest.mark.parametrize("call", ["get", "cancel", "reschedule", "confirm"])
def test_a_customers_booking_is_for_nobody_else(client: FlaskClient, shop: Shop, call: str) -> None:
    booking_id = book(client, shop, headers=customer("cus_ada")).json["booking"]["id"]
    other = token_of(book(client, shop, "13:00").json)

    def attempt(headers: Headers | None = None, query: str = "") -> tuple[int, str]:
        body = {"cancel": {}, "reschedule": {"start_at": at("15:00").isoformat()}, "confirm": {}}
        if call == "get":
            answer = client.get(f"{PATH}/{booking_id}{query}", headers=headers)
        else:
            answer = client.post(f"{PATH}/{booking_id}/{call}{query}", json=body[call], headers=headers)
        return answer.status_code, answer.json.get("code")

    assert attempt() == (403, "not_your_booking")
    assert attempt(customer("cus_eve")) == (403, "not_your_booking")
    assert attempt(query=f"?token={other}") == (403, "not_your_booking")
    assert attempt(query="?token=made-up") == (403, "link_invalid")
    assert attempt(customer("cus_ada"))[0] == 200


def test_there_is_no_booking_of_an_unknown_id(client: FlaskClient) -> None:
    for call in ("confirm", "cancel"):
        assert client.post(f"{PATH}/book_none/{call}", json={}).status_code == 404
    assert client.get(f"{PATH}/book_none").status_code == 404
    assert client.put(f"{PATH}/book_none", json={}).status_code == 405


# -- cancelling and moving ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_cancelled_booking_gives_its_time_back_once(client: FlaskClient, shop: Shop, confirmed: bool) -> None:
    answer = book(client, shop).json
    path = f"{PATH}/{answer['booking']['id']}"
    if confirmed:
        client.post(f"{path}/confirm", json={"payment_mode": "pay_in_store"})

    first, second = (client.post(f"{path}/cancel?token={token_of(answer)}", json={"reason": "ill"}) for _ in range(2))

    assert first.status_code == 200, first.json
    assert (first.json["booking"]["status"], first.json["booking"]["cancellation_reason"]) == ("cancelled", "ill")
    assert (second.status_code, second.json["code"]) == (409, "invalid_transition")
    assert committed(counters, resource_id=shop[1]) == [(0, 0), (0, 0)]
    assert book(client, shop).status_code == 201


def test_a_booking_is_cancelled_without_a_word(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json

    cancelled = client.post(f"{PATH}/{answer['booking']['id']}/cancel?token={token_of(answer)}")

    assert (cancelled.status_code, cancelled.json["booking"]["status"]) == (200, "cancelled"), cancelled.json


def test_a_cancellation_with_a_field_nobody_knows_cancels_nothing(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json
    path = f"{PATH}/{answer['booking']['id']}"

    refused = client.post(f"{path}/cancel?token={token_of(answer)}", json={"reasn": "ill"})

    assert (refused.status_code, list(refused.json["details"]["fields"])) == (400, ["reasn"]), refused.json
    assert client.get(f"{path}?token={token_of(answer)}").json["booking"]["status"] == "held"


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded"])
def test_nothing_sent_at_all_is_told_what_is_missing(client: FlaskClient, content_type: str | None) -> None:
    answer = client.post(PATH, content_type=content_type)

    assert (answer.status_code, set(answer.json["details"]["fields"])) == (400, {"service_id", "start_at"})


def test_a_booking_is_moved_in_place(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json
    path = f"{PATH}/{answer['booking']['id']}"
    client.post(f"{path}/confirm", json={"payment_mode": "pay_in_store"})

    moved = client.post(f"{path}/reschedule?token={token_of(answer)}", json={"start_at": at("10:15").isoformat()})

    assert moved.status_code == 200, moved.json
    assert moved.json["booking"]["start_at"] == at("10:15").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert moved.json["booking"]["status"] == "confirmed"
    assert committed(counters, resource_id=shop[1]) == [(0, 0), (0, 2), (0, 2)]


def test_a_move_that_fails_loses_nothing(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json
    book(client, shop, "12:00")
    path = f"{PATH}/{answer['booking']['id']}/reschedule?token={token_of(answer)}"

    taken = client.post(path, json={"start_at": at("12:15").isoformat()})
    closed = client.post(path, json={"start_at": at("20:00").isoformat()})

    assert (taken.status_code, taken.json["code"]) == (409, "slot_unavailable")
    assert (closed.status_code, closed.json["code"]) == (409, "outside_business_hours")
    with db.transaction() as conn:
        assert appointments.get_appointment(conn, answer["booking"]["id"]).start_at == at("10:00")
    assert book(client, shop).status_code == 409


def test_a_held_booking_that_is_moved_stays_held_as_long_as_it_was(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json

    moved = client.post(
        f"{PATH}/{answer['booking']['id']}/reschedule?token={token_of(answer)}",
        json={"start_at": at("15:00").isoformat()},
    )

    assert moved.json["booking"]["status"] == "held"
    assert moved.json["booking"]["hold_expires_at"] == answer["booking"]["hold_expires_at"]


def test_what_has_been_cancelled_is_not_moved(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json
    path = f"{PATH}/{answer['booking']['id']}"
    client.post(f"{path}/cancel?token={token_of(answer)}", json={})

    moved = client.post(f"{path}/reschedule?token={token_of(answer)}", json={"start_at": at("15:00").isoformat()})

    assert (moved.status_code, moved.json["code"]) == (409, "invalid_transition")


# -- a guest's page ----------------------------------------------------------------------------------------------------


def test_a_guest_sees_moves_and_cancels_on_their_page(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop, customer_name="<b>Ada</b>").json
    page = f"/manage/{token_of(answer)}"

    shown = client.get(page)
    moved = client.post(f"{page}/reschedule", data={"start_at": at("11:00").isoformat()})
    calendar = client.get(f"{page}/calendar")
    cancelled = client.post(f"{page}/cancel", data={"reason": ""})

    assert shown.status_code == 200
    assert "Haircut" in shown.text
    assert "Australia/Brisbane" in shown.text
    # A slip of the thumb cancels nothing: the button has to be opened first.
    assert re.search(r"<details>\s*<summary>Cancel</summary>", shown.text)
    assert moved.status_code == cancelled.status_code == 303
    assert calendar.content_type.startswith("text/calendar")
    assert f"UID:{answer['booking']['id']}@bridge" in calendar.text
    assert "cancelled" in client.get(page).text


def test_a_guests_page_is_json_for_a_program(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json
    page, wants = f"/manage/{token_of(answer)}", {"Accept": "application/json"}

    seen = client.get(page, headers=wants)
    refused = client.post(f"{page}/reschedule", json={"start_at": "soon"}, headers=wants)

    assert seen.json["booking"]["id"] == answer["booking"]["id"]
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_data")


def test_a_page_says_what_went_wrong(client: FlaskClient, shop: Shop) -> None:
    answer = book(client, shop).json

    refused = client.post(f"/manage/{token_of(answer)}/reschedule", data={"start_at": at("22:00").isoformat()})

    assert refused.status_code == 409
    assert "Nobody works at this time" in refused.text


def test_an_appointment_in_the_past_is_not_the_customers_to_cancel(client: FlaskClient, app: object) -> None:
    made = committed(make_appointment, confirmed=True)
    with db.transaction() as conn:
        conn.execute(
            "UPDATE appointment SET start_at = now() - INTERVAL '1 hour', end_at = now() WHERE id = %s", [made.id]
        )
        with pytest.raises(errors.InvalidTransition, match="begun"):
            appointments.cancel_appointment(conn, made.id, actor="guest", by_customer=True)


# -- the short way -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_booking_shown_by_hand_is_what_the_schema_shows(app: object, confirmed: bool) -> None:
    booking = committed(make_appointment, confirmed=confirmed, metadata={"a": 1})

    assert show(booking) == AppointmentSchema().dump(booking)


def test_a_booking_by_remembered_hours_finds_out_that_they_have_changed(
    client: FlaskClient, shop: Shop, admin: Headers
) -> None:
    """What was read for the first booking is out of date for each of the others."""
    book(client, shop)
    rule = {
        "rule_type": "exception",
        "specific_date": future_day().isoformat(),
        "start_time": "18:00",
        "end_time": "20:00",
    }
    client.post(f"/admin/bookings/staff/{shop.staff_id}/availability", json=rule, headers=admin)

    outside, inside = book(client, shop, "11:00"), book(client, shop, "18:00")
    client.post(
        f"/admin/bookings/services/{shop.service_id}", json={"duration_minutes": 60, "price": 70}, headers=admin
    )
    longer = book(client, shop, "19:00")
    client.post(f"/admin/bookings/services/{shop.service_id}", json={"notice_minutes": 60 * 24 * 60}, headers=admin)
    late = book(client, shop, "18:30")
    client.delete(f"/admin/bookings/services/{shop.service_id}", headers=admin)
    gone = book(client, shop, "18:30")

    assert outside.json["code"] == "outside_business_hours"
    assert inside.status_code == longer.status_code == 201
    assert longer.json["booking"]["price_amount"] == 70
    assert longer.json["booking"]["end_at"] == at("20:00").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert (late.json["code"], gone.json["code"]) == ("too_late", "service_not_found")


@pytest.mark.parametrize("change", [{"time_zone": "America/New_York"}, {"is_active": False}])
def test_what_is_changed_of_the_resource_counts_too(
    client: FlaskClient, shop: Shop, admin: Headers, change: dict[str, Any]
) -> None:
    book(client, shop)
    client.put(f"/admin/resource-booking/resources/{shop.staff_id}", json=change, headers=admin)

    assert book(client, shop, "11:00").json["code"] in {"outside_business_hours", "staff_not_found"}
