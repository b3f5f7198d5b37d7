"""/store/resource-booking/holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge import db
from bridge.config import Config
from bridge.core import holds, keys
from bridge.ids import new_id
from bridge.web import create_app
from tests.factories import counters, future_day, lapse, make_allocation, make_hold, make_resource

PATH = "/store/resource-booking/holds"
ADA = "ada@example.test"
Headers = dict[str, str]

pytestmark = pytest.mark.usefixtures("database_url")


def body_for(resource_id: str, dates: list[date], **fields: Any) -> dict[str, Any]:
    return {
        "resource_id": resource_id,
        "dates": [str(day) for day in dates],
        "quantity": 1,
        "customer_email": ADA,
        "idempotency_token": uuid4().hex,
        **fields,
    }


@pytest.fixture
def resource() -> tuple[str, list[date]]:
    """A resource with ten places on three dates."""
    with db.transaction() as conn:
        return make_resource(conn, capacity=10, days=3)


@pytest.fixture
def hold_id(resource: tuple[str, list[date]]) -> str:
    """A live hold of Ada's for two places on all three dates."""
    with db.transaction() as conn:
        return make_hold(conn, *resource, quantity=2, customer_email=ADA, metadata={"group": "school"})


@pytest.fixture
def lapsed_id(hold_id: str) -> str:
    """The same hold, a second after its time."""
    with db.transaction() as conn:
        lapse(conn, hold_id)
    return hold_id


@pytest.fixture
def system() -> Headers:
    """Headers of a program that may confirm."""
    return key_with("system")


def key_with(*scopes: str) -> Headers:
    with db.transaction() as conn:
        _key, secret = keys.create_key(conn, name="tests", scopes=scopes)
    return {"Authorization": f"Bearer {secret}"}


def taken(resource_id: str) -> list[tuple[int, int]]:
    with db.transaction() as conn:
        return counters(conn, resource_id)


# -- placing -----------------------------------------------------------------------------------------------------------


