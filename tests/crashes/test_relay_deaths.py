"""A relay killed between marking an event and ringing for it: every event is rung after all, and applied once."""

from __future__ import annotations

import pytest

import tasks
from bridge import db
from bridge.core import processes
from bridge.core.events import EVENTS
from tasks.events import apply_event
from tests.crashes.conftest import drift, twenty_seconds_later
from tests.factories import counters, make_hold, make_resource
from tests.tasks.conftest import look, receive, running, wait_for
from tests.tasks.test_relay import Door

pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(180)]


class Orders:
    """Paid orders, each with a hold, whose events are due in this sequence."""

    def __init__(self, count):
        self.event_ids, self.resource_ids = [], []
        for n in range(count):
            with db.transaction() as conn:
                resource_id, dates = make_resource(conn, days=1)
                hold_id = make_hold(conn, resource_id, dates)
            order = {
                "id": f"order_{resource_id}",
                "status": "pending",
                "version": 1,
                "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}}],
            }
            body = {"type": "order.placed", "data": {"order": order}}
            self.event_ids.append(receive(body, dedupe_key=f"{n}{hold_id}"))
            self.resource_ids.append(resource_id)

    def seen(self, field):
        return [look(event_id)[field] for event_id in self.event_ids]

    @property
    def sold(self):
        with db.transaction() as conn:
            return [counters(conn, resource_id) for resource_id in self.resource_ids]


def hear():
    """Take every ring out of the broker, and do what a worker does at each; the events rung for."""
    heard = []
    with tasks.celery.connection_for_write() as connection:
        queue = next(queue for queue in tasks.celery.conf.task_queues if queue.name == EVENTS)
        bound = queue(connection.default_channel)
        while message := bound.get():
            (event_id,), _options, _embedded = message.decode()
            heard.append(event_id)
            apply_event(event_id)
            message.ack()
    return heard


def a_worker_lives():
    """Without one nothing is rung a second time."""
    with db.transaction() as conn:
        processes.beat(conn, kind="worker", name="elsewhere:1")


STEPS = {
    # When it dies, where, at which call; which events the broker heard of, and which are marked as rung.
    "before it marks anything": ("before", "bridge.core.events:ring_due_events", 1, [0, 0, 0], 0),
    "when all are marked and none is rung": ("before", "tasks.relay:Relay._publish", 1, [1, 1, 1], 0),
    "when the first is rung": ("after", "tasks.relay:Relay._publish", 1, [1, 1, 1], 1),
    "when all are rung": ("after", "tasks.relay:Relay._publish", 3, [1, 1, 1], 3),
}


@pytest.mark.parametrize(("when", "at", "nth", "marked", "rung"), STEPS.values(), ids=STEPS)
def test_every_event_is_rung_and_applied_once_though_the_relay_is_killed(chosen, doomed, when, at, nth, marked, rung):
    orders = Orders(3)
    with doomed(chosen, "relay", when, at, nth=nth) as relay:
        relay.wait_for_death()
    rings, heard = orders.seen("rings"), hear()

    twenty_seconds_later()
    a_worker_lives()
    with running(chosen, "relay"):
        wait_for(lambda: hear() is not None and set(orders.seen("status")) == {"applied"}, 60)

    assert (rings, len(heard)) == (marked, rung)
    assert orders.seen("attempts") == [1, 1, 1]
    assert orders.sold == [[(0, 1)]] * 3
    assert drift() == []


def test_a_relay_killed_before_it_takes_its_marks_back_costs_twenty_seconds(chosen, settings, doomed):
    door = Door(chosen.broker_url)
    behind_the_door = settings(broker_url=door.url, medusa_url="", worker_processes=1)

    with doomed(behind_the_door, "relay", "before", "tasks.relay:Relay._unring") as relay:
        relay.wait_for_presence("relay")
        door.shut()
        orders = Orders(2)
        relay.wait_for_death()
    rings = orders.seen("rings")

    twenty_seconds_later()
    a_worker_lives()
    settings(broker_url=chosen.broker_url, medusa_url="")
    with running(chosen, "relay"):
        wait_for(lambda: hear() is not None and set(orders.seen("status")) == {"applied"}, 60)

    assert rings in ([1, 0], [1, 1])
    assert orders.sold == [[(0, 1)]] * 2
    assert drift() == []
