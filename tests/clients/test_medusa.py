"""What Medusa is asked, and what its answers are taken for. How any server is asked: test_servers.py."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
import urllib3

from bridge.clients.medusa import CART_FIELDS, ORDER_FIELDS, REFUND_SETTLES_SECONDS, Medusa
from bridge.config import Config
from bridge.errors import PlatformNotConfigured, PlatformRefused, PlatformUnavailable

URL = "https://medusa.test"
ORDER = f"{URL}/admin/orders/order_1"
PAYMENT = f"{URL}/admin/payments/pay_1"
NOTE = "booking bridge rf_1"
CONFIG = Config(medusa_url=f"{URL}/", medusa_api_key="sk_test", medusa_publishable_key="pk_test")
A_YEAR_AGO = datetime(2025, 11, 21, tzinfo=UTC)


LINE = {"variant_id": "variant_1", "quantity": 1, "unit_price": 25, "metadata": {"booking_hold_id": "hold_1"}}


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def medusa(slept: list[float]) -> Medusa:
    return Medusa(CONFIG, sleep=slept.append)


def unavailable(call: Callable[[], object]) -> PlatformUnavailable:
    with pytest.raises(PlatformUnavailable) as caught:
        call()
    return caught.value


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.request.url).query)


def test_nothing_is_asked_without_settings() -> None:
    with pytest.raises(PlatformNotConfigured):
        Medusa(Config())
    with pytest.raises(PlatformNotConfigured):
        Medusa(Config(medusa_url="medusa.test"))
    with pytest.raises(PlatformNotConfigured):
        Medusa(Config(medusa_url=URL)).get_order("order_1")
    with pytest.raises(PlatformNotConfigured):
        Medusa(Config(medusa_url=URL)).get_cart("cart_1")


def test_an_order_is_asked_for_with_the_secret_key(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(ORDER, json={"order": {"id": "order_1", "status": "pending"}})

    assert medusa.get_order("order_1") == {"id": "order_1", "status": "pending"}

    call = server.calls[0]
    assert call.request.headers["authorization"] == "Basic " + base64.b64encode(b"sk_test:").decode()
    assert query(call)["fields"] == [ORDER_FIELDS]


def test_a_cart_is_asked_for_with_the_publishable_key(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(f"{URL}/store/carts/cart_1", json={"cart": {"id": "cart_1"}})

    assert medusa.get_cart("cart_1") == {"id": "cart_1"}

    call = server.calls[0]
    assert call.request.headers["x-publishable-api-key"] == "pk_test"
    assert "authorization" not in call.request.headers
    assert query(call)["fields"] == [CART_FIELDS]


@pytest.mark.parametrize("order_id", ["", "..", "../customers", "a/b", "a?b", "a b", "ordér", "x" * 201, "order_1\n"])
def test_what_is_no_id_is_not_asked_for(medusa: Medusa, order_id: str) -> None:
    with pytest.raises(PlatformRefused) as caught:
        medusa.get_order(order_id)

    assert caught.value.details["status"] == 404


@pytest.mark.parametrize("answer", [{}, {"order": None}, {"order": []}, {"order": {}}, {"order": {"id": "order_2"}}])
def test_another_order_than_the_one_asked_for_is_not_taken(
    server: responses.RequestsMock, medusa: Medusa, answer: dict[str, Any]
) -> None:
    server.get(ORDER, json=answer)

    unavailable(lambda: medusa.get_order("order_1"))


class Shop:
    """Orders behind GET /admin/orders, filtered, sorted and cut into pages as Medusa does."""

    def __init__(self, times: dict[str, int]) -> None:
        self.times = times
        self.pages = 0
        self.between_pages: Callable[[], None] = lambda: None

    def answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if self.pages:
            self.between_pages()
        self.pages += 1
        asked = {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}
        assert asked["order"] == "updated_at"
        since, offset = datetime.fromisoformat(asked["updated_at[$gte]"]), int(asked["offset"])
        rows = sorted((at, name) for name, at in self.times.items() if moment(at) >= since)
        page = [
            {"id": name, "updated_at": moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
            for at, name in rows[offset : offset + int(asked["limit"])]
        ]
        return 200, {}, json.dumps({"orders": page, "count": len(rows), "offset": offset, "limit": int(asked["limit"])})


def moment(minutes: int) -> datetime:
    return A_YEAR_AGO + timedelta(minutes=minutes)


def listed(server: responses.RequestsMock, medusa: Medusa, shop: Shop, *, limit: int) -> list[str]:
    server.add_callback(responses.GET, f"{URL}/admin/orders", callback=shop.answer)
    return [order["id"] for order in medusa.list_orders(moment(0), limit=limit)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
def test_every_page_is_listed(server: responses.RequestsMock, medusa: Medusa, limit: int) -> None:
    shop = Shop({"before": -1} | {f"order_{number}": number for number in range(7)})

    assert listed(server, medusa, shop, limit=limit) == [f"order_{number}" for number in range(7)]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_orders_changed_at_one_moment_are_all_listed(
    server: responses.RequestsMock, medusa: Medusa, limit: int
) -> None:
    shop = Shop({"order_0": 0} | {f"order_{number}": 5 for number in range(1, 6)} | {"order_9": 9})

    assert set(listed(server, medusa, shop, limit=limit)) == set(shop.times)


def test_an_order_that_changes_meanwhile_pushes_none_out(server: responses.RequestsMock, medusa: Medusa) -> None:
    shop = Shop({f"order_{number}": number for number in range(6)})
    shop.between_pages = lambda: shop.times.update(order_0=60)

    assert set(listed(server, medusa, shop, limit=2)) == set(shop.times)


def test_no_orders_are_no_orders(server: responses.RequestsMock, medusa: Medusa) -> None:
    assert listed(server, medusa, Shop({}), limit=2) == []


def test_a_list_that_is_none_is_unavailable(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(f"{URL}/admin/orders", json={"count": 0})

    unavailable(lambda: list(medusa.list_orders(A_YEAR_AGO)))


def test_payments_are_gathered_from_their_collections(server: responses.RequestsMock, medusa: Medusa) -> None:
    collections = [{"payments": [{"id": "pay_1"}]}, {"payments": None}, {"payments": [{"id": "pay_2"}]}]
    server.get(ORDER, json={"order": {"id": "order_1", "payment_collections": collections}})

    assert [payment["id"] for payment in medusa.list_payments("order_1")] == ["pay_1", "pay_2"]


def payment(*notes: str) -> dict[str, Any]:
    refunds = [{"id": f"ref_{number}", "note": note, "amount": 5} for number, note in enumerate(notes)]
    return {"payment": {"id": "pay_1", "refunds": refunds}}


def refund(medusa: Medusa, amount: str = "12.30") -> dict[str, Any]:
    return medusa.refund_payment("pay_1", Decimal(amount), NOTE)


@pytest.mark.parametrize(("amount", "sent"), [("12.30", "12.3"), ("90.00", "90"), ("0.01", "0.01")])
def test_a_refund_is_paid(server: responses.RequestsMock, medusa: Medusa, amount: str, sent: str) -> None:
    server.get(PAYMENT, json=payment("of somebody else"))
    server.post(f"{PAYMENT}/refund", json=payment("of somebody else", NOTE))

    assert refund(medusa, amount)["id"] == "ref_1"
    assert server.calls[1].request.body == f'{{"amount": {sent}, "note": "{NOTE}"}}'.encode()


def test_a_refund_is_paid_once(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(PAYMENT, json=payment(NOTE))

    assert refund(medusa)["id"] == "ref_0"
    assert len(server.calls) == 1


def test_a_refund_that_was_taken_is_done_whatever_the_answer_shows(
    server: responses.RequestsMock, medusa: Medusa
) -> None:
    server.get(PAYMENT, json=payment())
    server.post(f"{PAYMENT}/refund", json={"payment": {"id": "pay_1"}})

    assert refund(medusa)["note"] == NOTE


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 500},
        {"status": 502},
        {"body": requests.ReadTimeout("x")},
        {"body": requests.ConnectionError("x")},
        {"body": "<p>"},
    ],
)
def test_a_refund_that_may_have_been_taken_is_not_sent_again(
    server: responses.RequestsMock, medusa: Medusa, slept: list[float], failure: dict[str, Any]
) -> None:
    server.get(PAYMENT, json=payment())
    server.post(f"{PAYMENT}/refund", **failure)

    error = unavailable(lambda: refund(medusa))

    assert error.retry_after == REFUND_SETTLES_SECONDS
    assert (len(server.calls), slept) == (2, [])


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 429},
        {"body": requests.ConnectTimeout("x")},
        {
            "body": requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(
                    None,
                    "/",
                    urllib3.exceptions.NewConnectionError(None, "refused"),
                )
            )
        },
    ],
)
def test_a_refund_that_was_not_taken_is_sent_again(
    server: responses.RequestsMock, medusa: Medusa, failure: dict[str, Any]
) -> None:
    server.get(PAYMENT, json=payment())
    server.post(f"{PAYMENT}/refund", **failure)
    server.post(f"{PAYMENT}/refund", json=payment(NOTE))

    assert refund(medusa)["id"] == "ref_0"


def test_a_refund_that_is_refused_is_refused(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(PAYMENT, json=payment())
    server.post(
        f"{PAYMENT}/refund", status=400, json={"message": "You are not allowed to refund more than the captured amount"}
    )

    with pytest.raises(PlatformRefused, match="more than the captured amount"):
        refund(medusa)


def test_no_refund_is_made_where_those_made_cannot_be_seen(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(PAYMENT, json={"payment": {"id": "pay_1"}})

    unavailable(lambda: refund(medusa))


@pytest.mark.parametrize(("amount", "note"), [("0", NOTE), ("-1", NOTE), ("1", "")])
def test_a_refund_needs_an_amount_and_a_note(medusa: Medusa, amount: str, note: str) -> None:
    with pytest.raises(ValueError, match="refund"):
        medusa.refund_payment("pay_1", Decimal(amount), note)


def test_orders_are_asked_for_by_their_ids(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(f"{URL}/admin/orders", json={"orders": [{"id": "order_1"}, {"id": "order_of_another_page"}], "count": 2})

    found = medusa.find_orders(["order_1", "order_2"])

    [call] = server.calls
    assert found == {"order_1": {"id": "order_1"}}
    assert parse_qs(urlsplit(call.request.url).query)["id[]"] == ["order_1", "order_2"]


def test_no_more_orders_are_asked_for_than_fit_into_a_question(medusa: Medusa) -> None:
    with pytest.raises(ValueError, match="at most 20"):
        medusa.find_orders([f"order_{n}" for n in range(21)])


def test_an_answer_without_the_orders_is_unavailable(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(f"{URL}/admin/orders", json={})

    unavailable(lambda: medusa.find_orders(["order_1"]))


def test_a_ping_asks_for_the_health(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.get(f"{URL}/health", body="OK")

    medusa.ping()


def test_a_cart_is_made_in_the_shop(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.post(f"{URL}/store/carts", json={"cart": {"id": "cart_1"}})

    cart = medusa.create_cart(email="ada@example.test", currency_code="aud", lines=[LINE], metadata={"n": "BK-1"})

    [call] = server.calls
    assert cart["id"] == "cart_1"
    assert call.request.headers["x-publishable-api-key"] == "pk_test"
    assert json.loads(call.request.body) == {
        "currency_code": "aud",
        "items": [LINE],
        "metadata": {"n": "BK-1"},
        "email": "ada@example.test",
    }


def test_an_answer_without_the_cart_is_unavailable(server: responses.RequestsMock, medusa: Medusa) -> None:
    server.post(f"{URL}/store/carts", json={"cart": None})

    unavailable(lambda: medusa.create_cart(email=None, currency_code="aud", lines=[LINE], metadata={}))