def test_a_hold_is_placed(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    resource_id, dates = resource
    body = body_for(resource_id, dates, quantity=2, metadata={"cart_id": "cart_1"})

    answer = client.post(PATH, json=body)

    hold = answer.json["hold"]
    assert answer.status_code == 201
    assert answer.json == {"hold": hold, "time_remaining_seconds": 1800}
    assert hold == {
        **body,
        "id": hold["id"],
        "status": "ACTIVE",
        "created_at": hold["created_at"],
        "expires_at": hold["expires_at"],
    }
    assert hold["id"].startswith("hold_")
    term = datetime.fromisoformat(hold["expires_at"]) - datetime.fromisoformat(hold["created_at"])
    assert term.total_seconds() == pytest.approx(1800, abs=1)
    assert hold["created_at"].endswith("Z")
    assert taken(resource_id) == [(2, 0)] * 3


def test_metadata_may_be_left_out(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    answer = client.post(PATH, json=body_for(*resource))

    assert answer.json["hold"]["metadata"] == {}


def test_the_same_request_again_is_answered_with_the_same_hold(
    client: FlaskClient, resource: tuple[str, list[date]]
) -> None:
    resource_id, dates = resource
    body = body_for(resource_id, dates)
    first = client.post(PATH, json=body)

    again = client.post(PATH, json=body)

    assert again.status_code == 200
    assert again.json["idempotent_replay"] is True
    assert again.json["hold"] == first.json["hold"]
    assert 1795 <= again.json["time_remaining_seconds"] <= 1800
    assert taken(resource_id) == [(1, 0)] * 3


def test_a_token_used_for_another_request_is_refused(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    resource_id, dates = resource
    body = body_for(resource_id, dates)
    client.post(PATH, json=body)

    answer = client.post(PATH, json=body | {"quantity": 2})

    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_token_reused")
    assert taken(resource_id) == [(1, 0)] * 3


def test_a_full_date_is_refused_by_name(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=3, days=3)
        make_hold(conn, resource_id, dates[:2], quantity=2)

    answer = client.post(PATH, json=body_for(resource_id, dates, quantity=2))

    assert answer.status_code == 409
    assert answer.json == {
        "type": "conflict",
        "code": "insufficient_capacity",
        "message": f"Insufficient capacity for dates: {dates[0]}, {dates[1]}",
        "details": {"unavailable_dates": [{"date": str(day), "requested": 2, "available": 1} for day in dates[:2]]},
    }
    assert taken(resource_id) == [(2, 0), (2, 0), (0, 0)]


def test_a_blackout_is_refused_with_its_reason(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    resource_id, dates = resource
    blackout_id = new_id("blackout")
    with db.transaction() as conn:
        conn.execute(
            "INSERT INTO blackout (id, resource_id, starts_on, ends_on, reason) VALUES (%s, %s, %s, %s, 'slipway')",
            [blackout_id, resource_id, dates[1], dates[2]],
        )

    answer = client.post(PATH, json=body_for(resource_id, dates))

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (409, "conflict", "blackout")
    assert answer.json["details"]["blackout"] == {
        "id": blackout_id,
        "resource_id": resource_id,
        "start_date": str(dates[1]),
        "end_date": str(dates[2]),
        "reason": "slipway",
    }


def test_yesterday_is_refused(client: FlaskClient) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, first_day=yesterday, time_zone="UTC")

    answer = client.post(PATH, json=body_for(resource_id, dates))

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (400, "invalid_data", "past_dates")
    assert taken(resource_id) == [(0, 0)] * 3


def test_an_unknown_or_inactive_resource_is_not_found(client: FlaskClient) -> None:
    with db.transaction() as conn:
        inactive, dates = make_resource(conn, is_active=False)

    answers = [client.post(PATH, json=body_for(resource_id, dates)) for resource_id in ("res_none", inactive)]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(404, "resource_not_found")] * 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resource_id", None),
        ("resource_id", 7),
        ("resource_id", ""),
        ("resource_id", ["res_1"]),
        ("resource_id", "r" * 201),
        ("dates", None),
        ("dates", []),
        ("dates", "2026-12-24"),
        ("dates", ["2026-02-30"]),
        ("dates", ["2026-12-24T00:00:00Z"]),
        ("dates", ["0001-01-01"]),
        ("dates", ["9999-12-31"]),
        ("dates", ["+10000-01-01"]),
        ("dates", ["٢٠٢٦-١٢-٢٤"]),
        ("dates", [20261224]),
        ("dates", [None]),
        ("dates", [["2026-12-24"]]),
        ("quantity", 0),
        ("quantity", -1),
        ("quantity", 1.5),
        ("quantity", 1.0),
        ("quantity", "1"),
        ("quantity", True),
        ("quantity", None),
        ("quantity", 2**31),
        ("quantity", 2**63),
        ("quantity", 1e300),
        ("customer_email", "ada"),
        ("customer_email", ""),
        ("customer_email", 7),
        ("customer_email", f"{'a' * 250}@example.test"),
        ("idempotency_token", ""),
        ("idempotency_token", None),
        ("idempotency_token", "t" * 201),
        ("metadata", []),
        ("metadata", "text"),
        ("metadata", {"long": "x" * 17 * 1024}),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_by_name(client: FlaskClient, field: str, value: object) -> None:
    answer = client.post(PATH, json=body_for("res_1", [future_day()]) | {field: value})

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")
    assert field in answer.json["message"]
    assert list(answer.json["details"]["fields"]) == [field]


@pytest.mark.parametrize("field", ["resource_id", "dates", "quantity", "customer_email", "idempotency_token"])
def test_a_missing_field_is_named(client: FlaskClient, field: str) -> None:
    body = body_for("res_1", [future_day()])
    del body[field]

    answer = client.post(PATH, json=body)

    assert answer.status_code == 400
    assert list(answer.json["details"]["fields"]) == [field]


def test_a_date_given_twice_is_refused(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    resource_id, dates = resource

    answer = client.post(PATH, json=body_for(resource_id, [dates[0], dates[1], dates[0]]))

    assert answer.status_code == 400
    assert "dates" in answer.json["message"]
    assert taken(resource_id) == [(0, 0)] * 3


def test_unknown_fields_are_refused_by_name(client: FlaskClient) -> None:
    answer = client.post(PATH, json=body_for("res_1", [future_day()], colour="red", size=3))

    assert answer.status_code == 400
    assert "colour" in answer.json["message"]
    assert "size" in answer.json["message"]


@pytest.mark.parametrize("field", ["resource_id", "customer_email", "idempotency_token", "metadata", "key"])
def test_a_nul_character_is_refused_wherever_it_hides(client: FlaskClient, field: str) -> None:
    body = body_for("res_1", [future_day()])
    if field == "metadata":
        body["metadata"] = {"notes": ["fine", {"deep": "a\0b"}]}
    elif field == "key":
        body["metadata"] = {"a\0b": 1}
    else:
        body[field] = "a\0b"

    answer = client.post(PATH, data=orjson.dumps(body), content_type="application/json")

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")
    assert "NUL" in answer.json["message"]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"nonsense",
        b"NaN",
        b'{"quantity": Infinity}',
        b"\xff\xfe",
        b'{"resource_id": "\\ud800"}',
        b"[" * 2000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_body_that_is_not_json_is_refused(client: FlaskClient, raw: bytes) -> None:
    answer = client.post(PATH, data=raw, content_type="application/json")

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (400, "invalid_data", "malformed_json")


@pytest.mark.parametrize("raw", [b"null", b"[]", b"[{}]", b'"text"', b"7", b"true", b"{}"])
def test_json_of_another_kind_is_refused(client: FlaskClient, raw: bytes) -> None:
    answer = client.post(PATH, data=raw, content_type="application/json")

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


@pytest.mark.parametrize("depth", [25, 300, 500, 900, 1020])
@pytest.mark.parametrize("innermost", ["text", "\0"])
def test_absurdly_nested_metadata_is_refused(client: FlaskClient, depth: int, innermost: str) -> None:
    nested = '{"a":' * depth + orjson.dumps(innermost).decode() + "}" * depth
    raw = orjson.dumps(body_for("res_1", [future_day()])).decode()[:-1] + f',"metadata":{nested}}}'

    answer = client.post(PATH, data=raw, content_type="application/json")

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


def test_more_than_256_kib_is_too_large(client: FlaskClient) -> None:
    answer = client.post(PATH, data=b" " * (256 * 1024 + 1), content_type="application/json")

    assert (answer.status_code, answer.json["type"]) == (413, "payload_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_content_type_is_refused(client: FlaskClient, content_type: str) -> None:
    answer = client.post(PATH, data=b"{}", headers={"Content-Type": content_type})

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (
        415,
        "invalid_data",
        "unsupported_media_type",
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method)

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (405, "not_allowed", "not_allowed")
    assert "POST" in answer.headers["Allow"]


# -- looking -----------------------------------------------------------------------------------------------------------


def test_the_customer_sees_all_of_a_hold(client: FlaskClient, resource: tuple[str, list[date]], hold_id: str) -> None:
    resource_id, dates = resource

    answer = client.get(f"{PATH}/{hold_id}", query_string={"customer_email": ADA})

    hold = answer.json["hold"]
    assert answer.status_code == 200
    assert set(answer.json) == {"hold", "time_remaining_seconds", "is_expired"}
    assert answer.json["is_expired"] is False
    assert 1790 <= answer.json["time_remaining_seconds"] <= 1800
    assert set(hold) == {
        "id",
        "resource_id",
        "dates",
        "quantity",
        "customer_email",
        "status",
        "idempotency_token",
        "expires_at",
        "created_at",
        "metadata",
    }
    assert (hold["id"], hold["resource_id"], hold["quantity"]) == (hold_id, resource_id, 2)
    assert hold["dates"] == [str(day) for day in dates]
    assert (hold["customer_email"], hold["metadata"]) == (ADA, {"group": "school"})


def test_without_an_address_the_private_fields_are_left_out(client: FlaskClient, hold_id: str) -> None:
    answer = client.get(f"{PATH}/{hold_id}")

    assert answer.status_code == 200
    assert set(answer.json["hold"]) == {
        "id",
        "resource_id",
        "dates",
        "quantity",
        "status",
        "expires_at",
        "created_at",
    }
    assert ADA not in answer.text


@pytest.mark.parametrize("suffix", ["", "/extend", "/release", "delete"])
def test_a_wrong_address_is_refused_and_changes_nothing(
    client: FlaskClient, resource: tuple[str, list[date]], hold_id: str, suffix: str
) -> None:
    method = {"": "GET", "delete": "DELETE"}.get(suffix, "POST")
    path = f"{PATH}/{hold_id}{suffix.removeprefix('delete')}"
    before = client.get(f"{PATH}/{hold_id}").json["hold"]

    answer = client.open(path, method=method, query_string={"customer_email": "eve@example.test"})

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (403, "forbidden", "wrong_customer")
    assert ADA not in answer.text
    assert client.get(f"{PATH}/{hold_id}").json["hold"] == before
    assert taken(resource[0]) == [(2, 0)] * 3


def test_letter_case_does_not_make_another_address(client: FlaskClient, hold_id: str) -> None:
    answer = client.get(f"{PATH}/{hold_id}", query_string={"customer_email": "Ada@Example.Test"})

    assert answer.json["hold"]["customer_email"] == ADA


def test_a_hold_past_its_time_is_expired_the_same_second(client: FlaskClient, lapsed_id: str) -> None:
    answer = client.get(f"{PATH}/{lapsed_id}")

    assert answer.json["hold"]["status"] == "EXPIRED"
    assert answer.json["is_expired"] is True
    assert answer.json["time_remaining_seconds"] == 0


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("DELETE", ""), ("POST", "/extend"), ("POST", "/release"), ("POST", "/confirm")],
)
def test_an_unknown_hold_is_not_found(client: FlaskClient, admin: Headers, method: str, suffix: str) -> None:
    body = {"json": {"order_id": "order_1"}} if suffix == "/confirm" else {}

    answer = client.open(f"{PATH}/hold_none{suffix}", method=method, headers=admin, **body)

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (404, "not_found", "hold_not_found")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(("hold_id", "status"), [("%00", 400), ("a%00b", 400), ("%ff", 404), ("h" * 3000, 404)])
def test_garbage_for_an_id_is_refused(client: FlaskClient, method: str, hold_id: str, status: int) -> None:
    answer = client.open(f"{PATH}/{hold_id}", method=method)

    assert answer.status_code == status
    assert answer.json["type"] in {"invalid_data", "not_found"}


@pytest.mark.parametrize("query", ["customer_email=%00", "email=a@b.test"])
def test_a_query_that_is_not_ours_is_refused(client: FlaskClient, hold_id: str, query: str) -> None:
    answer = client.get(f"{PATH}/{hold_id}?{query}")

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


@pytest.mark.parametrize("claimed", ["ada", "null", "undefined", "eve@example.test"])
def test_whatever_is_not_the_address_is_wrong(client: FlaskClient, hold_id: str, claimed: str) -> None:
    for method in ("GET", "DELETE"):
        answer = client.open(f"{PATH}/{hold_id}?customer_email={claimed}", method=method)

        assert (answer.status_code, answer.json["code"]) == (403, "wrong_customer")


def test_an_empty_address_is_none_given(client: FlaskClient, hold_id: str) -> None:
    answer = client.get(f"{PATH}/{hold_id}?customer_email=")

    assert answer.status_code == 200
    assert "customer_email" not in answer.json["hold"]


def test_a_plus_that_a_page_did_not_encode_is_still_a_plus(client: FlaskClient) -> None:
    with db.transaction() as conn:
        hold_id = make_hold(conn, *make_resource(conn), customer_email="ada+tour@example.test")

    answer = client.get(f"{PATH}/{hold_id}?customer_email=Ada+tour@example.test")

    assert answer.json["hold"]["customer_email"] == "ada+tour@example.test"


# -- extending ---------------------------------------------------------------------------------------------------------


def test_extending_gives_a_full_term_in_place(
    client: FlaskClient, resource: tuple[str, list[date]], hold_id: str
) -> None:
    with db.transaction() as conn:
        conn.execute("UPDATE hold SET expires_at = now() + INTERVAL '1 minute' WHERE id = %s", [hold_id])

    answer = client.post(f"{PATH}/{hold_id}/extend")

    assert answer.status_code == 200
    assert set(answer.json) == {"hold", "time_remaining_seconds"}
    assert 1790 <= answer.json["time_remaining_seconds"] <= 1800
    assert "customer_email" not in answer.json["hold"]
    assert taken(resource[0]) == [(2, 0)] * 3


def test_a_customer_who_extends_sees_the_whole_hold(client: FlaskClient, hold_id: str) -> None:
    by_query = client.post(f"{PATH}/{hold_id}/extend", query_string={"customer_email": ADA})
    by_body = client.post(f"{PATH}/{hold_id}/extend", json={"customer_email": ADA})

    assert [answer.json["hold"]["customer_email"] for answer in (by_query, by_body)] == [ADA, ADA]


def test_a_hold_at_its_cap_is_not_extended(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    with db.transaction() as conn:
        hold_id = make_hold(conn, *resource)
        conn.execute("UPDATE hold SET expires_at = hard_expires_at WHERE id = %s", [hold_id])

    answer = client.post(f"{PATH}/{hold_id}/extend")

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (409, "conflict", "extension_limit")


def test_extending_ends_at_the_hard_cap(client: FlaskClient, resource: tuple[str, list[date]]) -> None:
    with db.transaction() as conn:
        hold_id = make_hold(conn, *resource, minutes=30)
        conn.execute(
            "UPDATE hold SET created_at = now() - INTERVAL '110 min', expires_at = now() + INTERVAL '1 min',"
            " hard_expires_at = now() + INTERVAL '10 min' WHERE id = %s",
            [hold_id],
        )

    answer = client.post(f"{PATH}/{hold_id}/extend")

    assert 590 <= answer.json["time_remaining_seconds"] <= 600


def test_a_lapsed_hold_is_not_extended(client: FlaskClient, lapsed_id: str) -> None:
    answer = client.post(f"{PATH}/{lapsed_id}/extend")

    assert (answer.status_code, answer.json["code"]) == (409, "hold_expired")


def test_a_released_hold_is_not_extended(client: FlaskClient, hold_id: str) -> None:
    client.delete(f"{PATH}/{hold_id}")

    answer = client.post(f"{PATH}/{hold_id}/extend")

    assert (answer.status_code, answer.json["code"]) == (409, "hold_not_active")


# -- confirming --------------------------------------------------------------------------------------------------------


def confirm(client: FlaskClient, hold_id: str, headers: Headers | None = None, **body: Any) -> TestResponse:
    order = {"order_id": "order_1", "line_item_id": "item_1", **body}
    return client.post(f"{PATH}/{hold_id}/confirm", json=order, headers=headers)


def test_a_system_confirms_a_hold(
    client: FlaskClient, resource: tuple[str, list[date]], hold_id: str, system: Headers
) -> None:
    resource_id, dates = resource

    answer = confirm(client, hold_id, system)

    allocation = answer.json["allocation"]
    assert answer.status_code == 200
    assert set(answer.json) == {"allocation", "hold"}
    assert allocation == {
        "id": allocation["id"],
        "resource_id": resource_id,
        "order_id": "order_1",
        "line_item_id": "item_1",
        "dates": [str(day) for day in dates],
        "quantity": 2,
        "status": "CONFIRMED",
        "posted_late": False,
        "created_at": allocation["created_at"],
    }
    assert allocation["id"].startswith("alloc_")
    assert (answer.json["hold"]["id"], answer.json["hold"]["status"]) == (hold_id, "CONFIRMED")
    assert taken(resource_id) == [(0, 2)] * 3


def test_the_admin_key_confirms_a_hold(client: FlaskClient, hold_id: str, admin: Headers) -> None:
    assert confirm(client, hold_id, admin).status_code == 200


def test_confirming_again_for_the_same_order_answers_the_same(
    client: FlaskClient, resource: tuple[str, list[date]], hold_id: str, system: Headers
) -> None:
    first = confirm(client, hold_id, system)

    again = confirm(client, hold_id, system)

    assert (again.status_code, again.json) == (200, first.json)
    assert taken(resource[0]) == [(0, 2)] * 3


def test_confirming_for_another_order_is_refused(client: FlaskClient, hold_id: str, system: Headers) -> None:
    confirm(client, hold_id, system)

    answer = confirm(client, hold_id, system, order_id="order_2")

    assert (answer.status_code, answer.json["type"], answer.json["code"]) == (409, "conflict", "already_confirmed")


def test_a_released_hold_is_not_confirmed(client: FlaskClient, hold_id: str, system: Headers) -> None:
    client.delete(f"{PATH}/{hold_id}")

    answer = confirm(client, hold_id, system)

    assert (answer.status_code, answer.json["code"]) == (409, "hold_released")


def test_a_lapsed_hold_is_confirmed_while_there_is_room(client: FlaskClient, lapsed_id: str, system: Headers) -> None:
    answer = confirm(client, lapsed_id, system)

    assert answer.status_code == 200
    assert answer.json["hold"]["status"] == "CONFIRMED"


def test_a_lapsed_hold_whose_place_is_gone_is_expired(
    client: FlaskClient, resource: tuple[str, list[date]], lapsed_id: str, system: Headers
) -> None:
    with db.transaction() as conn:
        make_hold(conn, *resource, quantity=9)

    answer = confirm(client, lapsed_id, system)

    assert (answer.status_code, answer.json["code"]) == (409, "hold_expired")
    assert [allocated for _held, allocated in taken(resource[0])] == [0, 0, 0]


@pytest.mark.parametrize("body", [{}, {"order_id": ""}, {"order_id": 7}, {"order_id": "o", "x": 1}, {"order_id": "\0"}])
def test_confirming_needs_an_order(client: FlaskClient, hold_id: str, system: Headers, body: dict[str, object]) -> None:
    answer = client.post(f"{PATH}/{hold_id}/confirm", json=body, headers=system)

    assert (answer.status_code, answer.json["type"]) == (400, "invalid_data")


def test_nobody_confirms_without_a_credential(client: FlaskClient, hold_id: str) -> None:
    answer = confirm(client, hold_id)

    assert answer.status_code == 401
    assert answer.json == {
        "type": "unauthorized",
        "code": "unauthorized",
        "message": "Credentials are missing or not valid.",
        "details": {},
    }


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic YWRhOmFkYQ==", "Bearer a.b.c", "\xe9"])
def test_a_wrong_credential_confirms_nothing(client: FlaskClient, hold_id: str, header: str) -> None:
    assert confirm(client, hold_id, {"Authorization": header}).status_code == 401


def test_a_key_of_another_scope_confirms_nothing(client: FlaskClient, hold_id: str) -> None:
    assert confirm(client, hold_id, key_with("ops")).status_code == 401


# -- confirming by the platform's word ---------------------------------------------------------------------------------

MEDUSA = "https://medusa.test"


@pytest.fixture
def shop(config: Config) -> FlaskClient:
    """A caller without credentials of a bridge that knows a platform."""
    return create_app(replace(config, medusa_url=MEDUSA, medusa_api_key="sk_test")).test_client()


@pytest.fixture
def platform() -> Any:
    """The platform, as far as it is mocked."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def order(hold_id: str, *, paid: str | None = "authorized", **fields: Any) -> dict[str, Any]:
    """An order of the platform's, `order_1`, whose line names the hold."""
    collections = [] if paid is None else [{"status": paid}]
    return {
        "id": "order_1",
        "status": "pending",
        "version": 1,
        "updated_at": "2026-11-21T03:55:31.699Z",
        "email": ADA,
        "payment_collections": collections,
        "items": [{"id": "item_1", "quantity": 2, "metadata": {"booking_hold_id": hold_id}}],
        **fields,
    }


def answers(platform: responses.RequestsMock, status: int = 200, **body: Any) -> None:
    platform.get(f"{MEDUSA}/admin/orders/order_1", status=status, json=body)


@pytest.mark.parametrize("paid", ["authorized", "completed", "partially_captured"])
def test_a_browser_confirms_what_the_platform_says_was_paid(
    shop: FlaskClient, platform: responses.RequestsMock, resource: tuple[str, list[date]], hold_id: str, paid: str
) -> None:
    answers(platform, order=order(hold_id, paid=paid))

    answer = confirm(shop, hold_id)

    assert answer.status_code == 200
    assert answer.json["allocation"]["order_id"] == "order_1"
    assert taken(resource[0]) == [(0, 2)] * 3


@pytest.mark.parametrize(
    ("status", "expected"), [("captured", 200), ("authorized", 200), ("not_paid", 401), ("canceled", 401), ([], 401)]
)
def test_without_the_payments_their_sum_decides(
    shop: FlaskClient, platform: responses.RequestsMock, hold_id: str, status: Any, expected: int
) -> None:
    answers(platform, order=order(hold_id, paid=None, payment_status=status))

    assert confirm(shop, hold_id).status_code == expected


def test_whoever_may_not_confirm_is_told_what_it_takes(
    shop: FlaskClient, platform: responses.RequestsMock, hold_id: str
) -> None:
    answers(platform, order=order(hold_id, paid="not_paid"))

    assert confirm(shop, hold_id).json["message"] == (
        "Send a key of scope system, or name an order that is paid for and names this hold."
    )


def test_an_order_may_name_the_hold_in_its_own_metadata(
    shop: FlaskClient, platform: responses.RequestsMock, hold_id: str
) -> None:
    nameless = {"id": "item_1", "quantity": 2, "metadata": {}}
    answers(platform, order=order(hold_id, items=[nameless], metadata={"booking_hold_id": hold_id}))

    assert confirm(shop, hold_id).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"payment_collections": [{"status": "not_paid"}]},
        {"payment_collections": [{"status": "canceled"}]},
        {"payment_collections": []},
        {"status": "canceled"},
        {"canceled_at": "2026-11-21T03:55:31.699Z"},
        {"status": "draft"},
        {"items": []},
        {"items": [{"id": "item_1", "quantity": 2, "metadata": {"booking_hold_id": "hold_other"}}]},
        {"items": "none"},
    ],
    ids=lambda changed: f"{next(iter(changed.items()))}"[:60],
)
def test_an_order_that_does_not_vouch_for_the_hold_confirms_nothing(
    shop: FlaskClient,
    platform: responses.RequestsMock,
    resource: tuple[str, list[date]],
    hold_id: str,
    changed: dict[str, Any],
) -> None:
    answers(platform, order=order(hold_id) | changed)

    assert confirm(shop, hold_id).status_code == 401
    assert taken(resource[0]) == [(2, 0)] * 3


