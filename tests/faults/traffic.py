"""Customers who race for few seats over HTTP, and their orders, which a platform sends on as signed webhooks."""

from __future__ import annotations

import json
import random
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import requests
from standardwebhooks import Webhook

from tests.faults.platform import Platform
from tests.faults.sender import AGAIN, Sender
from tests.faults.truth import HoldKnown, Line, Order, Seat, Truth

CAPACITY = 4
RESOURCES = 4
SHORT_HOLD_MINUTES = 0.05  # 3 s: of the one resource whose holds are gone when the order comes.
WINDOW_DAYS = 3  # Everybody wants the same few days; the next ones when these are full.
FULL_AFTER = 12  # Refusals.
PATIENCE_SECONDS = 180  # A customer whose call is not answered repeats it for as long.
TIMEOUT_SECONDS = 15


class Traffic:
    """Starts at once; `stop` ends it and waits until all that was sent is accepted."""

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        admin_key: str,
        platform: Platform,
        seed: int,
        customers: int = 4,
        rest_seconds: tuple[float, float] = (0.05, 0.3),
        days: int = 60,
    ) -> None:
        self.truth = Truth()
        self._url, self._platform = url, platform
        self._admin_shop = requests.Session()
        self._admin_shop.headers["Authorization"] = f"Bearer {admin_key}"
        self._secret = secret
        self._rest_seconds = rest_seconds
        self._first_day = datetime.now(UTC).date() + timedelta(days=30)
        self._days = days
        self._window, self._refused = 0, 0
        self._resources, self._short_resource = self._make_resources()
        self._sender = Sender(url, secret, self.truth, seed=seed)
        self._stopping = threading.Event()
        self._customers = [
            threading.Thread(target=_Customer(self, random.Random(f"{seed}:{n}"), n).live, daemon=True)
            for n in range(customers)
        ]
        for customer in self._customers:
            customer.start()

    @property
    def stopping(self) -> threading.Event:
        return self._stopping

    def stop(self, *, seconds: float = PATIENCE_SECONDS) -> Truth:
        """No new customers; those in the shop finish what they do."""
        self._stopping.set()
        for customer in self._customers:
            customer.join(seconds)
        self._sender.stop(seconds=seconds)
        return self.truth

    def choose_seats(self, dice: random.Random, *, short: bool) -> tuple[str, tuple[date, ...]]:
        """A resource and one or two days next to each other, of those that everybody wants."""
        resource_id = self._short_resource if short else dice.choice(self._resources)
        offset = (self._window + dice.randrange(WINDOW_DAYS)) % (self._days - 1)
        first = self._first_day + timedelta(days=offset)
        return resource_id, (first, first + timedelta(days=1))[: dice.choice([1, 1, 2])]

    def send_refused(self, sent_at: datetime) -> None:
        """Post an event signed at a time that cannot be: it must be answered 401."""
        webhook_id, body = f"msg_{uuid4().hex}", json.dumps({"type": "order.placed", "data": {"id": "order_none"}})
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": Webhook(self._secret).sign(webhook_id, sent_at, body),
            "content-type": "application/json",
        }
        try:
            answer = requests.post(f"{self._url}/webhooks/medusa", body, headers=headers, timeout=TIMEOUT_SECONDS)
        except requests.RequestException:
            return  # The web may be away just now.
        if answer.status_code != 401:
            self.truth.surprise(f"a sender an hour off was answered {answer.status_code}")

    def place_order(self) -> Order:
        """One order without a hold, of which the bridge is told the id and no more."""
        resource_id, days = self.choose_seats(random.Random(), short=False)
        line = Line(id="item_1", resource_id=resource_id, days=days, quantity=1, may_be_short=True)
        order = Order(id=f"order_{uuid4().hex}", email="one@example.test", lines=[line])
        self.tell("order.placed", order, thin=True)
        return order

    def rest(self, dice: random.Random) -> None:
        self._stopping.wait(dice.uniform(*self._rest_seconds))

    def refused(self) -> None:
        """Somebody found no seats."""
        self.truth.count("refused_holds")
        with self.truth.lock:
            self._refused += 1
            if self._refused % FULL_AFTER == 0:
                self._window += 1

    def tell(self, event_type: str, order: Order, *, thin: bool) -> None:
        """Change the platform's mind about the order, and have an event sent that says so."""
        order.updated_at = datetime.now(UTC)
        self.truth.orders[order.id] = order
        shown = self._platform.show(order)
        data: dict[str, Any] = {"id": order.id} if thin else {"event_data": {"id": order.id}, "order": shown}
        document = {"type": event_type, "timestamp": order.updated_at.isoformat(), "data": data}
        self._sender.send(order.id, json.dumps(document).encode())

    def wanted_seats(self) -> list[Seat]:
        """The seats everybody wants just now."""
        days = [(self._window + n) % self._days for n in range(WINDOW_DAYS)]
        return [(resource, self._first_day + timedelta(days=day)) for resource in self._resources for day in days]

    def ops(self, path: str) -> bool:
        """Do what somebody at the console would; whether it was done."""
        try:
            return self._admin_shop.post(f"{self._url}/ops/api/{path}", json={}, timeout=TIMEOUT_SECONDS).ok
        except requests.RequestException:
            return False

    def _make_resources(self) -> tuple[list[str], str]:
        made = []
        for n in range(RESOURCES + 1):
            body: dict[str, Any] = {"type": "TOUR", "name": f"Tour {n}"}
            if n == RESOURCES:
                body["hold_minutes"] = SHORT_HOLD_MINUTES
            made.append(self._admin("resources", body)["resource"]["id"])
            dates = [self._first_day + timedelta(days=day) for day in range(self._days)]
            self._admin(
                "capacity/initialize",
                {
                    "resource_id": made[-1],
                    "start_date": dates[0].isoformat(),
                    "end_date": dates[-1].isoformat(),
                    "daily_capacity": CAPACITY,
                },
            )
            self.truth.capacity |= {(made[-1], day): CAPACITY for day in dates}
        return made[:-1], made[-1]

    def _admin(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._admin_shop.post(f"{self._url}/admin/resource-booking/{path}", json=body, timeout=TIMEOUT_SECONDS)
        assert answer.ok, answer.text
        made: dict[str, Any] = answer.json()
        return made


class _Customer:
    """One of them, with orders of its own."""

    def __init__(self, traffic: Traffic, dice: random.Random, n: int) -> None:
        self._traffic = traffic
        self._dice = dice
        self._email = f"customer{n}@example.test"
        self._shop = requests.Session()
        self._orders: list[Order] = []
        self._late: list[tuple[float, HoldKnown]] = []  # Holds to be paid for when they are long gone.

    def live(self) -> None:
        """Come back again and again, until the traffic stops."""
        try:
            while not self._traffic.stopping.is_set():
                self._visit()
                self._traffic.rest(self._dice)
            for _due, hold in self._late:
                self._order(hold)
        except Exception as error:
            self._traffic.truth.surprise(f"a customer fell over: {type(error).__name__}: {error}")

    def _visit(self) -> None:
        if self._late and self._late[0][0] < time.monotonic():
            self._order(self._late.pop(0)[1])
        elif self._orders and self._dice.random() < 0.45:
            # Mostly one whose news is still on its way, so that the shuffled ones are overtaken.
            recent = self._orders[-3:] if self._dice.random() < 0.7 else self._orders
            self._change(self._dice.choice(recent))
        elif self._dice.random() < 0.1:
            self._order(None)
        elif (hold := self._hold(short=self._dice.random() < 0.15)) is not None:
            self._decide(hold)

    def _decide(self, hold: HoldKnown) -> None:
        if hold.resource_id == self._traffic._short_resource:
            # Paid for long after, or never.
            if self._dice.random() < 0.7:
                self._late.append((time.monotonic() + self._dice.uniform(3, 6), hold))
        elif (fate := self._dice.random()) < 0.75:
            self._order(hold)
        elif fate < 0.93:
            self._release(hold)

    def _hold(self, *, short: bool) -> HoldKnown | None:
        resource_id, days = self._traffic.choose_seats(self._dice, short=short)
        quantity = self._dice.choice([1, 1, 2])
        body = {
            "resource_id": resource_id,
            "dates": [day.isoformat() for day in days],
            "quantity": quantity,
            "customer_email": self._email,
            "idempotency_token": uuid4().hex,
        }
        answer = self._ask("POST", "", json=body)
        if answer is None:
            return None
        if answer.status_code == 409 and answer.json()["code"] == "insufficient_capacity":
            self._traffic.refused()
            return None
        if answer.status_code not in {200, 201}:
            self._traffic.truth.surprise(f"a hold was answered {answer.status_code} {answer.text[:200]}")
            return None
        hold_id = answer.json()["hold"]["id"]
        hold = HoldKnown(
            id=hold_id,
            email=self._email,
            resource_id=resource_id,
            days=days,
            quantity=quantity,
            expires_at=datetime.fromisoformat(answer.json()["hold"]["expires_at"]),
        )
        self._traffic.truth.holds[hold_id] = hold
        return hold

    def _release(self, hold: HoldKnown) -> None:
        answer = self._ask("DELETE", f"/{hold.id}", params={"customer_email": self._email})
        # The second time, after a connection that broke, it is no longer active.
        if answer is not None and (answer.ok or answer.json()["code"] == "hold_not_active"):
            hold.released = True
        elif answer is not None:
            self._traffic.truth.surprise(f"a release was answered {answer.status_code} {answer.text[:200]}")

    def _order(self, hold: HoldKnown | None) -> None:
        if hold is None:
            resource_id, days = self._traffic.choose_seats(self._dice, short=False)
            line = Line(id="item_1", resource_id=resource_id, days=days, quantity=1, may_be_short=True)
        else:
            is_late = hold.resource_id == self._traffic._short_resource
            line = Line(
                id="item_1",
                resource_id=hold.resource_id,
                days=hold.days,
                quantity=hold.quantity,
                hold=hold,
                may_be_short=is_late,
            )
        order = Order(id=f"order_{uuid4().hex}", email=self._email, lines=[line])
        if hold is not None:
            hold.order_id = order.id
        self._tell("order.placed", order)
        self._orders = [*self._orders[-30:], order]

    def _change(self, order: Order) -> None:
        line = order.lines[0]
        kind = self._dice.choice(["edit", "cancel", "cancel", "return", "look"])
        if kind == "look" or order.is_cancelled:
            self._tell("order.updated", order)
            return
        order.version += 1
        if kind == "cancel":
            order.is_cancelled = True
            self._orders.remove(order)
            self._tell("order.canceled", order)
        elif kind == "return" and line.wanted:
            line.returned += 1
            self._tell("order.return_received", order)
        else:
            change = self._dice.choice([-1, 1])
            if line.quantity + change >= 1:
                line.quantity += change
                # More than the hold kept, or what it kept was given back and may be gone: seats may be short.
                line.may_be_short = line.may_be_short or change > 0
            self._tell("order-edit.confirmed", order)

    def _tell(self, event_type: str, order: Order) -> None:
        for line in order.lines:
            line.was_empty = line.was_empty or not line.wanted
        self._traffic.tell(event_type, order, thin=self._dice.random() < 0.5)

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response | None:
        """An answer that is one, however often it takes; None when there was none for a long time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        url = f"{self._traffic._url}/store/resource-booking/holds{path}"
        while time.monotonic() < deadline:
            try:
                answer = self._shop.request(method, url, timeout=TIMEOUT_SECONDS, **options)
            except requests.RequestException:
                self._traffic.truth.count("unanswered_calls")
            else:
                if answer.status_code not in AGAIN:
                    return answer
                self._traffic.truth.count("unavailable_answers")
            time.sleep(self._dice.uniform(0.1, 0.5))
        self._traffic.truth.surprise(f"{method} {path} was not answered for {PATIENCE_SECONDS} s")
        return None
