"""The relay rings what is due, and gets over whatever the broker and the database do."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

import tasks
from bridge import db
from bridge.core import failures
from tasks.relay import TASKS, Relay
from tests.tasks.conftest import look, purge, receive, running, stop, wait_for

pytestmark = pytest.mark.xdist_group("broker")


class Door:
    """A way to the broker that can be shut."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._broker = (parts.hostname, parts.port or {"redis": 6379, "amqp": 5672}[parts.scheme])
        self._pairs = []
        self._listener = None
        self._address = ("127.0.0.1", 0)
        self.open()
        self.url = url.replace(f"{parts.hostname}:{parts.port}", "{}:{}".format(*self._address))

    def open(self):
        self._listener = socket.create_server(self._address)
        self._address = self._listener.getsockname()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def shut(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._pairs:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self, listener):
        with suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.create_connection(self._broker)
                self._pairs += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source, target):
        with suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        for sock in (source, target):
            with suppress(OSError):
                sock.close()


@pytest.fixture
def door(broker):
    door = Door(broker)
    yield door
    door.shut()


@pytest.fixture
def relay(settings, door):
    settings(broker_url=door.url)
    purge(door.url)
    with db.transaction() as conn:
        conn.execute("UPDATE event SET status = 'ignored', finished_at = now() WHERE status = 'pending'")
        conn.execute("DELETE FROM process")
    relay = Relay()
    yield relay
    relay.close()


def waiting(door):
    with tasks.celery.connection_for_write() as connection:
        return tasks.celery.conf.task_queues[0](connection.default_channel).queue_declare(passive=True).message_count


def state():
    with db.transaction() as conn:
        return [row["state"]["broker"] for row in failures.list_workers(conn) if row["kind"] == "relay"]


def due_at_once(event_id):
    with db.transaction() as conn:
        conn.execute("UPDATE event SET next_attempt_at = now() WHERE id = %s", [event_id])


def test_what_is_due_is_rung_once(relay, door):
    event_id = receive({"type": "order.placed"})

    waits = [relay.turn(), relay.turn()]

    assert waits == [0.1, 0.1]
    assert look(event_id)["rings"] == 1
    wait_for(lambda: waiting(door) >= 1, 10)
    assert state() == ["ok"]


def test_every_queue_has_a_task_that_exists():
    tasks.celery.loader.import_default_modules()

    assert set(TASKS.values()) <= set(tasks.celery.tasks)
    assert {entry["task"] for entry in tasks.celery.conf.beat_schedule.values()} <= set(tasks.celery.tasks)


def test_a_broker_that_is_down_marks_nothing_as_rung(relay, door):
    event_id = receive({"type": "order.placed"})
    door.shut()

    waits = [relay.turn() for _ in range(5)]

    assert waits == [0.5, 1, 2, 4, 5]
    assert look(event_id)["rings"] == 0
    assert state()[0].startswith("broker: ")
    door.open()
    assert relay.turn() == 0.1
    wait_for(lambda: waiting(door) >= 1, 10)


def test_a_broker_that_goes_away_costs_a_second(relay, door):
    relay.turn()
    event_id = receive({"type": "order.placed"})
    door.shut()

    assert relay.turn() == 0.5

    assert (look(event_id)["rings"], look(event_id)["rung_at"]) == (0, None)
    door.open()
    relay.turn()
    due_at_once(event_id)
    relay.turn()
    assert look(event_id)["rings"] == 1
    wait_for(lambda: waiting(door) >= 1, 10)


def test_a_database_that_is_away_is_waited_for(relay, own):
    relay.turn()
    db.configure("postgresql://postgres@127.0.0.1:1/none")
    try:
        waits = [relay.turn(), relay.turn()]
    finally:
        db.configure(own)

    assert waits == [0.5, 1]
    event_id = receive({"type": "order.placed"})
    assert relay.turn() == 0.1
    assert look(event_id)["rings"] == 1


def test_a_connection_that_the_database_cuts_is_replaced(relay):
    relay.turn()
    with db.transaction() as conn:
        pid = conn.info.backend_pid
    event_id = receive({"type": "order.placed"})
    with db.connect() as other:
        # With a time-out it answers when the connection is gone.
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    relay.turn()

    assert look(event_id)["rings"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_relay_that_is_stopped_leaves_cleanly(settings, broker, number):
    with db.transaction() as conn:
        conn.execute("DELETE FROM process")
    with running(settings(broker_url=broker), "relay") as started:
        wait_for(lambda: state() == ["ok"], 60)

        assert stop(started["relay"], number) == 0

    assert state() == []