def test_another_line_than_the_one_naming_the_hold_confirms_nothing(
    shop: FlaskClient, platform: responses.RequestsMock, hold_id: str
) -> None:
    answers(platform, order=order(hold_id))

    assert confirm(shop, hold_id, line_item_id="item_2").status_code == 401


def test_a_hold_of_another_order_is_already_confirmed(
    shop: FlaskClient, platform: responses.RequestsMock, resource: tuple[str, list[date]]
) -> None:
    with db.transaction() as conn:
        hold_id = make_hold(conn, *resource)
        holds.confirm_hold(conn, hold_id, order_id="order_2", line_item_id="item_1", actor="tests")
    answers(platform, order=order(hold_id))

    answer = confirm(shop, hold_id)

    assert (answer.status_code, answer.json["code"]) == (409, "already_confirmed")


def test_an_order_the_platform_does_not_know_confirms_nothing(
    shop: FlaskClient, platform: responses.RequestsMock, hold_id: str
) -> None:
    answers(platform, status=404, message="Order not found", type="not_found")

    assert confirm(shop, hold_id).status_code == 401


@pytest.mark.parametrize("order_id", ["../../admin/users", "order 1", "ö" * 150, "order_1?x=1"])
def test_an_order_id_never_becomes_another_path(
    shop: FlaskClient, platform: responses.RequestsMock, hold_id: str, order_id: str
) -> None:
    assert confirm(shop, hold_id, order_id=order_id).status_code == 401
    assert len(platform.calls) == 0


