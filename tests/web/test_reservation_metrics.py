"""What /metrics counts of reservations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from bridge import db
from bridge.config import Config
from bridge.core import reservation_refusals
from bridge.web import create_app
from tests.databases import own_database
from tests.factories import make_resource
from tests.reservation_fates import make_fates, make_withdrawn

REASONS = ("blackout", "not_open", "outside_business_hours", "slot_cancelled", "slot_unavailable", "sold_out")
OUTCOMES = ("abandoned", "lapsed", "open", "paid", "withdrawn")


@pytest.fixture
def caller(config: Config) -> Iterator[FlaskClient]:
    """A caller of a bridge without other tests' reservations."""
    with own_database(config.database_url) as url:
        yield create_app(replace(config, database_url=url)).test_client()


def samples(caller: FlaskClient, name: str) -> dict[str, float]:
    """What a metric says now, by its label."""
    families = text_string_to_metric_families(caller.get("/metrics").text)
    return {
        "".join(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def test_before_there_is_any_everything_is_there_and_none(caller: FlaskClient) -> None:
    assert samples(caller, "bridge_reservations_last_day") == dict.fromkeys(OUTCOMES, 0)
    assert samples(caller, "bridge_reservations_open") == {"": 0}
    assert samples(caller, "bridge_reservation_refusals_total") == dict.fromkeys(REASONS, 0)
    assert samples(caller, "bridge_reservation_payment_seconds") == {"": 0}


def test_each_counts_by_what_became_of_it_for_a_day(caller: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, days = make_resource(conn, capacity=50)
        numbers = make_fates(conn, resource_id, days)
        make_withdrawn(conn, resource_id, days[2])
        conn.execute(
            "UPDATE reservation SET created_at = now() - INTERVAL '25 hours' WHERE booking_number = %s",
            [numbers["lapsed"]],
        )
        conn.execute("UPDATE allocation SET created_at = created_at + INTERVAL '60 seconds'")

    assert samples(caller, "bridge_reservations_last_day") == {
        "abandoned": 2, "lapsed": 0, "open": 1, "paid": 4, "withdrawn": 1
    }  # fmt: skip
    assert samples(caller, "bridge_reservations_open") == {"": 1}
    assert samples(caller, "bridge_reservation_payment_seconds")[""] == pytest.approx(60, abs=20)


def test_refusals_count_by_their_reason_for_good(caller: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, _days = make_resource(conn)
        for reason in ("sold_out", "sold_out", "slot_cancelled"):
            reservation_refusals.count(conn, [{"resource_id": resource_id, "reason": reason}], time_zone="UTC")
        conn.execute("UPDATE refusal SET on_date = on_date - 400")

    counted = samples(caller, "bridge_reservation_refusals_total")

    assert counted == dict.fromkeys(REASONS, 0) | {"slot_cancelled": 1, "sold_out": 2}
