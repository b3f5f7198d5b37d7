"""Rings the broker for events that are due: the only process that knows both the database and the broker."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from typing import Any

import structlog

from bridge import db, logs
from bridge.config import Config
from bridge.core import deliveries, events
from bridge.core.events import EVENTS, OUTGOING, WEBHOOKS
from bridge.errors import Unavailable
from tasks import celery, configure, quorum_queues, webhooks
from tasks.presence import Presence

POLL_SECONDS = 0.1  # How long an event waits at most before it is rung; asking costs a third of a millisecond.
FIRST_PAUSE_SECONDS = 0.5  # After a failure; doubles up to the last.
LAST_PAUSE_SECONDS = 5.0
LOST_CLAIMS_SECONDS = 5.0  # Between two looks for claims of workers that are gone.
BATCH = 100  # Rung in one go: little enough that a broker that goes away leaves few to ring again.

TASKS = {
    EVENTS: "tasks.events.apply_event",
    OUTGOING: "tasks.outgoing.do_work",
    WEBHOOKS: "tasks.webhooks.deliver",
}

log = structlog.get_logger("relay")


def run(config: Config) -> None:
    """Ring until SIGTERM or Ctrl-C. Any number of relays may run at once."""
    logs.configure(config.log_level)
    configure(config)
    db.configure(config.database_url)
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: stopping.append(number))
    relay = Relay()
    while not stopping:
        wait_until = time.monotonic() + relay.turn()
        # In short naps: a signal does not end a sleep.
        while not stopping and (left := wait_until - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))
    relay.close()


class Relay:
    """One relay, and its connection to the broker while it has one."""

    def __init__(self) -> None:
        self._presence = Presence("relay")
        self._connection: Any = None
        self._producer: Any = None
        self._pause = 0.0
        self._next_look = 0.0
        self._trouble = ""

    def turn(self) -> float:
        """Ring what is due, once; for how many seconds to rest then."""
        try:
            self._connect()
            rung = self._ring()
        except Unavailable as error:
            return self._rest(f"database: {error.message}")
        except Exception as error:  # noqa: BLE001 - each transport raises errors of its own
            self._disconnect()
            return self._rest(f"broker: {type(error).__name__}: {error}")
        self._recover()
        return 0 if rung >= BATCH else POLL_SECONDS

    def close(self) -> None:
        """Leave."""
        self._disconnect()
        self._presence.end()

    def _ring(self) -> int:
        self._free_lost_claims()
        webhooks.fan_out(limit=BATCH)
        with db.statement() as conn:
            rung = events.ring_due_events(conn, limit=BATCH)
        with db.statement() as conn:
            rung += deliveries.ring_due_deliveries(conn)
        # After the commit: a broker that hangs must not hold up anybody's row.
        for n, (event_id, queue) in enumerate(rung):
            try:
                self._publish(event_id, queue)
            except BaseException:
                self._unring([event_id for event_id, _queue in rung[n:]])
                raise
        return len(rung)

    def _publish(self, event_id: str, queue: str) -> None:
        celery.send_task(TASKS[queue], args=[event_id], queue=queue, producer=self._producer, retry=False)

    def _unring(self, ids: list[str]) -> None:
        # Should the database be away too, they come due again by themselves, in 20 s.
        with suppress(Unavailable), db.statement() as conn:
            events.unring_events(conn, ids=ids)

    def _free_lost_claims(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOST_CLAIMS_SECONDS
        with db.statement() as conn:
            if freed := events.free_lost_claims(conn):
                log.warning("freed events of workers that are gone", events=freed)

    def _connect(self) -> None:
        if self._connection is not None:
            return
        # No heartbeat: nobody here would answer it between two events. A dead connection shows when it is used.
        connection = celery.connection_for_write(heartbeat=0)
        # Otherwise asking for a channel tries for ever, and rests 2 s in between.
        once = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        connection.transport_options = {**connection.transport_options, **once}
        try:
            connection.ensure_connection(**once)
            quorum_queues.mend(connection, [celery.amqp.queues[name] for name in TASKS])
            self._producer = celery.amqp.Producer(connection.default_channel)
        except Exception:
            connection.release()
            raise
        self._connection = connection

    def _disconnect(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            # Saying goodbye to a broker that is gone fails in its own way on each transport.
            with suppress(Exception):
                connection.release()

    def _rest(self, trouble: str) -> float:
        if trouble != self._trouble:
            log.error("cannot ring", error=trouble)
        self._trouble = trouble
        self._presence.beat(state={"broker": trouble})
        self._pause = min(max(self._pause * 2, FIRST_PAUSE_SECONDS), LAST_PAUSE_SECONDS)
        return self._pause

    def _recover(self) -> None:
        if self._trouble:
            log.info("rings again")
        self._trouble, self._pause = "", 0.0
        self._presence.beat(state={"broker": "ok"}, progressed=True)