def test_while_the_platform_is_down_nothing_is_confirmed(
    shop: FlaskClient, platform: responses.RequestsMock, resource: tuple[str, list[date]], hold_id: str
) -> None:
    answers(platform, status=502)

    answer = confirm(shop, hold_id)

    assert (answer.status_code, answer.json["type"]) == (503, "unavailable")
    assert answer.json["code"] == "platform_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert taken(resource[0]) == [(2, 0)] * 3


def test_a_bridge_that_may_not_ask_the_platform_confirms_nothing(config: Config, hold_id: str) -> None:
    shop = create_app(replace(config, medusa_url=MEDUSA, medusa_api_key="")).test_client()

    assert confirm(shop, hold_id).status_code == 401


# -- releasing ---------------------------------------------------------------------------------------------------------


def test_a_hold_is_given_back_once(client: FlaskClient, resource: tuple[str, list[date]], hold_id: str) -> None:
    resource_id, dates = resource

    answer = client.delete(f"{PATH}/{hold_id}", query_string={"customer_email": ADA})
    again = client.delete(f"{PATH}/{hold_id}", query_string={"customer_email": ADA})

    assert answer.status_code == 200
    assert set(answer.json) == {"hold", "capacity_returned", "dates_released"}
    assert (answer.json["hold"]["status"], answer.json["hold"]["customer_email"]) == ("RELEASED", ADA)
    assert answer.json["capacity_returned"] == 6
    assert answer.json["dates_released"] == [str(day) for day in dates]
    assert (again.status_code, again.json["type"], again.json["code"]) == (409, "conflict", "hold_not_active")
    assert taken(resource_id) == [(0, 0)] * 3


