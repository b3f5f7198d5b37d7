"""A worker whose Redis dies at the wrong moment asks for work again."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from kombu.transport import redis, virtual
from redis.exceptions import ConnectionError as RedisConnectionError

from tasks import redis_acks


class DeadRedis:
    """A pipeline to a server that is gone."""

    def zrem(self, *_args):
        return self

    def hdel(self, *_args):
        return self

    def execute(self):
        raise RedisConnectionError("gone")


def in_hand(kind):
    """One message more than that and no more may be had."""

    @contextmanager
    def gone(*_args):
        yield DeadRedis()

    channel = SimpleNamespace(do_restore=False, unacked_key="unacked", unacked_index_key="unacked_index")
    qos = kind(channel, prefetch_count=1)
    virtual.QoS.append(qos, SimpleNamespace(), "tag")
    qos.pipe_or_acquire = gone
    assert not qos.can_consume()
    return qos


def test_a_message_whose_acknowledgement_fails_no_longer_counts_as_in_hand():
    qos = in_hand(redis_acks.QoS)

    with pytest.raises(RedisConnectionError):
        qos.ack("tag")

    assert qos.can_consume()


def test_kombu_still_needs_it():
    """When this fails, kombu has been put right and tasks/redis_acks.py can go."""
    qos = in_hand(redis.QoS)

    with pytest.raises(RedisConnectionError):
        qos.ack("tag")

    assert not qos.can_consume()
