"""/admin/bookings/services: what staff sell by the quarter hour."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories import make_appointment, make_service, make_shop
from tests.web.ops.rows import committed

PATH = "/admin/bookings/services"
Headers = dict[str, str]


def test_a_service_is_made_with_what_it_says_and_defaults_for_the_rest(client: FlaskClient, admin: Headers) -> None:
    body = {
        "name": "Cut and beard",
        "duration_minutes": 45,
        "price": 52.505,
        "currency_code": "USD",
        "deposit_type": "percent",
        "deposit_value": 20,
        "payment_modes_allowed": ["deposit", "full"],
        "metadata": {"variant_id": "variant_1"},
    }

    answer = client.post(PATH, json=body, headers=admin)

    assert answer.status_code == 201, answer.json
    service = answer.json["service"]
    assert service["id"].startswith("bksvc_")
    assert (service["price"], service["deposit_amount"], service["currency_code"]) == (52.51, 10.5, "usd")
    assert (service["buffer_minutes"], service["buffer_before_minutes"], service["is_active"]) == (0, 0, True)
    assert client.get(f"{PATH}/{service['id']}", headers=admin).json["service"] == service


def test_the_least_that_is_needed_is_a_name_and_a_price(client: FlaskClient, admin: Headers) -> None:
    service = client.post(PATH, json={"name": "Haircut", "price": 2500}, headers=admin).json["service"]

    assert (service["duration_minutes"], service["payment_modes_allowed"]) == (30, ["pay_in_store"])
    assert (service["currency_code"], service["deposit_type"], service["deposit_value"]) == ("aud", "none", None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"price": -1}, "price"),
        ({"price": "40"}, "price"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": 721}, "duration_minutes"),
        ({"duration_minutes": 30.5}, "duration_minutes"),
        ({"buffer_minutes": -5}, "buffer_minutes"),
        ({"currency_code": "dollars"}, "currency_code"),
        ({"deposit_type": "some"}, "deposit_type"),
        ({"deposit_type": "fixed"}, "deposit_value"),
        ({"deposit_type": "percent", "deposit_value": 101}, "deposit_value"),
        ({"deposit_type": "percent", "deposit_value": 0}, "deposit_value"),
        ({"deposit_type": "fixed", "deposit_value": 41}, "deposit_value"),
        ({"payment_modes_allowed": []}, "payment_modes_allowed"),
        ({"payment_modes_allowed": ["barter"]}, "payment_modes_allowed"),
        ({"payment_modes_allowed": ["full", "full"]}, "payment_modes_allowed"),
        ({"late_refund_percent": 101}, "late_refund_percent"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_does_not_go_together_is_refused_by_field(
    client: FlaskClient, admin: Headers, body: dict[str, Any], field: str
) -> None:
    answer = client.post(PATH, json={"name": "Haircut", "price": 40, **body}, headers=admin)

    assert answer.status_code == 400, answer.json
    assert field in answer.json["details"]["fields"]


def test_deposits_and_modes_are_switched(client: FlaskClient, admin: Headers) -> None:
    path = f"{PATH}/{committed(make_service)}"

    on = client.post(
        path,
        json={"deposit_type": "fixed", "deposit_value": 10, "payment_modes_allowed": ["deposit"]},
        headers=admin,
    ).json["service"]
    off = client.post(path, json={"deposit_type": "none"}, headers=admin).json["service"]

    assert (on["deposit_amount"], on["payment_modes_allowed"]) == (10, ["deposit"])
    assert (off["deposit_amount"], off["deposit_value"]) == (None, None)


def test_a_price_below_the_deposit_is_refused(client: FlaskClient, admin: Headers) -> None:
    path = f"{PATH}/{committed(make_service, deposit_type='fixed', deposit_value=30)}"

    answer = client.post(path, json={"price": 20}, headers=admin)

    assert answer.status_code == 400
    assert client.get(path, headers=admin).json["service"]["price"] == 40


def test_what_is_booked_keeps_its_price_and_name(client: FlaskClient, admin: Headers) -> None:
    shop = committed(make_shop)
    booking = committed(make_appointment, service_id=shop.service_id, staff_id=shop.staff_id)

    client.post(f"{PATH}/{shop.service_id}", json={"price": 99, "name": "Luxury cut"}, headers=admin)
    deleted = client.delete(f"{PATH}/{shop.service_id}", headers=admin)

    kept = client.get(f"/admin/bookings/{booking.id}", headers=admin).json["booking"]
    assert deleted.json == {"id": shop.service_id, "object": "service", "deleted": True}
    assert (kept["price_amount"], kept["service_name"], kept["status"]) == (40, "Haircut", "held")
    assert client.get(f"{PATH}/{shop.service_id}", headers=admin).status_code == 404
    assert client.delete(f"{PATH}/{shop.service_id}", headers=admin).status_code == 404


def test_services_are_listed_by_filter(client: FlaskClient, admin: Headers) -> None:
    name = "Mohawk 100%"
    idle = committed(make_service, name=name, is_active=False)

    found = client.get(f"{PATH}?q=mohawk 100%25&is_active=false", headers=admin).json

    assert [service["id"] for service in found["services"]] == [idle]
    assert client.get(f"{PATH}?limit=0", headers=admin).status_code == 400
    assert client.post(f"{PATH}/{idle}", json={}, headers=admin).status_code == 400
    assert client.patch(f"{PATH}/{idle}", json={}, headers=admin).status_code == 405
