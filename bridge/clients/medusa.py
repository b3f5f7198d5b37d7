"""Medusa's HTTP API, as far as the bridge needs it: orders, carts, refunds.

Every call ends in time: with an answer, with PlatformRefused (asking again would not help), or with
PlatformUnavailable (it may help later; `retry_after` says when, in seconds).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from requests.auth import HTTPBasicAuth

from bridge.clients.servers import DEADLINE_SECONDS, Json, JsonServer
from bridge.config import Config
from bridge.errors import PlatformNotConfigured, PlatformRefused, PlatformUnavailable

# Medusa writes a refund down before it asks the payment provider, and deletes it again when that fails: so one whose
# answer was lost is not looked for before this is settled.
REFUND_SETTLES_SECONDS = 60
PAGE_ORDERS = 100
# What the parser of queries in Medusa takes as a list; more would be read as something else.
MAX_IDS = 20

# What Medusa's ids are made of; anything else would be a path of somebody else's making.
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

# Naming any field without a prefix replaces Medusa's defaults, which leave out what an order is worth knowing by.
ORDER_FIELDS = (
    "id,status,is_draft_order,version,updated_at,canceled_at,email,currency_code,metadata"
    ",*items,*items.detail,*payment_collections,*payment_collections.payments"
)
CART_FIELDS = "id,completed_at,updated_at,metadata,items.id,items.quantity,items.metadata"
PAYMENT_FIELDS = "id,amount,currency_code,captured_at,canceled_at,*captures,*refunds"
ORDER_PAYMENT_FIELDS = (
    "id,*payment_collections,*payment_collections.payments"
    ",*payment_collections.payments.captures,*payment_collections.payments.refunds"
)


class Medusa:
    """One Medusa server. Raises PlatformNotConfigured without MEDUSA_URL. Not shared between threads.

    `deadline_seconds` bounds each call with all its repeats: make it short where somebody waits for an answer.
    """

    def __init__(
        self,
        config: Config,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not config.medusa_url:
            raise PlatformNotConfigured()
        if not config.medusa_url.startswith(("http://", "https://")):
            raise PlatformNotConfigured("MEDUSA_URL does not start with http:// or https://.")
        self._server = JsonServer(config.medusa_url, deadline_seconds=deadline_seconds, sleep=sleep)
        self._api_key = config.medusa_api_key
        self._publishable_key = config.medusa_publishable_key

    def get_order(self, order_id: str) -> Json:
        """The order as the admin API shows it now."""
        path = f"/admin/orders/{_checked(order_id)}"
        return self._get_one(path, "order", order_id, params={"fields": ORDER_FIELDS}, **self._admin())

    def find_orders(self, order_ids: Sequence[str]) -> dict[str, Json]:
        """Those of these orders that the platform lists, by id: at most MAX_IDS of them are asked for."""
        if len(order_ids) > MAX_IDS:
            raise ValueError(f"at most {MAX_IDS} ids fit into one question")
        params = {"fields": ORDER_FIELDS, "id[]": list(order_ids), "limit": MAX_IDS}
        answer = self._server.get("/admin/orders", params=params, **self._admin())
        if not isinstance(answer.get("orders"), list):
            raise PlatformUnavailable("The platform answered without a list of orders.")
        return {order["id"]: order for order in _objects(answer, "orders") if order.get("id") in order_ids}

    def get_cart(self, cart_id: str) -> Json:
        """The cart as the store API shows it now; there is no other API for carts."""
        path = f"/store/carts/{_checked(cart_id)}"
        return self._get_one(path, "cart", cart_id, params={"fields": CART_FIELDS}, headers=self._shop())

    def create_cart(self, *, email: str | None, currency_code: str, lines: list[Json], metadata: Json) -> Json:
        """Make a cart with these lines ({variant_id, quantity, unit_price, title, metadata}), and answer it.

        Asked twice there are two: whoever asks keeps the id of the first. A cart nobody pays for does no harm.
        """
        body = {"currency_code": currency_code, "items": lines, "metadata": metadata}
        if email:
            body["email"] = email
        answer = self._server.post_once("/store/carts", json=body, settles_seconds=0, headers=self._shop())
        cart = answer.get("cart")
        if not isinstance(cart, dict) or not isinstance(cart.get("id"), str):
            raise PlatformUnavailable("The platform answered without the cart it was asked to make.")
        return cart

    def list_orders(self, updated_since: datetime, *, limit: int = PAGE_ORDERS) -> Iterator[Json]:
        """Every order changed at or after `updated_since`, the longest unchanged first; now and then one twice.

        An order that changes meanwhile moves to the end and pulls the others forward, so a plain offset would skip
        one of them. Each page therefore starts at the last time seen; the offset only passes over equal times.
        """
        since, offset = updated_since.astimezone(UTC), 0
        last_page: list[object] = []
        while True:
            page, is_last = self._order_page(since, offset, limit)
            yield from (order for order in page if _version_of(order) not in last_page)
            if is_last:
                return
            newest = _updated_at(page[-1])
            since, offset = (newest, 0) if newest and newest > since else (since, offset + len(page))
            last_page = [_version_of(order) for order in page]

    def list_payments(self, order_id: str) -> list[Json]:
        """The payments of an order, each with its captures and refunds."""
        path = f"/admin/orders/{_checked(order_id)}"
        order = self._get_one(path, "order", order_id, params={"fields": ORDER_PAYMENT_FIELDS}, **self._admin())
        collections = _objects(order, "payment_collections")
        return [payment for collection in collections for payment in _objects(collection, "payments")]

    def refund_payment(self, payment_id: str, amount: Decimal, note: str) -> Json:
        """Pay `amount` back once, however often it is called with the same note. Returns the refund.

        Medusa knows no idempotency keys, so `note` is one: a refund that carries it is taken as this one. Not safe
        to call twice at the same moment with one note.
        """
        if amount <= 0 or not note:
            raise ValueError("a refund needs an amount above 0 and a note of its own")
        path = f"/admin/payments/{_checked(payment_id)}"
        options: Json = {"params": {"fields": PAYMENT_FIELDS}, **self._admin()}
        payment = self._get_one(path, "payment", payment_id, **options)
        if not isinstance(payment.get("refunds"), list):
            raise PlatformUnavailable("The platform does not show which refunds there are, so none is made.")
        if refund := _find_refund(payment, note):
            return refund
        body = {"amount": _json_number(amount), "note": note}
        answer = self._server.post_once(f"{path}/refund", json=body, settles_seconds=REFUND_SETTLES_SECONDS, **options)
        # It was taken, so whatever the answer leaves out, an error here would have it paid again.
        return _find_refund(answer.get("payment"), note) or body

    def ping(self) -> None:
        """Ask once whether the platform is up. Raises PlatformUnavailable or PlatformRefused when it is not."""
        self._server.ping("/health")

    def _admin(self) -> Json:
        if not self._api_key:
            raise PlatformNotConfigured("MEDUSA_API_KEY is not set, so the platform cannot be asked.")
        # A secret API key is the user name of HTTP Basic, with no password. As bytes: requests would take Latin-1.
        return {"auth": HTTPBasicAuth(self._api_key.encode(), b"")}

    def _shop(self) -> dict[str, str]:
        if not self._publishable_key:
            raise PlatformNotConfigured("MEDUSA_PUBLISHABLE_KEY is not set, so the platform cannot be asked for carts.")
        return {"x-publishable-api-key": self._publishable_key}

    def _order_page(self, since: datetime, offset: int, limit: int) -> tuple[list[Json], bool]:
        params = {
            "fields": ORDER_FIELDS,
            "order": "updated_at",
            "updated_at[$gte]": since.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "limit": limit,
            "offset": offset,
        }
        answer = self._server.get("/admin/orders", params=params, **self._admin())
        if not isinstance(answer.get("orders"), list):
            raise PlatformUnavailable("The platform answered without a list of orders.")
        page, count = _objects(answer, "orders"), answer.get("count")
        is_last = offset + len(page) >= count if isinstance(count, int) else len(page) < limit
        return page, is_last or not page

    def _get_one(self, path: str, noun: str, wanted_id: str, **options: Any) -> Json:
        found = self._server.get(path, **options).get(noun)
        if not isinstance(found, dict) or found.get("id") != wanted_id:
            raise PlatformUnavailable(f"The platform answered without the {noun} it was asked for.")
        return found


def _checked(some_id: str) -> str:
    if not _ID.fullmatch(some_id):
        raise PlatformRefused("The platform has no such id.", status=404)
    return some_id


def _objects(holder: Json, name: str) -> list[Json]:
    return [item for item in holder.get(name) or () if isinstance(item, dict)]


def _find_refund(payment: object, note: str) -> Json | None:
    refunds = _objects(payment, "refunds") if isinstance(payment, dict) else []
    return next((refund for refund in refunds if refund.get("note") == note and not refund.get("deleted_at")), None)


def _version_of(order: Json) -> object:
    return order.get("id"), order.get("updated_at")


def _updated_at(order: Json) -> datetime | None:
    try:
        return datetime.fromisoformat(str(order.get("updated_at"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _json_number(amount: Decimal) -> int | float:
    # Medusa takes a JSON number; a float is written as the shortest decimal that reads back as itself.
    return int(amount) if amount == amount.to_integral_value() else float(amount)
