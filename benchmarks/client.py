"""The load: many keep-alive connections driven by one thread, made to cost as little as Python can.

`python -m benchmarks.client` reads one Plan as JSON from standard input and writes one Result as JSON to standard
output. A process of its own, so that the server's interpreter is never shared; no HTTP library, because any of them
costs as much as what is measured.
"""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks import platform, scenarios
from benchmarks.scenarios import MAX_RESPONSE_BYTES, PATIENCE_SECONDS, Plan, Request, Scenario, is_complete

__all__ = ["Plan", "Result", "run"]

SCENARIOS: Mapping[str, type[Scenario]] = {
    "constant": scenarios.Constant,
    "place": scenarios.Place,
    "read": scenarios.Read,
    "revalidate": scenarios.Revalidate,
    "month": scenarios.Month,
    "mixed": scenarios.Mixed,
    "slots": scenarios.Slots,
    "book": scenarios.Book,
    "sold out": scenarios.SoldOut,
    "webhook": platform.Webhook,
    "shop": platform.Shop,
}
SILENT_SECONDS = 3  # Whoever may fail over does so then.


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
    moved: int  # How often a host hung up, or said nothing, and the next was asked again.
    told: Mapping[str, Sequence[str]]  # What the scenario was promised.


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


@dataclass(slots=True, eq=False)
class _User:
    number: int
    connection: socket.socket
    host: int
    request: Request | None = None
    sent_at: float = 0.0
    asked_at: float = 0.0  # When this host was asked.
    due_at: float = 0.0
    answer: bytes = b""


@dataclass(slots=True)
class _Load:
    """The users of one plan, and what was measured of them."""

    plan: Plan
    scenario: Scenario
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    unexpected: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    moved: int = 0

    def measure(self) -> Result:
        """Warm up, measure, sum up."""
        users = [_User(number, _connect(self.plan, number), number) for number in range(self.plan.connections)]
        for user in users:
            self.selector.register(user.connection, selectors.EVENT_READ, user)
        self._drive(users, self.plan.warmup_seconds)
        self.latencies.clear()
        self.unexpected.clear()
        cpu, started = time.process_time(), time.perf_counter()
        self._drive(users, self.plan.seconds)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        for user in users:
            user.connection.close()
        return self._result(seconds, cpu)

    def _drive(self, users: Sequence[_User], seconds: float) -> None:
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
            patience = SILENT_SECONDS if self.plan.failover else PATIENCE_SECONDS
            events = self.selector.select(max(0.0, waiting[0][0] - now) if waiting else patience)
            if self.plan.failover:
                self._leave_silent(users)
            elif not events and not waiting:
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
        user.asked_at = now
        user.answer = b""
        try:
            user.connection.send(request.content)
        except OSError:
            self._move(user)

    def _receive(self, user: _User) -> bool:
        """Whether the answer is complete now."""
        request = user.request
        if request is None:
            self._reconnect(user)  # Nothing was asked: it hung up.
            return False
        try:
            part = user.connection.recv(MAX_RESPONSE_BYTES)
        except OSError:
            part = b""
        if not part:
            self._move(user)
            return False
        user.answer = answer = user.answer + part if user.answer else part
        if not is_complete(answer):
            return False
        self.latencies.setdefault(request.kind, []).append(time.perf_counter() - user.sent_at)
        status = int(answer[9:12])
        # What was sent twice may have been done by the first.
        if status != request.expected and not (self.moved and status == 200):
            self.unexpected[f"{request.kind} {status}"] += 1
        elif request.on_answer:
            request.on_answer(answer)
        user.request = None
        return True

    def _move(self, user: _User) -> None:
        """Send the request under way again, to the next host: this one hung up."""
        assert user.request is not None, "an answer to nothing"
        if not self.plan.failover:
            self.unexpected[f"{user.request.kind} cut"] += 1
        self.moved += 1
        self._reconnect(user)
        user.answer = b""
        user.asked_at = time.perf_counter()
        user.connection.send(user.request.content)

    def _reconnect(self, user: _User) -> None:
        if not self.plan.failover:
            raise ConnectionError("the server hung up")
        self.selector.unregister(user.connection)
        user.connection.close()
        user.host += 1
        user.connection = _connect(self.plan, user.host)
        self.selector.register(user.connection, selectors.EVENT_READ, user)

    def _leave_silent(self, users: Sequence[_User]) -> None:
        """Move those away whose host has said nothing for too long: of one whose link is down nobody is told."""
        now = time.perf_counter()
        for user in users:
            if user.request is not None and now - user.asked_at > SILENT_SECONDS:
                self._move(user)

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
            moved=self.moved,
            told=self.scenario.told,
        )


def _connect(plan: Plan, number: int) -> socket.socket:
    connection = None
    for n in range(len(plan.hosts)):
        host = plan.hosts[(number + n) % len(plan.hosts)]
        with suppress(OSError if plan.failover else ()):
            connection = socket.create_connection((host, plan.port), 1 if plan.failover else PATIENCE_SECONDS)
            break
    if connection is None:
        raise ConnectionError("none of the hosts can be reached")
    connection.settimeout(PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


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
