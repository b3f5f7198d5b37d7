"""A quorum queue that lost its leader begins anew; a RabbitMQ that is killed when its queues are young makes some."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from kombu import Connection
from kombu.entity import Exchange, Queue

from tasks import quorum_queues
from tests.faults.private import EPMD, RABBITMQ, RabbitMQ, need
from tests.faults.setups import ALONE

pytestmark = ALONE
TRIES = 6


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    need(RABBITMQ / "rabbitmq-server", EPMD)
    broker = RabbitMQ(tmp_path_factory.mktemp("faults") / "rabbitmq")
    yield broker
    broker.stop()


def declare(connection: Connection) -> list[Queue]:
    """Some quorum queues, declared this moment."""
    exchange = Exchange("bridge", type="direct")
    names = [f"bridge.{uuid4().hex}" for _ in range(4)]
    queues = [Queue(name, exchange, routing_key=name, queue_arguments={"x-queue-type": "quorum"}) for name in names]
    with connection.clone() as own:
        for queue in queues:
            queue(own.default_channel).declare()
    return queues


def deaf(connection: Connection, queues: list[Queue]) -> list[Queue]:
    return [queue for queue in queues if quorum_queues._is_deaf(connection, queue)]


def test_a_queue_without_a_leader_begins_anew_and_the_others_keep_what_they_have(broker: RabbitMQ) -> None:
    with Connection(broker.url) as connection:
        for _ in range(TRIES):
            queues = declare(connection)
            broker.kill()
            broker.start()
            time.sleep(2)
            if lost := deaf(connection, queues):
                break
        else:
            pytest.skip(f"NOT TESTED: this RabbitMQ lost no leader in {TRIES} kills")

        quorum_queues.mend(connection, queues)

        for queue in lost:
            queue(connection.default_channel).declare()
        assert deaf(connection, queues) == []
        # Those that were well were left alone: they need not be declared.
        assert len(lost) < len(queues)


def test_queues_that_are_well_and_those_to_come_are_left_alone(broker: RabbitMQ) -> None:
    with Connection(broker.url) as connection:
        queues = declare(connection)
        with connection.clone() as own:
            own.Producer().publish("kept", exchange="bridge", routing_key=queues[0].name)
        to_come = Queue("bridge.to_come", Exchange("bridge"), routing_key="to_come")

        quorum_queues.mend(connection, [*queues, to_come])

        # What a consumer was handed goes back a moment after it has gone.
        time.sleep(1)
        assert queues[0](connection.default_channel).queue_declare(passive=True).message_count == 1
