"""The console's pages of reservations."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.db import Connection
from tests.factories import make_reservation, make_resource
from tests.reservation_fates import make_fates, pay
from tests.web.ops.rows import committed

PATH = "/ops/reservations"


def make(conn: Connection, **fields: Any) -> tuple[str, dict[str, str]]:
    resource_id, days = make_resource(conn, capacity=50, **fields)
    return resource_id, make_fates(conn, resource_id, days)


def test_they_are_listed_with_what_is_in_them(console: FlaskClient, database_url: str) -> None:
    resource_id, numbers = committed(make, name="A <b>lake</b>")

    text = console.get(PATH, query_string={"resource_id": resource_id}).text

    assert all(f'href="{PATH}/{number}"' in text for number in numbers.values())
    assert "A &lt;b&gt;lake&lt;/b&gt;, " in text
    assert "Nothing is in it." in text
    assert "ada@example.test" in text
    assert "min left" in text
    assert "1–8 of 8" in text


@pytest.mark.parametrize(("status", "found"), [("paid", "paid"), ("expired", "lapsed"), ("released", "released")])
def test_they_are_filtered_and_paged(console: FlaskClient, database_url: str, status: str, found: str) -> None:
    resource_id, numbers = committed(make)

    filtered = console.get(PATH, query_string={"resource_id": resource_id, "status": status}).text
    first = console.get(PATH, query_string={"resource_id": resource_id, "limit": 5}).text
    second = console.get(PATH, query_string={"resource_id": resource_id, "limit": 5, "offset": 5}).text

    assert numbers[found] in filtered
    assert numbers["open"] not in filtered
    assert f"<option selected>{status}</option>" in filtered
    assert sum(number in first for number in numbers.values()) == 5
    assert sum(number in second for number in numbers.values()) == 3
    assert "Older →" in first
    assert "← Newer" in second


def test_none_is_said(console: FlaskClient) -> None:
    assert "No reservation is like that." in console.get(f"{PATH}?q=nobody-at-all").text


@pytest.mark.parametrize(
    ("fate", "sentence"),
    [
        ("open", "All of it is held for 1"),
        ("emptied", "Nothing is held. Items may be added for 1"),
        ("paid", "It is paid for."),
        ("cancelled", "An order had it, and gave all of it up."),
        ("released", "It was given back before it was paid for."),
        ("lapsed", "Its time ran out before it was paid for."),
    ],
)
def test_one_says_what_it_is(console: FlaskClient, database_url: str, fate: str, sentence: str) -> None:
    _resource_id, numbers = committed(make)

    text = console.get(f"{PATH}/{numbers[fate]}").text

    assert sentence in text


def test_one_shows_its_items_its_payments_and_its_journal(console: FlaskClient, database_url: str) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, name="Lake tour")
        made = make_reservation(conn, resource_id, days[:1], 2, customer_email="ada@example.test")
        conn.execute(
            "INSERT INTO checkout (id, booking_number, platform, hold_ids, reference)"
            " VALUES (%s, %s, 'stripe', '{}', 'cs_<1>')",
            [made.booking_number, made.booking_number],
        )
        order_id = pay(conn, made).id
    path = f"{PATH}/{made.booking_number}"

    text = console.get(path).text
    timeline = console.get("/ops/orders", query_string={"order_id": order_id}).text

    assert f"{days[0]}, 2 of <code>{resource_id}</code>" in text
    assert "at the platform" in text
    assert "cs_&lt;1&gt;" in text
    assert f"+2 held of {days[0]}" in text
    assert f"/ops/orders?order_id={order_id}" in text
    assert f'href="{path}"' in timeline


def test_an_order_without_a_reservation_names_none(console: FlaskClient) -> None:
    assert "Reserved as" not in console.get("/ops/orders?order_id=order_unknown").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PATH}/BK-NONE", 404),
        (f"{PATH}?status=broken", 400),
        (f"{PATH}?start_date=yesterday", 400),
        (f"{PATH}?limit=0", 400),
    ],
)
def test_what_cannot_be_shown_is_a_page_that_says_so(console: FlaskClient, path: str, status: int) -> None:
    answer = console.get(path)

    assert (answer.status_code, answer.mimetype) == (status, "text/html")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/BK-NONE"])
def test_only_who_signed_in_sees_them(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == 303
    assert answer.location.startswith("/ops/sign-in")
