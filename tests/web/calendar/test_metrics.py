"""What /metrics counts of tours, by the names that clients know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from bridge import db, links
from bridge.config import Config
from bridge.core import bookings, holds, waitlist
from bridge.web import create_app
from tests.databases import own_database
from tests.waiting import make_booking, make_slot, make_tour, slot_id_of, take, wait


@pytest.fixture(scope="module")
def caller(config: Config) -> Iterator[FlaskClient]:
    """A caller of a bridge without other tests' bookings."""
    with own_database(config.database_url) as url:
        yield create_app(replace(config, database_url=url)).test_client()


def count(caller: FlaskClient, name: str, **labels: str) -> float:
    """What a metric says now."""
    families = text_string_to_metric_families(caller.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def book(caller: FlaskClient, tour_id: str, slot_no: int, adults: int) -> Any:
    with db.transaction() as conn:
        slot_id = slot_id_of(conn, slot_no)
    body = {"tour_id": tour_id, "booking_slot_id": slot_id, "num_adults": adults}
    return caller.post(
        "/api/calendar/bookings", json={**body, "customer_name": "Ada", "customer_email": "ada@example.test"}
    )


def test_bookings_refusals_and_cancellations_are_counted(caller: FlaskClient) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=3)
    names = ("bookings_created_total", "capacity_errors_total", "booking_conflicts_total")
    before = {name: count(caller, name) for name in names}

    made = book(caller, tour_id, slot_no, 2)
    too_many = book(caller, tour_id, slot_no, 2)
    last = book(caller, tour_id, slot_no, 1)
    sold_out = book(caller, tour_id, slot_no, 1)

    assert [answer.status_code for answer in (made, too_many, last, sold_out)] == [201, 409, 201, 409]
    assert {name: count(caller, name) - before[name] for name in names} == dict(zip(names, (2, 2, 1), strict=True))
    assert count(caller, "slot_utilization_percentage") > 0
    token = made.json["manage_url"].rpartition("/")[2]
    caller.delete(f"/api/calendar/bookings/{made.json['id']}?token={token}")
    assert count(caller, "bookings_cancelled_total", by="customer") == 1
    assert count(caller, "bookings_cancelled_total", by="clock") == 0


def test_offers_that_became_bookings_are_counted(caller: FlaskClient) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        held = take(conn, tour_id, make_slot(conn, tour_id, capacity=1))
        entry, _next = wait(conn, tour_id), wait(conn, tour_id)
        holds.release_hold(conn, held, actor="tests")
    token = links.sign(caller.application.config["BRIDGE"], "waitlist", entry.id)

    accepted = caller.post(f"/api/calendar/waitlist/{entry.id}/accept?token={token}", json={})

    assert accepted.status_code == 200
    assert count(caller, "waitlist_conversions_total") == 1
    assert count(caller, "bridge_waitlist_active") == 1
    with db.transaction() as conn:
        assert waitlist.get_entry(conn, entry.id).status == "converted"


def test_the_time_to_confirmation_is_averaged(caller: FlaskClient) -> None:
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        booking_id = make_booking(conn, tour_id, make_slot(conn, tour_id), order_id="order_metrics")
        conn.execute("UPDATE booking SET created_at = confirmed_at - INTERVAL '90 seconds' WHERE id = %s", [booking_id])
        assert bookings.get_booking(conn, booking_id).status == "confirmed"

    assert count(caller, "average_booking_time_seconds") == pytest.approx(90)
