"""A server that answers well, badly, late or not at all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
import responses

from bridge.clients.servers import MAX_ANSWER_BYTES, JsonServer
from bridge.errors import PlatformRefused, PlatformUnavailable

URL = "https://platform.test"
ORDER = f"{URL}/orders/1"


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def server(slept: list[float]) -> JsonServer:
    return JsonServer(URL, sleep=slept.append)


def unavailable(call: Callable[[], object]) -> PlatformUnavailable:
    with pytest.raises(PlatformUnavailable) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 301, 302, 307])
def test_what_may_pass_is_tried_four_times(
    network: responses.RequestsMock, server: JsonServer, slept: list[float], status: int
) -> None:
    network.get(ORDER, status=status, headers={"location": "https://elsewhere.test/"})

    error = unavailable(lambda: server.get("/orders/1"))

    assert len(network.calls) == 4
    assert len(slept) == 3
    assert all(wait <= limit for wait, limit in zip(slept, (0.5, 1, 2), strict=True))
    assert str(status) in error.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422])
def test_a_refusal_is_final(
    network: responses.RequestsMock, server: JsonServer, slept: list[float], status: int
) -> None:
    network.get(ORDER, status=status, json={"type": "some_type", "message": "Order with id: order_1 was not found"})

    with pytest.raises(PlatformRefused, match="Order with id: order_1 was not found") as caught:
        server.get("/orders/1")

    assert caught.value.details == {"status": status}
    assert (len(network.calls), slept) == (1, [])


def test_a_refusal_need_not_give_a_reason(network: responses.RequestsMock, server: JsonServer) -> None:
    network.get(ORDER, status=404)

    with pytest.raises(PlatformRefused, match="no reason given"):
        server.get("/orders/1")


def test_a_proxy_that_lost_its_backend_has_not_lost_the_order(
    network: responses.RequestsMock, server: JsonServer
) -> None:
    network.get(ORDER, status=404, body="404 page not found")

    unavailable(lambda: server.get("/orders/1"))


def test_a_passing_failure_is_not_noticed(network: responses.RequestsMock, server: JsonServer) -> None:
    network.get(ORDER, status=503)
    network.get(ORDER, body=requests.ConnectionError("reset"))
    network.get(ORDER, body=requests.ReadTimeout("slow"))
    network.get(ORDER, json={"id": "order_1"})

    assert server.get("/orders/1") == {"id": "order_1"}


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectTimeout("x"),
        requests.ReadTimeout("x"),
        requests.ConnectionError("x"),
        requests.exceptions.ChunkedEncodingError("x"),
    ],
)
def test_a_server_that_is_not_there_is_unavailable(
    network: responses.RequestsMock, server: JsonServer, error: Exception
) -> None:
    network.get(ORDER, body=error)

    unavailable(lambda: server.get("/orders/1"))

    assert len(network.calls) == 4


@pytest.mark.parametrize(
    "body", ["", '{"order": {"id": "order_1"', "<html>Welcome</html>", "[]", "null", "7", "[" * 100_000, b"\xff\xfe"]
)
def test_an_answer_that_is_no_object_is_asked_for_again(
    network: responses.RequestsMock, server: JsonServer, body: str | bytes
) -> None:
    network.get(ORDER, body=body)

    unavailable(lambda: server.get("/orders/1"))

    assert len(network.calls) == 4


def test_an_answer_without_end_is_not_read(network: responses.RequestsMock, server: JsonServer) -> None:
    network.get(ORDER, body=b" " * (MAX_ANSWER_BYTES + 1))

    assert "larger" in unavailable(lambda: server.get("/orders/1")).message


def test_retry_after_in_seconds_is_honoured(
    network: responses.RequestsMock, server: JsonServer, slept: list[float]
) -> None:
    network.get(ORDER, status=429, headers={"retry-after": "7"})
    network.get(ORDER, json={"id": "order_1"})

    server.get("/orders/1")

    assert 7 <= slept[0] <= 7.5


def test_retry_after_as_a_date_is_honoured(
    network: responses.RequestsMock, server: JsonServer, slept: list[float]
) -> None:
    until = datetime.now(UTC) + timedelta(seconds=10)
    network.get(ORDER, status=503, headers={"retry-after": format_datetime(until, usegmt=True)})
    network.get(ORDER, json={"id": "order_1"})

    server.get("/orders/1")

    assert 8 <= slept[0] <= 10.5


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "²", "Wed, 21 Oct 2015 07:28:00 GMT", "99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_passed_over(
    network: responses.RequestsMock, server: JsonServer, slept: list[float], value: str
) -> None:
    network.get(ORDER, status=503, headers={"retry-after": value})

    unavailable(lambda: server.get("/orders/1"))

    assert max(slept) <= 2


def test_a_long_retry_after_is_left_to_the_caller(
    network: responses.RequestsMock, server: JsonServer, slept: list[float]
) -> None:
    network.get(ORDER, status=503, headers={"retry-after": "120"})

    error = unavailable(lambda: server.get("/orders/1"))

    assert error.retry_after == 120
    assert (len(network.calls), slept) == (1, [])


def test_short_waits_do_not_add_up_past_the_deadline(network: responses.RequestsMock, slept: list[float]) -> None:
    network.get(ORDER, status=503, headers={"retry-after": "5"})

    error = unavailable(lambda: JsonServer(URL, deadline_seconds=4, sleep=slept.append).get("/orders/1"))

    assert (error.retry_after, slept) == (5, [])


def test_a_trickle_ends_at_the_deadline(slept: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_trickle, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()

        unavailable(lambda: JsonServer(url, deadline_seconds=0.5, sleep=slept.append).get("/orders/1"))

        assert time.monotonic() - started < 3


def _trickle(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        try:
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            return


def test_a_ping_asks_once(network: responses.RequestsMock, server: JsonServer, slept: list[float]) -> None:
    network.get(f"{URL}/health", body="OK")
    network.get(f"{URL}/health", status=503)

    server.ping("/health")
    unavailable(lambda: server.ping("/health"))

    assert (len(network.calls), slept) == (2, [])
