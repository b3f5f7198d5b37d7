"""One letter for a reservation that was paid, and the page it leads to."""

from __future__ import annotations

import re
from uuid import uuid4

import orjson
import pytest

from bridge import db, links
from bridge.core import orders
from bridge.rules.orders import LineFacts, OrderFacts
from bridge.web import create_app
from tasks.outgoing import do_work
from tests.factories import lapse_reservation, make_reservation, make_resource
from tests.tasks.conftest import look

pytestmark = pytest.mark.usefixtures("settings")


def reserved(**fields):
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=1, days=2, name="A <van>")
        number = make_reservation(conn, resource_id, days, **fields).booking_number
        other, _days = make_resource(conn, capacity=1, days=2, name="A tour")
        made = make_reservation(conn, other, days, booking_number=number, **fields)
    return number, [item.id for item in made.items], (other, days)


def pay(number, hold_ids, **facts):
    lines = tuple(LineFacts(id=hold_id, quantity=1, hold_ids=(hold_id,)) for hold_id in hold_ids)
    found = OrderFacts(source="medusa", id=f"order_{uuid4().hex}", booking_number=number, lines=lines, **facts)
    with db.transaction() as conn:
        orders.reconcile(conn, found, actor="tests")
    return found


def news(number):
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT id FROM event WHERE starts_with(dedupe_key, %s) ORDER BY received_at",
            [f"reservation.notify:{number}:"],
        ).fetchall()
    return [row["id"] for row in rows]


def letter(event_id):
    with db.transaction() as conn:
        rows = conn.execute("SELECT raw FROM event WHERE dedupe_key = %s", [f"mail:{event_id}"]).fetchall()
    return [orjson.loads(row["raw"]) for row in rows]


def test_a_paid_reservation_is_one_letter_however_many_items_and_orders():
    number, hold_ids, _other = reserved(customer_email="ada@example.test")
    facts = pay(number, hold_ids)
    with db.transaction() as conn:
        orders.reconcile(conn, facts, actor="tests")

    [event_id] = news(number)
    do_work(event_id)

    assert look(event_id)["status"] == "applied"
    [sent] = letter(event_id)
    assert sent["to"] == "ada@example.test"
    assert number in sent["subject"]
    assert "A <van>, " in sent["text"]
    assert "A &lt;van&gt;, " in sent["html"]
    assert "/manage/" in sent["text"]


def test_the_address_of_the_order_will_do_and_what_is_missing_is_said():
    number, hold_ids, other = reserved()
    with db.transaction() as conn:
        lapse_reservation(conn, number)
        make_reservation(conn, *other)
    pay(number, hold_ids, email="bob@example.test")

    [event_id] = news(number)
    do_work(event_id)

    [sent] = letter(event_id)
    assert sent["to"] == "bob@example.test"
    assert "could not keep" in sent["text"]


def test_nobody_is_written_to_of_what_was_cancelled_meanwhile():
    number, hold_ids, _other = reserved(customer_email="ada@example.test")
    facts = pay(number, hold_ids)
    with db.transaction() as conn:
        cancelled = OrderFacts(source="medusa", id=facts.id, is_cancelled=True)
        orders.reconcile(conn, cancelled, actor="tests")

    [event_id] = news(number)
    do_work(event_id)

    assert look(event_id)["status"] == "ignored"


def test_a_reservation_that_is_not_paid_is_no_news():
    number, _hold_ids, _other = reserved()

    assert news(number) == []


def test_the_link_shows_the_reservation_to_people_and_to_programs(settings):
    config = settings()
    number, _hold_ids, _other = reserved()
    client = create_app(config).test_client()
    path = f"/manage/{links.sign(config, 'reservation', number)}"

    page = client.get(path, headers={"Accept": "text/html"})
    shown = client.get(path, headers={"Accept": "application/json"})

    assert page.status_code == 200
    assert "A &lt;van&gt;" in page.text
    assert number in page.text
    # Dates as the letter says them.
    assert re.search(r"<dd>\w+day \d+ \w+ \d{4}( to |</dd>)", page.text), page.text
    assert shown.json["bookingNumber"] == number
    assert client.get(f"{path}x", headers={"Accept": "application/json"}).status_code == 403
    assert client.post(f"{path}/cancel").status_code == 404
