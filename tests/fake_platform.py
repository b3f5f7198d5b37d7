"""A platform for trying the bridge out: makes carts, and when one is paid for, tells the bridge so by a signed webhook.

`python -m tests.fake_platform` listens where MEDUSA_URL should point, on port 9009 or FAKE_PLATFORM_PORT. Whoever opens
a cart's checkout address has paid for it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import orjson

from bridge.clients import webhooks
from bridge.config import Config

CARTS: dict[str, dict[str, Any]] = {}


class Platform(BaseHTTPRequestHandler):
    """As much of Medusa's API as the bridge asks for here."""

    def do_POST(self) -> None:
        cart = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cart_id = f"cart_{uuid4().hex[:12]}"
        CARTS[cart_id] = cart
        self.answer({"cart": {"id": cart_id, **cart}})

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/checkout":
            self.answer({"order_id": pay(parse_qs(asked.query)["cart_id"][0])})
        else:
            self.answer({"orders": [], "count": 0})

    def answer(self, content: dict[str, Any]) -> None:
        """Send `content` as JSON."""
        body = orjson.dumps(content)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing: the terminal is somebody else's."""


def pay(cart_id: str) -> str:
    """Place the order of a cart and tell the bridge; the order's id."""
    config, cart, order_id = Config.from_env(), CARTS[cart_id], f"order_{uuid4().hex[:12]}"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    order = {
        "id": order_id,
        "status": "pending",
        "version": 1,
        "updated_at": now,
        "email": cart.get("email"),
        "currency_code": cart["currency_code"],
        "metadata": cart["metadata"],
        "items": [{"id": f"item_{n}", **item} for n, item in enumerate(cart["items"])],
    }
    body = orjson.dumps({"type": "order.placed", "timestamp": now, "data": {"order": order}})
    webhooks.send(f"http://{config.host}:{config.port}/webhooks/medusa", config.webhook_secrets[0], body)
    return order_id


if __name__ == "__main__":
    port = int(os.environ.get("FAKE_PLATFORM_PORT", "9009"))
    ThreadingHTTPServer(("127.0.0.1", port), Platform).serve_forever()
