"""The process that delivers webhooks: a worker of threads, because all it does is wait for others to answer."""

from __future__ import annotations

from bridge.config import Config
from bridge.core.events import WEBHOOKS
from tasks import presence
from tasks.worker import serve

KIND = "sender"


def run(config: Config) -> None:
    """Deliver until SIGTERM, then finish what is in hand."""
    with presence.kept(KIND, database_url=config.database_url):
        serve(config, queues=[WEBHOOKS], options=["--pool=threads", f"--concurrency={config.sender_threads}"])
