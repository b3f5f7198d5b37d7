"""Three ways of being free again, each alone, the other two off: for days, seats and somebody's time.

Nothing runs beside these tests: a sweeper is off where none is asked, expiry where nothing has lapsed.
"""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import audits, holds
from tests.factories import lapse_reservation
from tests.grains import GRAINS, Thing

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture(params=list(GRAINS))
def thing(request: pytest.FixtureRequest) -> Thing:
    """What can be had once, of each grain."""
    return GRAINS[request.param]()


def reserve(client: FlaskClient, thing: Thing) -> Any:
    return client.post("/api/reserve-availability", json={"items": [thing.item]})


def reserved(client: FlaskClient, thing: Thing) -> str:
    """Its number, once somebody has it and nobody else can."""
    made = reserve(client, thing)
    assert made.status_code == 201, made.json
    assert reserve(client, thing).status_code == 409
    assert not thing.is_free(client)
    return str(made.json["bookingNumber"])


def run_out(number: str) -> None:
    with db.transaction() as conn:
        lapse_reservation(conn, number)


def status(client: FlaskClient, number: str) -> str:
    return str(client.get(f"/api/reservations/{number}").json["status"])


def findings(thing: Thing) -> list[Any]:
    with db.transaction() as conn:
        return [found for found in audits.audit(conn) if found.get("resource_id") == thing.resource_id]


def no_rows_left(thing: Thing) -> bool:
    """Whether nothing stands in the rows for whoever had it."""
    return thing.taken() == {(0, 0)}


def test_the_beacon_alone(client: FlaskClient, thing: Thing) -> None:
    number = reserved(client, thing)

    beacon = client.post("/api/cleanup-expired", data=f'{{"bookingNumber": "{number}"}}', content_type="text/plain")

    assert beacon.json == {"released": 1}
    assert no_rows_left(thing)
    assert status(client, number) == "released"
    assert thing.is_free(client)
    assert findings(thing) == []
    assert reserve(client, thing).status_code == 201


@pytest.mark.parametrize("by", ["beat", "key"])
def test_the_sweeper_alone(client: FlaskClient, admin: dict[str, str], thing: Thing, by: str) -> None:
    """It is the rows that it tidies: those are looked at, and nobody reads or takes before."""
    client.get("/api/cleanup-expired", headers=admin)  # What other tests left.
    number = reserved(client, thing)
    run_out(number)
    assert not no_rows_left(thing)

    if by == "key":
        assert client.get("/api/cleanup-expired", headers=admin).json == {"cleaned": 1, "restored": 1}
    else:
        with db.transaction() as conn:
            holds.expire_holds(conn, limit=1000)

    assert no_rows_left(thing)
    with db.transaction() as conn:
        rows = conn.execute("SELECT status::text FROM hold WHERE booking_number = %s", [number]).fetchall()
    assert rows == [{"status": "EXPIRED"}]
    assert status(client, number) == "expired"
    assert findings(thing) == []


def test_expiry_alone_for_who_looks(client: FlaskClient, thing: Thing) -> None:
    number = reserved(client, thing)

    run_out(number)

    assert thing.is_free(client)
    assert status(client, number) == "expired"
    assert not no_rows_left(thing)  # Nobody tidied up: looking was enough, and changed nothing.


def test_expiry_alone_for_who_takes(client: FlaskClient, thing: Thing) -> None:
    number = reserved(client, thing)
    run_out(number)
    before = thing.taken()

    taken = reserve(client, thing)

    assert taken.status_code == 201, taken.json
    assert thing.taken() == before  # One place, held by another now.
    assert not thing.is_free(client)
    assert status(client, number) == "expired"
    assert reserve(client, thing).status_code == 409
    assert findings(thing) == []


def test_what_lapsed_cannot_be_paid_for_or_added_to(client: FlaskClient, thing: Thing) -> None:
    number = reserved(client, thing)
    run_out(number)

    added = client.post("/api/reserve-availability", json={"bookingNumber": number, "items": [thing.item]})
    begun = client.post("/api/create-checkout-session", json={"bookingNumber": number})

    assert (added.status_code, added.json["code"]) == (409, "reservation_closed")
    assert (begun.status_code, begun.json["code"]) == (409, "reservation_closed")
