"""The queue's door: the Celery application, and the one policy of how an event is worked on."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, cast

import structlog
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from structlog.contextvars import bound_contextvars

from bridge import db
from bridge.config import Config
from bridge.core import terms

# By name: a module called events stands in this package too.
from bridge.core.events import ClaimLost, Event, claim_event, fail_event, redact, retry_later
from bridge.core.processes import own_name
from bridge.errors import BridgeError, InvalidSetting, Unavailable
from tasks import presence

P = ParamSpec("P")

# A call that was cut off may still be settling at the other end (see bridge/clients/medusa.py).
CUT_OFF_WAIT_SECONDS = 60

# Which transport serves which scheme of BROKER_URL. Valkey speaks Redis.
TRANSPORTS = {"amqp": "amqp", "amqps": "amqp", "redis": "redis", "rediss": "redis", "valkey": "redis"}

log = structlog.get_logger("tasks")
_config: Config | None = None

celery = Celery("bridge", include=["tasks.events", "tasks.outgoing", "tasks.webhooks", "tasks.maintenance"])
celery.config_from_object("celeryconfig")


def configure(config: Config) -> None:
    """Say with which settings this process, and those it forks, work. Raises InvalidSetting."""
    global _config  # noqa: PLW0603 - Celery calls tasks with their arguments and nothing else
    scheme, separator, rest = config.broker_url.partition("://")
    if scheme not in TRANSPORTS or not separator:
        raise InvalidSetting("BROKER_URL: it must start with amqp:// or redis://")
    _config = config
    terms.configure(config)
    celery.conf.update(
        broker_url=f"{'redis' if scheme == 'valkey' else scheme}://{rest}",
        broker_transport_options=dict(celery.conf.transport_options[TRANSPORTS[scheme]]),
    )
    celery.conf.beat_schedule["sweep_holds"]["schedule"] = float(config.sweep_seconds)


def settings() -> Config:
    """The settings this process works with."""
    return _config or Config.from_env()


def task(function: Callable[P, None]) -> Callable[P, None]:
    """A Celery task, named after its module and itself."""
    return cast("Callable[P, None]", celery.task(function))


def event_task(*, lease_seconds: float) -> Callable[[Callable[[Event], None]], Callable[[str], None]]:
    """A task that claims an event by its id and works on it: see event_work."""
    return lambda act: task(event_work(lease_seconds=lease_seconds)(act))


def event_work(*, lease_seconds: float) -> Callable[[Callable[[Event], None]], Callable[[str], None]]:
    """What claims an event by its id and has the function do what it asks for and finish it.

    Whatever the function raises ends in the event's row: an Unavailable and what nobody expected are tried again later
    (a deploy may mend the latter), any other BridgeError fails the event at once. Nothing is left to Celery.
    """

    def make(act: Callable[[Event], None]) -> Callable[[str], None]:
        def perform(event_id: str) -> None:
            with bound_contextvars(event_id=event_id), _uninterrupted(), presence.working(event_id):
                if event := _claim(event_id, lease_seconds):
                    _attempt(act, event)

        # Celery names a task after these.
        perform.__module__, perform.__name__, perform.__doc__ = act.__module__, act.__name__, act.__doc__
        return perform

    return make


def _claim(event_id: str, lease_seconds: float) -> Event | None:
    worker = own_name()
    try:
        with db.statement() as conn:
            return claim_event(conn, event_id=event_id, worker=worker, lease_seconds=lease_seconds)
    except Unavailable as error:
        # Perhaps it was claimed, and only the answer did not get through.
        presence.leave_claim()
        log.warning("cannot claim the event; it will be rung again", error=error.message)
        return None


def _attempt(act: Callable[[Event], None], event: Event) -> None:
    try:
        with bound_contextvars(event_type=event.type, order_id=event.order_id, request_id=event.request_id):
            act(event)
    except ClaimLost:
        log.warning("somebody else has the event by now; nothing was done")
    except Unavailable as error:
        _retry_later(event, error, code=error.code, message=error.message, retry_after=error.retry_after)
    except BridgeError as error:
        _fail(event, error)
    except SoftTimeLimitExceeded as error:
        message = "It took too long."
        _retry_later(event, error, code="time_limit", message=message, retry_after=CUT_OFF_WAIT_SECONDS)
    except Exception as error:  # noqa: BLE001 - a bug must end in the row, where people see it, like anything else
        _retry_later(event, error, code="unexpected_error", message=f"{type(error).__name__}: {error}")
    else:
        log.info("event done", attempt=event.attempts)


def _retry_later(event: Event, error: Exception, *, code: str, message: str, retry_after: float | None = None) -> None:
    log.warning("event to be retried", attempt=event.attempts, error_code=code, error=redact(message))
    _record(
        lambda conn: retry_later(
            conn, event, error_code=code, error=message, traceback=_format(error), retry_after=retry_after
        )
    )


def _fail(event: Event, error: BridgeError) -> None:
    log.error("event failed", attempt=event.attempts, error_code=error.code, error=redact(error.message))
    _record(lambda conn: fail_event(conn, event, error_code=error.code, error=error.message, traceback=_format(error)))


def _record(write: Callable[[db.Connection], None]) -> None:
    # What was cut off in the middle of a statement left the connection there; a new one costs milliseconds.
    db.close()
    try:
        with db.transaction() as conn:
            write(conn)
    except ClaimLost as error:
        log.warning("somebody else has the event by now; how it went is not written down", error=error.message)
    except Unavailable as error:
        presence.leave_claim()
        log.warning("how it went could not be written down; the event will be freed", error=error.message)


def _format(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let SIGTERM wait until the event in hand is done.

    Whoever stops a worker signals its whole process group, and Celery lets only the parent finish its work: a child
    would die on the spot, and its event would wait for the lease to end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
