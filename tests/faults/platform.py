"""A platform of our own: a real HTTP server that shows its orders as Medusa does, or misbehaves as servers do."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.faults.truth import Line, Order

# What it may do instead of answering: see _Handler._misbehave.
TROUBLES = ("slow", "500", "429", "half", "wrong", "reset")
SLOW_SECONDS = 10.0
RETRY_AFTER_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, when it came and how it was answered: a status, or a trouble's name."""

    at: float
    order_id: str
    answer: str


@dataclass(slots=True)
class Platform:
    """The orders as they are now, and the mood of the server. Use it within `platform()`."""

    url: str = ""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: str | None = None
    answer_seconds: tuple[float, float] = (0.02, 0.25)  # Long enough for a worker to be killed while it waits.
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def show(self, order: Order) -> dict[str, Any]:
        """Put the order on show as it is now, and return what the API says of it."""
        shown = order_json(order)
        with self.lock:
            self.orders[order.id] = shown
        return shown

    def find(self, order_id: str) -> dict[str, Any] | None:
        with self.lock:
            return self.orders.get(order_id)

    def changed_since(self, since: datetime) -> list[dict[str, Any]]:
        with self.lock:
            found = [order for order in self.orders.values() if datetime.fromisoformat(order["updated_at"]) >= since]
        return sorted(found, key=lambda order: str(order["updated_at"]))

    def note(self, order_id: str, answer: str) -> None:
        with self.lock:
            self.asked.append(Asked(time.monotonic(), order_id, answer))


def order_json(order: Order) -> dict[str, Any]:
    """The order as Medusa's admin API shows it: a line that was taken out is absent, a return leaves its quantity."""
    return {
        "id": order.id,
        "status": "canceled" if order.is_cancelled else "pending",
        "version": order.version,
        "updated_at": order.updated_at.isoformat(),
        "canceled_at": order.updated_at.isoformat() if order.is_cancelled else None,
        "email": order.email,
        "metadata": {},
        "items": [_line_json(line) for line in order.lines if line.quantity],
    }


def _line_json(line: Line) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "resource_id": line.resource_id,
        "booking_dates": [day.isoformat() for day in line.days],
    }
    if line.hold:
        metadata["booking_hold_id"] = line.hold.id
    return {
        "id": line.id,
        "title": "Seats",
        "quantity": line.quantity,
        "unit_price": 100,
        "metadata": metadata,
        "detail": {"return_received_quantity": line.returned, "written_off_quantity": 0},
    }


@contextmanager
def platform() -> Iterator[Platform]:
    """A platform that listens on a free port until the end."""
    shop = Platform()

    class Handler(_Handler):
        platform = shop

    server = _Server(("127.0.0.1", 0), Handler)
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # Somebody may be asleep in a slow answer.
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who asked may have been killed meanwhile."""


class _Handler(BaseHTTPRequestHandler):
    platform: Platform
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        order_id = parts.path.removeprefix("/admin/orders").strip("/")
        trouble = self.platform.trouble
        if trouble is not None:
            self.platform.note(order_id, trouble)
            self._misbehave(trouble, order_id)
            return
        time.sleep(random.uniform(*self.platform.answer_seconds))
        if not order_id:
            self._list(parse_qs(parts.query))
        elif order := self.platform.find(order_id):
            self._answer(200, {"order": order}, order_id)
        else:
            self._answer(404, {"type": "not_found", "message": "Order was not found"}, order_id)

    def _list(self, query: dict[str, list[str]]) -> None:
        since = datetime.fromisoformat(query["updated_at[$gte]"][0].replace("Z", "+00:00"))
        limit, offset = int(query["limit"][0]), int(query["offset"][0])
        found = self.platform.changed_since(since)
        page = found[offset : offset + limit]
        self._answer(200, {"orders": page, "count": len(found), "limit": limit, "offset": offset}, "")

    def _misbehave(self, trouble: str, order_id: str) -> None:
        order = self.platform.find(order_id) or {"id": order_id}
        if trouble == "slow":
            time.sleep(SLOW_SECONDS)
            self._send(200, json.dumps({"order": order}).encode())
        elif trouble == "500":
            self._send(500, b'{"type": "unknown_error", "message": "An unknown error occurred."}')
        elif trouble == "429":
            self._send(429, b"{}", {"Retry-After": str(RETRY_AFTER_SECONDS)})
        elif trouble == "half":
            self._send(200, json.dumps({"order": order}).encode()[:-20])
        elif trouble == "wrong":
            self._send(200, json.dumps({"order": {**order, "id": "order_somebody_elses"}}).encode())
        elif trouble == "reset":
            # Without lingering, closing sends a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            with suppress(OSError):
                self.connection.close()

    def _answer(self, status: int, body: dict[str, Any], order_id: str) -> None:
        self.platform.note(order_id, str(status))
        self._send(status, json.dumps(body).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""
