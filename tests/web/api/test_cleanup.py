"""/api/cleanup-expired: the beacon of a closing page, and the sweep of everything."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest
from flask.testing import FlaskClient

from bridge import db
from bridge.core import keys
from tests.factories import counters, lapse, make_hold, make_reservation, make_resource

PATH = "/api/cleanup-expired"
Headers = dict[str, str]

pytestmark = pytest.mark.usefixtures("database_url")


def reserved(quantity: int = 2) -> tuple[str, str, list[str]]:
    """A number, its resource, and its holds."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=2)
        made = make_reservation(conn, resource_id, dates, quantity)
        return made.booking_number, resource_id, [item.id for item in made.items]


def taken(resource_id: str) -> list[tuple[int, int]]:
    with db.transaction() as conn:
        return counters(conn, resource_id)


# -- the beacon --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json", None])
def test_a_beacon_releases_whatever_it_is_called(client: FlaskClient, content_type: str | None) -> None:
    number, resource_id, _holds = reserved()

    answer = client.post(PATH, data=orjson.dumps({"bookingNumber": number}), content_type=content_type)

    assert (answer.status_code, answer.json) == (200, {"released": 1})
    assert taken(resource_id) == [(0, 0)] * 2


def test_a_beacon_sent_again_releases_nothing_more(client: FlaskClient) -> None:
    number, resource_id, _holds = reserved()

    answers = [client.post(PATH, json={"bookingNumber": number}) for _ in range(3)]

    assert [answer.json["released"] for answer in answers] == [1, 0, 0]
    assert taken(resource_id) == [(0, 0)] * 2


def test_an_unknown_number_is_nothing_to_release(client: FlaskClient) -> None:
    answer = client.post(PATH, json={"bookingNumber": "BK-1234567890-abc123"})

    assert (answer.status_code, answer.json) == (200, {"released": 0})


def test_what_has_lapsed_is_nothing_to_release(client: FlaskClient) -> None:
    number, _resource_id, held = reserved()
    with db.transaction() as conn:
        lapse(conn, *held)

    answer = client.post(PATH, json={"bookingNumber": number})

    assert (answer.status_code, answer.json) == (200, {"released": 0})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"BK-1", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"bookingNumber": null}', 400),
        (b'{"bookingNumber": 7}', 400),
        (b'{"bookingNumber": "a\\u0000b"}', 400),
        (b'{"bookingNumber": "BK-1", "page": "/basket"}', 200),
        (b'{"bookingNumber": "BK-' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_a_beacon_of_another_shape_is_refused_with_a_word(client: FlaskClient, body: bytes, status: int) -> None:
    answer = client.post(PATH, data=body, content_type="text/plain")

    assert answer.status_code == status
    assert answer.json


def test_a_form_is_no_beacon(client: FlaskClient) -> None:
    answer = client.post(PATH, data={"bookingNumber": "BK-1"})

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


# -- the sweep ---------------------------------------------------------------------------------------------------------


def test_a_sweep_needs_a_key(client: FlaskClient) -> None:
    with db.transaction() as conn:
        _key, secret = keys.create_key(conn, name=uuid4().hex, scopes=("ops",))

    assert client.get(PATH).status_code == 401
    assert client.get(PATH, headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert client.get(PATH, headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_a_sweep_tidies_up_all_that_is_due_and_says_how_much(client: FlaskClient, admin: Headers) -> None:
    client.get(PATH, headers=admin)  # What other tests left.
    number, resource_id, held = reserved(quantity=2)
    live, live_resource, _holds = reserved()
    with db.transaction() as conn:
        other, dates = make_resource(conn, days=3)
        lapse(conn, *held, make_hold(conn, other, dates, 1))

    first = client.get(PATH, headers=admin)
    again = client.get(PATH, headers=admin)

    # Two places on two days, and one on three.
    assert (first.status_code, first.json) == (200, {"cleaned": 2, "restored": 7})
    assert again.json == {"cleaned": 0, "restored": 0}
    assert taken(resource_id) == [(0, 0)] * 2
    assert taken(live_resource) == [(2, 0)] * 2
    assert client.get(f"/api/reservations/{number}").json["status"] == "expired"
    assert client.get(f"/api/reservations/{live}").json["status"] == "open"
