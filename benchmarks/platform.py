"""What the platform sends: that orders were paid. Beside the customers of scenarios.py."""

from __future__ import annotations

import base64
import hmac
from collections import deque
from datetime import UTC, datetime

from benchmarks.scenarios import Place, Plan, Request, Scenario, find_hold_id


class Webhook(Scenario):
    """The platform tells of orders that were paid, each of one hold."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._key = base64.b64decode(plan.webhook_secret.removeprefix("whsec_"))
        self._holds = iter(plan.hold_ids)

    def next(self) -> Request:
        self._count += 1
        return self._paid(b"%b_%d" % (self._run, self._count), next(self._holds, "hold_none").encode())

    def _paid(self, name: bytes, hold_id: bytes) -> Request:
        now = datetime.now(UTC)
        body = (
            b'{"type":"order.placed","data":{"order":{"id":"order_%b","status":"pending","version":1,"updated_at":"%b",'
            b'"items":[{"id":"item_1","quantity":1,"metadata":{"booking_hold_id":"%b"}}]}}}'
            % (name, now.isoformat().encode(), hold_id)
        )
        stamp = b"%d" % now.timestamp()
        digest = hmac.digest(self._key, b"msg_%b.%b.%b" % (name, stamp, body), "sha256")
        headers = b"webhook-id: msg_%b\r\nwebhook-timestamp: %b\r\nwebhook-signature: v1,%b\r\n" % (
            name, stamp, base64.b64encode(digest),
        )  # fmt: skip
        return Request("webhook", self._post(b"/webhooks/medusa", body, headers), 202)


class Shop(Webhook):
    """Every user places a hold, and the platform tells that it was paid. What was answered 201 and 202 is kept."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._place = Place(plan)
        self._placed: deque[bytes] = deque()
        self.told = {"holds": [], "orders": []}

    def next(self) -> Request:
        self._count += 1
        if not self._placed:
            request = self._place.next()
            request.on_answer = self._remember
            return request
        name = b"%b_%d" % (self._run, self._count)
        request = self._paid(name, self._placed.popleft())
        request.on_answer = lambda _answer: self.told["orders"].append(f"order_{name.decode()}")
        return request

    def _remember(self, answer: bytes) -> None:
        self._placed.append(find_hold_id(answer))
        self.told["holds"].append(self._placed[-1].decode())
