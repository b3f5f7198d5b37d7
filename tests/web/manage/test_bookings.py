"""A guest's page of a booking: the link is the key to it, and to nothing else."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar

from bridge import db, links
from bridge.config import Config
from bridge.core import bookings
from tests.factories import future_day
from tests.waiting import make_booking, make_slot, make_tour, slot_id_of

HTML = {"Accept": "text/html"}


@pytest.fixture
def booked(config: Config) -> dict[str, Any]:
    """A paid booking for two, another departure of the same day, and the link."""
    with db.transaction() as conn:
        tour_id = make_tour(conn, name="Harbour <b>tour</b>")
        slot_no, other = make_slot(conn, tour_id, capacity=5), make_slot(conn, tour_id, capacity=3, at=time(14))
        booking_id = make_booking(conn, tour_id, slot_no, 2, order_id=f"order_{uuid4().hex}")
        return {
            "id": booking_id,
            "token": links.sign(config, "booking", booking_id),
            "other": slot_id_of(conn, other),
            "other_no": other,
        }


def stands(booking_id: str) -> bookings.Booking:
    with db.transaction() as conn:
        return bookings.get_booking(conn, booking_id)


def test_the_page_shows_the_booking_and_lets_nothing_through(client: FlaskClient, booked: dict[str, Any]) -> None:
    page = client.get(f"/manage/{booked['token']}", headers=HTML)

    assert page.status_code == 200
    assert "Harbour &lt;b&gt;tour&lt;/b&gt;" in page.text
    assert "2 adults" in page.text
    assert "<script" not in page.text and "style=" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_a_program_gets_json(client: FlaskClient, booked: dict[str, Any]) -> None:
    answer = client.get(f"/manage/{booked['token']}", headers={"Accept": "application/json"})

    assert (answer.json["id"], answer.json["status"]) == (booked["id"], "confirmed")


def test_what_a_change_costs_is_shown_first_and_done_after(client: FlaskClient, booked: dict[str, Any]) -> None:
    path = f"/manage/{booked['token']}"
    wanted = {"slot_id": booked["other"], "adults": "3", "children": "0", "infants": "0"}

    shown = client.get(path, query_string={"date": f"{future_day()}", **wanted}, headers=HTML)
    untouched = stands(booked["id"])
    done = client.post(f"{path}/change", data=wanted, headers={"Sec-Fetch-Site": "same-origin"})

    assert "This would be your booking" in shown.text and "3 adults" in shown.text
    assert "More to pay" in shown.text
    assert untouched.num_adults == 2
    assert (done.status_code, done.headers["Location"]) == (303, path)
    changed = stands(booked["id"])
    assert (changed.num_adults, changed.slot_no) == (3, booked["other_no"])


def test_a_change_that_cannot_be_had_says_why_and_changes_nothing(client: FlaskClient, booked: dict[str, Any]) -> None:
    path = f"/manage/{booked['token']}"

    refused = client.post(f"{path}/change", data={"slot_id": booked["other"], "adults": "4"}, headers=HTML)
    nonsense = client.post(f"{path}/change", data={"adults": "many"}, headers=HTML)

    assert refused.status_code == 409
    assert "Only 3 seats are left" in refused.text
    assert f'href="{path}"' in refused.text
    assert (nonsense.status_code, "adults" in nonsense.text) == (400, True)
    assert stands(booked["id"]).num_adults == 2


def test_cancelling_shows_what_is_paid_back_and_is_done_once(client: FlaskClient, booked: dict[str, Any]) -> None:
    path = f"/manage/{booked['token']}"

    page = client.get(path, headers=HTML)
    done = client.post(f"{path}/cancel", data={"reason": "Ill"})
    again = client.post(f"{path}/cancel", data={"reason": "Ill"}, headers=HTML)
    after = client.get(path, headers=HTML)

    assert re.search(r"<dt>To be paid back</dt>\s*<dd class=\"total\">165\.00 AUD", page.text), page.text
    assert done.status_code == 303
    assert again.status_code == 409
    cancelled = stands(booked["id"])
    assert (cancelled.status, cancelled.cancellation_reason, cancelled.cancelled_by) == ("cancelled", "Ill", "customer")
    assert "Cancel my booking" not in after.text and "Ill" in after.text
    # Nobody has paid anything back yet: the platform is only asked to.
    assert "To be paid back" in after.text


def test_the_log_says_that_it_was_the_guest(client: FlaskClient, booked: dict[str, Any]) -> None:
    client.post(f"/manage/{booked['token']}/cancel", data={}, headers={"User-Agent": "Mozilla/5.0 (test)"})

    with db.transaction() as conn:
        change = conn.execute(
            "SELECT modified_by, user_agent, ip_address FROM booking_change WHERE booking_id = %s"
            " AND modification_type = 'cancellation'",
            [booked["id"]],
        ).fetchone()
    assert change == {"modified_by": "guest", "user_agent": "Mozilla/5.0 (test)", "ip_address": "127.0.0.1"}


def test_the_calendar_file_is_the_bookings(client: FlaskClient, booked: dict[str, Any]) -> None:
    answer = client.get(f"/manage/{booked['token']}/calendar")

    assert answer.content_type.startswith("text/calendar")
    (event,) = Calendar.from_ical(answer.data).walk("VEVENT")
    assert event["UID"] == f"{booked['id']}@bridge"
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(hours=3)


def test_a_form_of_another_site_is_refused(client: FlaskClient, booked: dict[str, Any]) -> None:
    refused = client.post(f"/manage/{booked['token']}/cancel", headers={**HTML, "Sec-Fetch-Site": "cross-site"})

    assert refused.status_code == 403
    assert stands(booked["id"]).status == "confirmed"


@pytest.mark.parametrize("token", ["forged", "WyJib29raW5nIiwieCJd.aaaa.bbbb"])
def test_a_forged_link_is_a_clear_page(client: FlaskClient, token: str) -> None:
    page = client.get(f"/manage/{token}", headers=HTML)

    assert page.status_code == 403
    assert "This link is not valid" in page.text


def test_a_link_to_what_is_gone_or_an_action_that_is_none_is_not_found(client: FlaskClient, config: Config) -> None:
    gone = links.sign(config, "booking", "book_none")

    assert client.get(f"/manage/{gone}", headers=HTML).status_code == 404
    assert client.post(f"/manage/{gone}/explode", headers=HTML).status_code == 404
    assert client.get(f"/manage/{gone}/cancel", headers=HTML).status_code == 404
