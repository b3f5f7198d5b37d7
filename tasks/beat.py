"""The process that asks for upkeep in time: Celery's beat, with its schedule in memory and signs of life."""

from __future__ import annotations

from typing import Any

import structlog
from celery import beat
from celery.signals import setup_logging

from bridge import db, logs
from bridge.config import Config
from tasks import celery, configure
from tasks.presence import Presence

log = structlog.get_logger("beat")


def run(config: Config) -> None:
    """Send what is due until SIGTERM. A second beat does no harm: everything it asks for may be done twice."""
    logs.configure(config.log_level)
    # Somebody who listens to this keeps Celery from setting up logging in its own way.
    setup_logging.connect(_keep_logging, weak=False)
    configure(config)
    # Nobody here would answer a heartbeat between two messages; a dead connection shows when it is used.
    celery.conf.broker_heartbeat = 0
    db.configure(config.database_url)
    celery.Beat(quiet=True, loglevel=config.log_level, redirect_stdouts=False).run()


class Scheduler(beat.Scheduler):  # type: ignore[misc]  # Celery has no types.
    """Celery's scheduler that keeps nothing on disk, and says that it is there as long as it goes round."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._presence = Presence("beat")
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due; in how many seconds to look again."""
        wait: float = super().tick(*args, **options)
        self._presence.beat(state={"broker": "ok"}, progressed=True)
        return wait

    def close(self) -> None:
        """Leave."""
        super().close()
        self._presence.end()

    def _ensure_connected(self) -> Any:
        # Celery waits here for as long as the broker is away: alive, and to be seen as such.
        return self.connection.ensure_connection(self._say_broken, celery.conf.broker_connection_max_retries)

    def _say_broken(self, error: Exception, wait: float) -> None:
        log.error("the broker cannot be reached", error=str(error), retry_in=wait)
        self._presence.beat(state={"broker": str(error)})


def _keep_logging(**_: object) -> None:
    """Do nothing, on purpose."""
