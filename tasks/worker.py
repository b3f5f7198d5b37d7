"""The process that does the work: Celery's worker, started the one way we know to hold up."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterable

from celery.exceptions import CPendingDeprecationWarning
from celery.signals import setup_logging
from celery.worker.consumer import Consumer

from bridge import db, logs
from bridge.config import Config
from bridge.core.events import QUEUES, WEBHOOKS
from tasks import celery, configure, redis_acks


def run(config: Config) -> None:
    """Work until SIGTERM, then finish what is in hand. Webhooks have processes of their own: see sender.py."""
    queues = [name for name in QUEUES if name != WEBHOOKS]
    serve(config, queues=queues, options=[f"--concurrency={config.worker_processes}"])


def serve(config: Config, *, queues: Iterable[str], options: Iterable[str]) -> None:
    """Be a Celery worker of `queues` until SIGTERM, then finish what is in hand."""
    logs.configure(config.log_level)
    # Somebody who listens to this keeps Celery from setting up logging in its own way.
    setup_logging.connect(_keep_logging, weak=False)
    _silence_warnings()
    _leave_out_delays()
    redis_acks.install()
    configure(config)
    db.configure(config.database_url)
    celery.worker_main(
        [
            "--quiet",  # No banner among the JSON lines.
            "worker",
            *options,
            f"--queues={','.join(queues)}",
            # Two workers of one name on one host would take each other for themselves.
            f"--hostname=bridge-{os.getpid()}@{socket.gethostname()}",
            f"--loglevel={config.log_level}",
            # Workers telling each other how they are: queues and messages for what rows in `process` say already.
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def _silence_warnings() -> None:
    # Celery warns of root because of pickle; we take JSON only, and in a container there is nobody else.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    # A coming default, told at each lost connection; celeryconfig.py says why we chose the other.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


def _leave_out_delays() -> None:
    # Beside quorum queues Celery declares 28 more for delays and binds ours to them. Nothing of ours is delayed by the
    # broker (rows have next_attempt_at), and no setting turns it off.
    blueprint = Consumer.Blueprint
    blueprint.default_steps = [step for step in blueprint.default_steps if not step.endswith(":DelayedDelivery")]


def _keep_logging(**_: object) -> None:
    """Do nothing, on purpose."""
