"""A sender killed at any step of a delivery: it arrives, and what arrives twice arrives under one id."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bridge import db
from bridge.core import failures, webhooks
from bridge.core.announcements import announce
from tasks.webhooks import fan_out
from tests.crashes.conftest import ring_until, send, twenty_seconds_later
from tests.tasks.conftest import look, running
from tests.tasks.receiver import receiving

# One after the other: brokers are shared, and their queues have fixed names.
pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(180)]


@pytest.fixture
def receiver(monkeypatch):
    """A receiver, to which every process may send."""
    monkeypatch.setenv("WEBHOOKS_ALLOW_PRIVATE", "true")
    with receiving() as receiver:
        yield receiver


def owe(receiver):
    """A delivery to the receiver: its id, and the secret that signs it."""
    with db.transaction() as conn:
        conn.execute("DELETE FROM webhook")
        made = webhooks.create_webhook(conn, url=receiver.url, types=["*"], actor="tests", allow_private=True)
        announce(conn, "booking.created", {"id": "b_1"}, key=uuid4().hex)
    fan_out(limit=100)
    with db.transaction() as conn:
        rows, _count = failures.list_events(conn, webhook_id=made.webhook["id"])
    return rows[0]["id"], made.secret


# Where it dies: how often the receiver hears of it, and what the attempts say.
STEPS = {
    "before the claim": ("before", "tasks:_claim", 1, ["applied"]),
    "after the claim's commit": ("after", "tasks:_claim", 1, [None, "applied"]),
    "after it was sent": ("after", "bridge.clients.deliveries:post", 2, [None, "applied"]),
    "before the commit": ("after", "bridge.core.deliveries:finish", 2, [None, "applied"]),
    "after the commit, before the broker hears of it": ("after", "tasks:_attempt", 1, ["applied"]),
}


@pytest.mark.parametrize(("when", "at", "times", "story"), STEPS.values(), ids=STEPS)
def test_a_delivery_arrives_though_its_sender_is_killed(chosen, doomed, receiver, when, at, times, story):
    delivery_id, secret = owe(receiver)
    with doomed(chosen, "sender", when, at) as sender:
        sender.wait_for_presence("sender")
        ring_until(lambda: look(delivery_id)["rings"] or sender.calls)
        sender.wait_for_death()

    twenty_seconds_later()
    with running(chosen, "sender"):
        ring_until(lambda: look(delivery_id)["status"] == "applied")
        send("tasks.webhooks.deliver", delivery_id, queue="bridge.webhooks")
        behind, _secret = owe(receiver)
        ring_until(lambda: look(behind)["status"] == "applied")

    heard = [each for each in receiver.heard if each.id == delivery_id]
    assert len(heard) == times
    assert len({each.body for each in heard}) == 1
    assert all(each.verify(secret)["data"] == {"id": "b_1"} for each in heard)
    assert [attempt["outcome"] for attempt in look(delivery_id)["attempt_log"]] == story