def test_releasing_without_an_address_shows_nothing_private(client: FlaskClient, hold_id: str) -> None:
    answer = client.delete(f"{PATH}/{hold_id}")

    assert answer.status_code == 200
    assert ADA not in answer.text


def test_what_is_over_is_not_given_back_again(
    client: FlaskClient, resource: tuple[str, list[date]], lapsed_id: str
) -> None:
    with db.transaction() as conn:
        allocation_id = make_allocation(conn, *resource)
        row = conn.execute("SELECT hold_id FROM allocation WHERE id = %s", [allocation_id]).fetchone()

    gone = [client.delete(f"{PATH}/{over}") for over in (lapsed_id, row["hold_id"])]

    assert [(answer.status_code, answer.json["code"]) for answer in gone] == [(409, "hold_not_active")] * 2
    assert [allocated for _held, allocated in taken(resource[0])] == [1, 1, 1]


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json", "application/octet-stream"])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"customer_email": "ada@example.test", "reason": "left"}',
        b"{}",
        b"null",
        b"[1]",
        b"\xff\x00garbage",
        b"{",
    ],
)
def test_a_beacon_releases_whatever_its_body(
    client: FlaskClient, resource: tuple[str, list[date]], hold_id: str, content_type: str, raw: bytes
) -> None:
    answer = client.post(f"{PATH}/{hold_id}/release", data=raw, content_type=content_type)

    assert (answer.status_code, answer.json["capacity_returned"]) == (200, 6)
    assert taken(resource[0]) == [(0, 0)] * 3


