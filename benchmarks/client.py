"""The load: many keep-alive connections driven by one thread, made to cost as little as Python can.

`python -m benchmarks.client` reads one Plan as JSON from standard input and writes one Result as JSON to standard
output. A process of its own, so that the server's interpreter is never shared; no HTTP library, because any of them
costs as much as what is measured.
"""

from __future__ import annotations

import heapq
import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from math import ceil
from pathlib import Path
from typing import Any
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
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came back. Latencies are in milliseconds; paced ones count from when the request was due."""

    requests: int
    requests_in_all: int  # With those of the warm-up, and those under way when time was up.
    seconds: float
    per_second: float
    errors: int
    unexpected: Mapping[str, int]  # "<kind> <status>": how often.
    latency: Mapping[str, float]
    by_kind: Mapping[str, Mapping[str, float]]
    client_cpu: float  # The share of one core that this process used.


def run(plan: Plan) -> Result:
    """Carry out `plan` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"],
        cwd=Path(__file__).parents[1],
        input=json.dumps(asdict(plan)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Result(**json.loads(done.stdout))


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
        self._host = f"Host: 127.0.0.1:{plan.port}\r\n".encode()
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
        with socket.create_connection(("127.0.0.1", plan.port), PATIENCE_SECONDS) as connection:
            # Ten pages are enough, and soon fetched.
            paths = self._random.sample(self._paths(), k=10)
            self._requests = [self._revalidation(connection, path) for path in paths]

    def _revalidation(self, connection: socket.socket, path: str) -> Request:
        connection.sendall(self._get(path))
        answer = b""
        while not _is_complete(answer):
            answer += connection.recv(MAX_RESPONSE_BYTES)
        tag = _header(answer, b"etag")
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
        at = answer.find(b'"hold_')
        if at > 0:
            self._placed.append(answer[at + 1 : answer.index(b'"', at + 1)])


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


SCENARIOS: Mapping[str, type[Scenario]] = {
    "constant": Constant,
    "place": Place,
    "read": Read,
    "revalidate": Revalidate,
    "month": Month,
    "mixed": Mixed,
    "slots": Slots,
    "book": Book,
}


@dataclass(slots=True, eq=False)
class _User:
    number: int
    connection: socket.socket
    request: Request | None = None
    sent_at: float = 0.0
    due_at: float = 0.0
    answer: bytes = b""


@dataclass(slots=True)
class _Load:
    """The users of one plan, and what was measured of them."""

    plan: Plan
    scenario: Scenario
    latencies: dict[str, list[float]] = field(default_factory=dict)
    unexpected: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def measure(self) -> Result:
        """Warm up, measure, sum up."""
        selector = selectors.DefaultSelector()
        users = [_User(number, _connect(self.plan.port)) for number in range(self.plan.connections)]
        for user in users:
            selector.register(user.connection, selectors.EVENT_READ, user)
        self._drive(selector, users, self.plan.warmup_seconds)
        self.latencies.clear()
        self.unexpected.clear()
        cpu, started = time.process_time(), time.perf_counter()
        self._drive(selector, users, self.plan.seconds)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        for user in users:
            user.connection.close()
        return self._result(seconds, cpu)

    def _drive(self, selector: selectors.BaseSelector, users: Sequence[_User], seconds: float) -> None:
        """Send and receive for `seconds`, then receive what is under way."""
        now = time.perf_counter()
        end = now + seconds
        cycle = len(users) / self.plan.pace if self.plan.pace else 0.0
        waiting: list[tuple[float, int]] = []  # (when due, which user), for users between two requests.
        for user in users:
            # Spread over a cycle: users do not march in step.
            user.due_at = now + cycle * user.number / len(users)
            if user.due_at < end:
                heapq.heappush(waiting, (user.due_at, user.number))
        under_way = 0
        while under_way or waiting:
            now = time.perf_counter()
            while waiting and waiting[0][0] <= now:
                _due_at, number = heapq.heappop(waiting)
                self._send(users[number], now)
                under_way += 1
            events = selector.select(max(0.0, waiting[0][0] - now) if waiting else PATIENCE_SECONDS)
            if not events and not waiting:
                self.unexpected["no answer"] += under_way
                return
            for key, _mask in events:
                user = key.data
                if not self._receive(user):
                    continue
                under_way -= 1
                now = time.perf_counter()
                user.due_at = user.due_at + cycle if cycle else now
                if user.due_at < end:
                    heapq.heappush(waiting, (user.due_at, user.number))

    def _send(self, user: _User, now: float) -> None:
        request = self.scenario.next()
        user.request = request
        self.sent += 1
        # Paced: from when it was due, else a stalled server would be asked less and look better for it.
        user.sent_at = user.due_at if self.plan.pace else now
        user.answer = b""
        user.connection.send(request.content)

    def _receive(self, user: _User) -> bool:
        """Whether the answer is complete now."""
        request = user.request
        assert request is not None, "an answer to nothing"
        part = user.connection.recv(MAX_RESPONSE_BYTES)
        user.answer = answer = user.answer + part if user.answer else part
        if not part:
            self.unexpected[f"{request.kind} cut"] += 1
            raise ConnectionError("the server hung up")
        if not _is_complete(answer):
            return False
        self.latencies.setdefault(request.kind, []).append(time.perf_counter() - user.sent_at)
        status = int(answer[9:12])
        if status != request.expected:
            self.unexpected[f"{request.kind} {status}"] += 1
        elif request.on_answer:
            request.on_answer(answer)
        return True

    def _result(self, seconds: float, cpu: float) -> Result:
        everything = [latency for kind in self.latencies.values() for latency in kind]
        return Result(
            requests=len(everything),
            requests_in_all=self.sent,
            seconds=round(seconds, 3),
            per_second=round(len(everything) / seconds, 1),
            errors=sum(self.unexpected.values()),
            unexpected=dict(self.unexpected),
            latency=_percentiles(everything),
            by_kind={kind: _percentiles(latencies) for kind, latencies in sorted(self.latencies.items())},
            client_cpu=round(cpu / seconds, 3),
        )


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _is_complete(answer: bytes) -> bool:
    """Whether this is all of one answer. The server always says Content-Length, where there is content."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _header(answer, b"content-length", end)
    return len(answer) >= end + 4 + int(length or 0) or answer[9:12] == b"304"


def _header(answer: bytes, name: bytes, end: int | None = None) -> bytes:
    at = answer.find(b"\r\n%b: " % name, 0, end)
    if at < 0:
        return b""
    return answer[at + len(name) + 4 : answer.index(b"\r", at + 2)]


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    if not ordered:
        return {}
    shown: dict[str, float] = {
        f"p{p}": round(1000 * ordered[ceil(len(ordered) * p / 100) - 1], 2) for p in (50, 95, 99)
    }
    return shown | {"max": round(1000 * ordered[-1], 2), "count": len(ordered)}


def _main() -> None:
    document: dict[str, Any] = json.load(sys.stdin)
    plan = Plan(**document)
    json.dump(asdict(_Load(plan, SCENARIOS[plan.scenario](plan)).measure()), sys.stdout)


if __name__ == "__main__":
    _main()
