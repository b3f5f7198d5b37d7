"""How HTTP is served: granian, with its processes and threads."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from bridge.config import REQUIRED_BY_WEB, Config


class _Intended(logging.Filter):
    """Keeps the server's warning about the number of threads back, which is measured: see WEB_THREADS."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads" not in record.getMessage()


def run(config: Config) -> None:
    """Serve until told to stop."""
    logging.getLogger("_granian").addFilter(_Intended())
    # Here too: what an application lacks would be a traceback in each of the processes that make one.
    config.require(*REQUIRED_BY_WEB)
    config.metrics_dir.mkdir(parents=True, exist_ok=True)
    # Read by prometheus_client when it is first imported, in each of the processes started here.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(config.metrics_dir))
    Granian(
        "wsgi:app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        # Proxies speak HTTP/1.1 to us; to find out costs every connection something.
        http=HTTPModes.http1,
        websockets=False,
        workers=config.web_processes,
        # One connection to the database per thread: a small number of them is faster than a large one.
        blocking_threads=config.web_threads,
        respawn_failed_workers=True,
        # A stop that comes in the first half second of a process is lost on it; nothing waits for it longer than this.
        workers_kill_timeout=8,
        log_level=LogLevels.warning,
    ).serve(target_loader=_load, wrap_loader=False)


def _load() -> Any:
    """The application, in each process that serves it."""
    from wsgi import app  # noqa: PLC0415  # the processes that serve make it; the one that starts them does not

    # What is there now stays to the end; a collection that visits it stops every thread for tens of milliseconds.
    gc.collect()
    gc.freeze()
    return app