@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
def test_a_beacon_of_somebody_else_releases_nothing(
    client: FlaskClient, resource: tuple[str, list[date]], hold_id: str, content_type: str
) -> None:
    answer = client.post(
        f"{PATH}/{hold_id}/release", data=b'{"customer_email": "eve@example.test"}', content_type=content_type
    )

    assert (answer.status_code, answer.json["code"]) == (403, "wrong_customer")
    assert taken(resource[0]) == [(2, 0)] * 3


def test_a_second_beacon_is_told_so(client: FlaskClient, hold_id: str) -> None:
    client.post(f"{PATH}/{hold_id}/release")

    answer = client.post(f"{PATH}/{hold_id}/release")

    assert (answer.status_code, answer.json["code"]) == (409, "hold_not_active")


# -- every answer ------------------------------------------------------------------------------------------------------


def test_an_unknown_path_is_answered_in_json(client: FlaskClient) -> None:
    answer = client.get("/store/resource-booking/nothing")

    assert answer.status_code == 404
    assert answer.json == {
        "type": "not_found",
        "code": "not_found",
        "message": "There is nothing at this address.",
        "details": {},
    }


@pytest.mark.parametrize("path", ["/store/resource-booking/nothing", f"{PATH}/hold_none", PATH])
def test_the_callers_request_id_comes_back(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"X-Request-Id": "shop-42:a.b_c"})

    assert answer.headers["X-Request-Id"] == "shop-42:a.b_c"


