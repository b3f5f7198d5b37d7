"""The process that does the work: Celery's worker, started the one way we know to hold up."""

from __future__ import annotations

import os
import socket

from celery.signals import setup_logging

from bridge import db, logs
from bridge.config import Config
from bridge.core.events import QUEUES
from tasks import celery, configure


def run(config: Config) -> None:
    """Work until SIGTERM, then finish what is in hand."""
    logs.configure(config.log_level)
    # Somebody who listens to this keeps Celery from setting up logging in its own way.
    setup_logging.connect(_keep_logging, weak=False)
    configure(config)
    db.configure(config.database_url)
    celery.worker_main(
        [
            "--quiet",  # No banner among the JSON lines.
            "worker",
            f"--concurrency={config.worker_processes}",
            f"--queues={','.join(QUEUES)}",
            # Two workers of one name on one host would take each other for themselves.
            f"--hostname=bridge-{os.getpid()}@{socket.gethostname()}",
            f"--loglevel={config.log_level}",
            # Workers telling each other how they are: queues and messages for what rows in `process` say already.
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def _keep_logging(**_: object) -> None:
    """Do nothing, on purpose."""
