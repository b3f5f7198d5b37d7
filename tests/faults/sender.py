"""Sends webhooks as a real sender does: signs each post anew, repeats until it got a 202, keeps no order."""

from __future__ import annotations

import heapq
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import requests

from bridge.clients.webhooks import sign
from tests.faults.truth import Sent, Truth

ACCEPTED = 202
AGAIN = {429, 502, 503, 504}  # "Come again": what a sender repeats without a word.
TIMEOUT_SECONDS = 15
LONGEST_WAIT_SECONDS = 3.0
DUPLICATED = 0.10
SHUFFLED = 0.20
LATEST_SECONDS = 3.0  # How much later than its turn a shuffled event is sent.


@dataclass(order=True)
class _Post:
    due: float
    sent: Sent = field(compare=False)
    body: bytes = field(compare=False)
    tries: int = field(default=0, compare=False)


class Sender:
    """Posts what it is given, from threads of its own, until `stop` has seen all of it accepted."""

    def __init__(self, url: str, secret: str, truth: Truth, *, seed: int, threads: int = 4) -> None:
        self._url = f"{url}/webhooks/medusa"
        self._secret = secret
        self._truth = truth
        self._random = random.Random(seed)
        self._queue: list[_Post] = []
        self._under_way = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def send(self, order_id: str, body: bytes) -> Sent:
        """Have an event sent: soon, now and then later than those after it, now and then twice."""
        sent = Sent(webhook_id=f"msg_{uuid4().hex}", order_id=order_id)
        with self._changed:
            now = time.monotonic()
            sent.shuffled = self._random.random() < SHUFFLED
            due = now + (self._random.uniform(0.5, LATEST_SECONDS) if sent.shuffled else 0)
            heapq.heappush(self._queue, _Post(due, sent, body))
            if self._random.random() < DUPLICATED:
                # Half of them at the same instant, which is harder.
                again = due + self._random.choice([0, self._random.uniform(0, LATEST_SECONDS)])
                heapq.heappush(self._queue, _Post(again, sent, body))
            self._truth.events[sent.webhook_id] = sent
            self._changed.notify_all()
        return sent

    def waiting(self) -> int:
        """How many posts have not been accepted yet."""
        with self._changed:
            return len(self._queue) + self._under_way

    def stop(self, *, seconds: float) -> None:
        """Go on until everything was accepted, at most for `seconds`; then end."""
        deadline = time.monotonic() + seconds
        while self.waiting() and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS + 1)

    def _work(self) -> None:
        session = requests.Session()
        while (post := self._next()) is not None:
            if not self._post(session, post):
                wait = min(0.1 * 2**post.tries, LONGEST_WAIT_SECONDS)
                post.tries += 1
                post.due = time.monotonic() + wait
                with self._changed:
                    heapq.heappush(self._queue, post)
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _next(self) -> _Post | None:
        with self._changed:
            while not self._stopping:
                left = self._queue[0].due - time.monotonic() if self._queue else None
                if left is not None and left <= 0:
                    self._under_way += 1
                    return heapq.heappop(self._queue)
                self._changed.wait(left)
            return None

    def _post(self, session: requests.Session, post: _Post) -> bool:
        """Whether it was accepted."""
        sent = post.sent
        headers = sign(self._secret, post.body, webhook_id=sent.webhook_id)
        try:
            answer = session.post(self._url, data=post.body, headers=headers, timeout=TIMEOUT_SECONDS)
        except requests.RequestException:
            with self._changed:
                sent.posts += 1
                sent.unanswered += 1
            return False
        with self._changed:
            sent.posts += 1
            if answer.status_code == ACCEPTED:
                self._accepted(sent, answer.json()["event_id"])
                return True
        if answer.status_code in AGAIN:
            self._truth.count("unavailable_answers")
        else:
            self._truth.surprise(f"a webhook was answered {answer.status_code} {answer.text[:200]}")
        return False

    def _accepted(self, sent: Sent, event_id: str) -> None:
        sent.accepted += 1
        if sent.event_id is None:
            sent.event_id, sent.accepted_at = event_id, datetime.now(UTC)
        elif sent.event_id != event_id:
            self._truth.surprise(f"event {sent.webhook_id} was accepted as {sent.event_id} and as {event_id}")
