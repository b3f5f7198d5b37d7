"""Gives a RabbitMQ queue that has lost its leader a new beginning.

When RabbitMQ is killed within seconds of a quorum queue being declared, it may forget that the queue's one member may
lead it (seen with 3.10: every second time). The queue then shows as running, and whoever wants to consume from it waits
for an answer for ever, with all the queues he serves. Nothing but deleting it helps, and nothing is lost by that: its
messages are wake-ups, and the relay rings again.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog
from celery.worker import consumer
from kombu.entity import Queue

ANSWER_SECONDS = 5  # A queue that is well answers in milliseconds. Asked twice: one that has just started may not.
DELETE_SECONDS = 30  # RabbitMQ itself waits for the missing leader first.

log = structlog.get_logger("tasks")


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Celery has no types.
    """Celery's consumer, which mends the queues that it is going to serve whenever it has connected."""

    def connect(self) -> Any:
        """A connection to a broker whose queues answer."""
        connection = super().connect()
        mend(connection, self.app.amqp.queues.consume_from.values())
        return connection


def mend(connection: Any, queues: Iterable[Queue]) -> None:
    """Delete those of the queues that do not answer; whoever uses them declares them anew. Does nothing on Redis."""
    if connection.transport.driver_type != "amqp":
        return
    for queue in queues:
        if _is_deaf(connection, queue) and _is_deaf(connection, queue):
            log.warning("a queue has no leader; it begins anew", queue=queue.name)
            with suppress(*_errors(connection)), _connected(connection, DELETE_SECONDS) as own:
                queue(own.channel()).delete()  # type: ignore[no-untyped-call]  # kombu is half typed


def _is_deaf(connection: Any, queue: Queue) -> bool:
    """Whether a consumer is not answered. One that does not exist yet, or a broker that is away, is not deaf."""
    try:
        with _connected(connection, ANSWER_SECONDS) as own:
            channel = own.channel()
            channel.basic_qos(0, 1, False)
            # What it is handed meanwhile goes back when the connection ends.
            channel.basic_consume(queue.name, callback=_ignore)
    except TimeoutError:
        return True
    except _errors(connection):
        return False
    return False


def _connected(connection: Any, seconds: float) -> Any:
    """A connection of its own, because a question without an answer spoils it. Nothing on it takes longer."""
    own = connection.clone()
    own.transport_options = {**own.transport_options, "read_timeout": seconds, "write_timeout": seconds}
    return own


def _errors(connection: Any) -> tuple[type[Exception], ...]:
    errors: tuple[type[Exception], ...] = (*connection.connection_errors, *connection.channel_errors)
    return errors


def _ignore(_message: Any) -> None:
    """Do nothing, on purpose."""
