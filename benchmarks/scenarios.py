"""What a load consists of: the plan, and who asks for what. Ready-made bytes, for the client is to cost little."""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import uuid4

MAX_RESPONSE_BYTES = 1 << 18  # One read takes any answer that is measured here.
PATIENCE_SECONDS = 30  # A server that says nothing for so long is broken, not slow.
RANGE_DAYS = 30
STORE = "/store/resource-booking"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send, to whom, by how many at a time."""

    scenario: str  # A key of SCENARIOS.
    port: int
    # Several take turns: every user talks to one of them. With `failover`, to the next when it hangs up.
    hosts: Sequence[str] = ("127.0.0.1",)
    failover: bool = False
    connections: int
    seconds: float
    warmup_seconds: float = 0.5
    # Requests a second of all users together; 0 lets each send its next as soon as it has its answer.
    pace: float = 0
    resources: Sequence[str] = ()
    first_date: str = ""
    days: int = 1
    api_key: str = ""
    service: str = ""
    webhook_secret: str = ""
    hold_ids: Sequence[str] = ()  # For webhooks: whose orders are told of, one after the other.
    seed: int = 1


@dataclass(slots=True)
class Request:
    """One request: its bytes, which kind it counts as, and the status it should get."""

    kind: str
    content: bytes
    expected: int
    on_answer: Callable[[bytes], None] | None = None


class Scenario:
    """Who asks for what. `next` is called for every request, so it only joins ready-made bytes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)  # Cheap and repeatable: nothing here is a secret.
        self._host = f"Host: {plan.hosts[0]}:{plan.port}\r\n".encode()
        self.told: dict[str, list[str]] = {}  # What was promised to whom, by kind, where somebody asks afterwards.
        self._count = 0
        self._run = uuid4().hex[:12].encode()
        first = date.fromisoformat(plan.first_date) if plan.first_date else date(2030, 1, 1)
        self._dates = [(first + timedelta(days=n)).isoformat() for n in range(plan.days)]

    def next(self) -> Request:
        """The next request of whichever user is free."""
        raise NotImplementedError

    def _get(self, path: str, headers: bytes = b"") -> bytes:
        return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path.encode(), self._host, headers)

    def _post(self, path: bytes, body: bytes, headers: bytes = b"") -> bytes:
        return (
            b"POST %b HTTP/1.1\r\n%b%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (path, self._host, headers, len(body), body)
        )  # fmt: skip


class Constant(Scenario):
    """The same small request again and again: what the client itself can do."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._request = Request("constant", self._get("/healthz"), 200)

    def next(self) -> Request:
        return self._request


class Place(Scenario):
    """Every user places holds, each on one date, each under a token of its own."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._bodies = [
            f'{{"resource_id":"{resource}","dates":["{day}"],"quantity":1,"customer_email":"user%d@example.test",'
            '"idempotency_token":"%b-%d"}'.encode()
            for resource in plan.resources
            for day in self._dates
        ]

    def next(self) -> Request:
        self._count += 1
        body = self._random.choice(self._bodies) % (self._count % 1000, self._run, self._count)
        return Request("place", self._post(b"/store/resource-booking/holds", body), 201)


