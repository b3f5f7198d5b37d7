"""A platform that real processes can ask: Medusa's admin API, as far as the bridge uses it, over HTTP."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


class Platform:
    """Orders and payments of a shop, and every call that was made."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.url = ""

    def add_order(self, order: dict[str, Any], *, paid: int = 0) -> None:
        """Have an order, paid in one go."""
        payment = {"id": f"pay_{order['id']}", "amount": paid, "captures": [{"amount": paid}], "refunds": []}
        self.payments[payment["id"]] = payment
        self.orders[order["id"]] = {**order, "payment_collections": [{"payments": [payment]}]}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and content, as Medusa gives them."""
        self.calls.append(f"{method} {path}")
        noun, _, rest = path.removeprefix("/admin/").partition("/")
        if (noun, rest) == ("orders", ""):
            orders = sorted(self.orders.values(), key=lambda order: order["updated_at"])
            return 200, {"orders": orders, "count": len(orders)}
        if noun == "orders" and rest in self.orders:
            return 200, {"order": self.orders[rest]}
        if noun == "payments" and (payment := self.payments.get(rest.removesuffix("/refund"))):
            if method == "POST":
                payment["refunds"].append({"amount": body["amount"], "note": body["note"]})
            return 200, {"payment": payment}
        return 404, {"type": "not_found", "message": "not found"}


@contextmanager
def serving() -> Iterator[Platform]:
    """A platform that answers at its `url`."""
    platform = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = re.sub(r"\?.*", "", self.path)
            status, content = platform.answer(self.command, path, orjson.loads(body or b"{}"))
            text = orjson.dumps(content)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815  # the library's name

        def log_message(self, *_args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    platform.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield platform
    server.shutdown()
    server.server_close()
