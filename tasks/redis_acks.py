"""Keeps a worker on Redis awake: what kombu 5.7 does when an acknowledgement fails, put right.

When Redis dies while a worker has as many messages as it may prefetch, each of their acknowledgements fails. kombu then
goes on counting them as in hand: the worker never asks for another message, so it never touches the dead connection,
so it never reconnects. It stays up and does nothing. Seen in every second run of five kills of Redis under load.
"""

from __future__ import annotations

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """Counts a message as out of hand even when Redis cannot be told.

    Redis hands it out again when its visibility timeout ends; by then there is nothing left to claim.
    """

    def ack(self, delivery_tag: str) -> None:
        """Tell Redis, and in any case let go. Raises whatever the connection raises, so that it is noticed."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]  # kombu is half typed.
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]  # As above.
            raise


def install() -> None:
    """Have every Redis connection of this process count so."""
    redis.Channel.QoS = QoS