class Read(Scenario):
    """Every user asks what is free on 30 days."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._requests = [Request("read", self._get(path), 200) for path in self._paths()]

    def next(self) -> Request:
        return self._random.choice(self._requests)

    def _paths(self) -> list[str]:
        starts = range(max(1, len(self._dates) - RANGE_DAYS + 1))
        return [
            f"{STORE}/availability?resource_id={resource}&start_date={self._dates[start]}"
            f"&end_date={(date.fromisoformat(self._dates[start]) + timedelta(days=RANGE_DAYS - 1)).isoformat()}"
            for resource in self._plan.resources
            for start in starts
        ]


class Month(Read):
    """Every user looks at a month of a tour."""

    def _paths(self) -> list[str]:
        months = sorted({(int(day[:4]), int(day[5:7])) for day in self._dates})
        return [
            f"/api/calendar/tours/{tour}/monthly?year={year}&month={month}"
            for tour in self._plan.resources
            for year, month in months
        ]


class Revalidate(Read):
    """Every user asks again for what it has seen: If-None-Match, 304."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        with socket.create_connection((plan.hosts[0], plan.port), PATIENCE_SECONDS) as connection:
            # Ten pages are enough, and soon fetched.
            paths = self._random.sample(self._paths(), k=10)
            self._requests = [self._revalidation(connection, path) for path in paths]

    def _revalidation(self, connection: socket.socket, path: str) -> Request:
        connection.sendall(self._get(path))
        answer = b""
        while not is_complete(answer):
            answer += connection.recv(MAX_RESPONSE_BYTES)
        tag = find_header(answer, b"etag")
        return Request("revalidate", self._get(path, b"If-None-Match: %b\r\n" % tag), 304)


class Mixed(Scenario):
    """Of every ten requests seven read 30 days, two place a hold, one confirms or releases one placed before."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read, self._place = Read(plan), Place(plan)
        self._placed: deque[bytes] = deque()
        self._authorization = f"Authorization: Bearer {plan.api_key}\r\n".encode()

    def next(self) -> Request:
        dice = self._random.random()
        if dice < 0.7:
            return self._read.next()
        if dice < 0.9 or not self._placed:
            request = self._place.next()
            request.on_answer = self._remember
            return request
        self._count += 1
        hold_id = self._placed.popleft()
        if self._count % 2:
            path = b"%b/holds/%b" % (STORE.encode(), hold_id)
            return Request("release", b"DELETE %b HTTP/1.1\r\n%b\r\n" % (path, self._host), 200)
        body = b'{"order_id":"order_%b_%d","line_item_id":"item_1"}' % (self._run, self._count)
        path = b"%b/holds/%b/confirm" % (STORE.encode(), hold_id)
        return Request("confirm", self._post(path, body, self._authorization), 200)

    def _remember(self, answer: bytes) -> None:
        self._placed.append(find_hold_id(answer))


class Slots(Scenario):
    """Every user asks when a service can start on one of some days, with anybody."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        path = f"/store/bookings/availability?service_id={plan.service}&date="
        self._requests = [Request("slots", self._get(path + day), 200) for day in self._dates]

    def next(self) -> Request:
        return self._random.choice(self._requests)


class Book(Scenario):
    """Every user books half an hour of one of some members of staff, each at a time of their day."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._bodies = [
            f'{{"service_id":"{plan.service}","staff_id":"{staff}","start_at":"{day}T0{hour}:00:00Z",'
            '"customer_email":"user%d@example.test"}'.encode()
            for staff in plan.resources
            for day in self._dates
            for hour in range(6)
        ]

    def next(self) -> Request:
        self._count += 1
        body = self._random.choice(self._bodies) % (self._count % 1000)
        return Request("book", self._post(b"/store/bookings", body), 201)


class SoldOut(Place):
    """Every user asks for what is gone."""

    def next(self) -> Request:
        request = super().next()
        request.kind, request.expected = "sold out", 409
        return request


def is_complete(answer: bytes) -> bool:
    """Whether this is all of one answer. The server always says Content-Length, where there is content."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = find_header(answer, b"content-length", end)
    return len(answer) >= end + 4 + int(length or 0) or answer[9:12] == b"304"


def find_header(answer: bytes, name: bytes, end: int | None = None) -> bytes:
    at = answer.find(b"\r\n%b: " % name, 0, end)
    if at < 0:
        return b""
    return answer[at + len(name) + 4 : answer.index(b"\r", at + 2)]


def find_hold_id(answer: bytes) -> bytes:
    at = answer.index(b'"hold_') + 1
    return answer[at : answer.index(b'"', at)]
