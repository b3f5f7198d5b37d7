"""How the bridge logs: one JSON object a line, with the request's or event's id on every line."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog

# Each says something for every message; our own lines say it with the event's id.
_CHATTY = ("celery.worker.strategy", "celery.app.trace", "celery.beat", "tasks.beat")


def configure(level: str = "info") -> None:
    """Log to standard output, from `level` up. Standard-library loggers take the same way."""
    number = logging.getLevelName(level.upper())
    number = number if isinstance(number, int) else logging.INFO
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=lambda *args, **kw: _dumps(*args, **kw).decode()),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _dumps(event: Any, **_ignored: Any) -> bytes:
    return orjson.dumps(event, default=str)