@pytest.mark.parametrize("given", ["", "x" * 81, "<script>", "a b", "é"])
def test_a_request_id_that_is_not_sane_is_replaced(client: FlaskClient, given: str) -> None:
    first, second = (client.get(f"{PATH}/hold_none", headers={"X-Request-Id": given}) for _ in range(2))

    assert first.headers["X-Request-Id"] not in {"", given}
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


# -- other sites -------------------------------------------------------------------------------------------------------

SHOP = "https://shop.test"


@pytest.fixture
def cors(config: Config) -> FlaskClient:
    """A caller of a bridge that lets one shop's pages in."""
    return create_app(replace(config, cors_origins=(SHOP,))).test_client()


def test_a_page_of_a_shop_on_the_list_may_call(cors: FlaskClient, hold_id: str) -> None:
    answer = cors.get(f"{PATH}/{hold_id}", headers={"Origin": SHOP})
    preflight = cors.options(
        PATH,
        headers={
            "Origin": SHOP,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )

    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == SHOP
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize("origin", ["https://evil.test", "https://shop.test.evil.test", "http://shop.test", "null"])
def test_a_page_of_another_site_may_not(cors: FlaskClient, hold_id: str, origin: str) -> None:
    answer = cors.get(f"{PATH}/{hold_id}", headers={"Origin": origin})

    assert "Access-Control-Allow-Origin" not in answer.headers


def test_no_page_may_call_the_admin(cors: FlaskClient, admin: Headers) -> None:
    answer = cors.get("/admin/resource-booking/resources", headers={"Origin": SHOP, **admin})

    assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_a_list_no_page_may_call(client: FlaskClient, hold_id: str) -> None:
    answer = client.get(f"{PATH}/{hold_id}", headers={"Origin": SHOP})

    assert "Access-Control-Allow-Origin" not in answer.headers


# -- too many ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def limited(config: Config) -> Flask:
    """A bridge that takes three writes a minute of each address and e-mail address."""
    return create_app(replace(config, rate_limits="3/minute"))


def test_the_fourth_write_of_an_address_in_a_minute_is_refused(limited: Flask, hold_id: str) -> None:
    client = limited.test_client()

    extended = [client.post(f"{PATH}/{hold_id}/extend") for _ in range(4)]

    assert [answer.status_code for answer in extended] == [200, 200, 200, 429]
    assert (extended[3].json["type"], extended[3].json["code"]) == ("too_many_requests", "too_many_requests")
    assert 1 <= int(extended[3].headers["Retry-After"]) <= 60


def test_the_fourth_hold_of_a_customer_in_a_minute_is_refused_wherever_it_comes_from(
    limited: Flask, resource: tuple[str, list[date]]
) -> None:
    placed = [
        limited.test_client().post(PATH, json=body_for(*resource), environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
        for number in range(4)
    ]

    assert [answer.status_code for answer in placed] == [201, 201, 201, 429]
    assert taken(resource[0]) == [(3, 0)] * 3


def test_another_address_is_counted_for_itself(limited: Flask, hold_id: str) -> None:
    client = limited.test_client()
    for _ in range(4):
        client.post(f"{PATH}/{hold_id}/extend")

    answer = client.post(f"{PATH}/{hold_id}/extend", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert answer.status_code == 200


def test_reading_is_not_limited(limited: Flask, resource: tuple[str, list[date]], hold_id: str) -> None:
    client = limited.test_client()
    resource_id, dates = resource
    query = {"resource_id": resource_id, "start_date": dates[0], "end_date": dates[0]}

    read = [client.get(f"{PATH}/{hold_id}") for _ in range(10)]
    asked = [client.get("/store/resource-booking/availability", query_string=query) for _ in range(10)]

    assert {answer.status_code for answer in read + asked} == {200}


def test_a_hold_is_shown_as_its_schema_says(conn: db.Connection) -> None:
    from bridge.core import holds
    from bridge.web.store.holds import _show
    from schemas.holds import HoldSchema

    hold = holds.get_hold(conn, make_hold(conn, *make_resource(conn), metadata={"a": [1]}))

    shown = _show(hold)

    assert shown | {"dates": [day.isoformat() for day in shown["dates"]]} == HoldSchema().dump(hold)
