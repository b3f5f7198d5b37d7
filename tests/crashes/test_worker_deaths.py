"""A worker killed at any step of its work: the effect comes once, from the next one, and the attempts tell why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from bridge import db, outbox
from bridge.core import refunds
from bridge.ids import new_id
from tests.clients.test_mail import FakeSmtp
from tests.crashes.conftest import drift, journal_of, ring_until, send, twenty_seconds_later
from tests.factories import counters, make_hold, make_resource
from tests.tasks.conftest import look, receive, running

# One after the other: brokers are shared, and their queues have fixed names.
pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Placed:
    """A paid order, and the event that tells of it."""

    event_id: str
    hold_id: str
    resource_id: str

    @property
    def status(self):
        return look(self.event_id)["status"]

    @property
    def story(self):
        """What became of each attempt; None of one that nobody finished."""
        return [attempt["outcome"] for attempt in look(self.event_id)["attempt_log"]]

    @property
    def sold(self):
        with db.transaction() as conn:
            return counters(conn, self.resource_id)

    @property
    def allocations(self):
        with db.transaction() as conn:
            rows = conn.execute("SELECT status, quantity FROM allocation WHERE hold_id = %s", [self.hold_id])
            return [(row["status"], row["quantity"]) for row in rows]


def place_order(platform):
    """An order of a hold, told of by an event that says only its id."""
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
        hold_id = make_hold(conn, resource_id, dates)
    order = {
        "id": new_id("order"),
        "status": "pending",
        "version": 1,
        "updated_at": datetime.now(UTC).isoformat(),
        "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}, "refundable_total": 80}],
    }
    platform.add_order(order, paid=100)
    event_id = receive({"type": "order.placed", "data": {"id": order["id"]}}, order_id=order["id"])
    return Placed(event_id, hold_id, resource_id)


STEPS = {
    "before the claim": ("before", "tasks:_claim", (1, 0), ["applied"]),
    "after the claim's commit": ("after", "tasks:_claim", (1, 0), [None, "applied"]),
    "after the platform was asked": ("after", "tasks.events:_look_up", (1, 0), [None, "applied"]),
    "after reconciling, in the transaction": ("after", "tasks.events:_apply", (1, 0), [None, "applied"]),
    "before the commit": ("after", "bridge.core.events:finish_event", (1, 0), [None, "applied"]),
    "after the commit, before the broker hears of it": ("after", "tasks:_attempt", (0, 1), ["applied"]),
}


@pytest.mark.parametrize(("when", "at", "left_behind", "story"), STEPS.values(), ids=STEPS)
def test_an_event_is_applied_once_though_its_worker_is_killed(chosen, platform, doomed, when, at, left_behind, story):
    order = place_order(platform)
    with doomed(chosen, "worker", when, at) as worker:
        worker.wait_for_presence("worker")
        ring_until(lambda: look(order.event_id)["rings"] or worker.calls)
        worker.wait_for_death()
    sold_meanwhile = order.sold

    twenty_seconds_later()
    with running(chosen, "worker"):
        ring_until(lambda: order.status == "applied")
        # The broker was never told that the first ring was heard; the next order comes behind its second copy.
        send("tasks.events.apply_event", order.event_id, queue="bridge.events")
        behind = place_order(platform)
        ring_until(lambda: behind.status == "applied")

    assert sold_meanwhile == [left_behind]
    assert order.story == story
    assert order.sold == [(0, 1)]
    assert order.allocations == [("CONFIRMED", 1)]
    assert journal_of(order.hold_id) == [("place", 1, 0), ("order", -1, 1)]
    assert drift() == []


def lease_ends(event_id):
    with db.transaction() as conn:
        conn.execute("UPDATE event SET claimed_until = now(), next_attempt_at = now() WHERE id = %s", [event_id])


def test_an_event_that_always_kills_its_worker_fails_and_the_others_flow(chosen, platform, doomed):
    poison = place_order(platform)
    with db.transaction() as conn:
        conn.execute("UPDATE event SET attempts_left = 2 WHERE id = %s", [poison.event_id])

    with doomed(chosen, "worker", "before", "tasks:_attempt", only=poison.event_id, times=99, victims="process") as it:
        for deaths in (1, 2):
            ring_until(lambda deaths=deaths: it.calls == deaths)
            order = place_order(platform)
            ring_until(lambda order=order: order.status == "applied")
            lease_ends(poison.event_id)
        ring_until(lambda: poison.status == "failed")

    event = look(poison.event_id)
    assert (event["error_code"], event["attempts"]) == ("worker_lost", 2)
    assert poison.story == [None, None]
    assert poison.sold == [(1, 0)]
    assert drift() == []


def owed(owe):
    """The id of the piece of work that `owe` writes down."""
    with db.transaction() as conn:
        owe(conn)
        return db.one(conn.execute("SELECT id FROM event WHERE queue = 'bridge.outgoing' ORDER BY id DESC LIMIT 1"))[
            "id"
        ]


def do_work_that_kills(chosen, doomed, event_id, at):
    """Have it done by a worker that dies when the other side has taken it, and then by one that lives."""
    with doomed(chosen, "worker", "after", at) as worker:
        ring_until(lambda: look(event_id)["rings"] or worker.calls)
        worker.wait_for_death()
    assert look(event_id)["status"] == "pending"
    lease_ends(event_id)
    with running(chosen, "worker"):
        ring_until(lambda: look(event_id)["status"] == "applied")
    return [attempt["outcome"] for attempt in look(event_id)["attempt_log"]]


def test_a_refund_is_paid_once_though_its_worker_is_killed_when_it_was_made(chosen, platform, doomed):
    order_id, refund_id = new_id("order"), new_id("short")
    line = {"id": "item_1", "refundable_total": 80}
    platform.add_order({"id": order_id, "updated_at": "2026-01-01T00:00:00Z", "items": [line]}, paid=100)
    refund = {"refund_id": refund_id, "source": "medusa", "order_id": order_id, "line_item_id": "item_1"}
    event_id = owed(lambda conn: refunds.owe_refund(conn, **refund))

    story = do_work_that_kills(chosen, doomed, event_id, "bridge.clients.medusa:Medusa.refund_payment")

    assert story == [None, "applied"]
    assert platform.payments[f"pay_{order_id}"]["refunds"] == [{"amount": 80, "note": f"bridge {refund_id}"}]


def test_a_mail_may_come_again_and_says_that_it_is_the_same(chosen, settings, doomed):
    server = FakeSmtp()
    mailing = settings(broker_url=chosen.broker_url, medusa_url="", worker_processes=1, smtp_url=server.url)
    payload = {"to": "ada@example.test", "subject": "s", "text": "t"}
    event_id = owed(lambda conn: outbox.add_work(conn, type="mail", payload=payload, dedupe_key=new_id("mail")))

    story = do_work_that_kills(mailing, doomed, event_id, "bridge.clients.mail:MailServer.send")

    assert story == [None, "applied"]
    assert server.lines.count(f"Message-ID: <{event_id}@localhost>") == 2
