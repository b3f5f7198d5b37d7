"""What beat asks for, again and again. No answer depends on it; a turn that was missed is made up for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import structlog

from bridge import db
from bridge.clients.medusa import Medusa
from bridge.core import audits, events, failures, holds, idempotency, offers, reminders, travel
from bridge.core.events import MAINTENANCE
from bridge.core.offers import Rule
from bridge.errors import BridgeError, UnreadableEvent
from bridge.platforms import medusa
from bridge.rules.orders import OrderFacts
from tasks import presence, settings, task

# Less than task_soft_time_limit (50 s), and little enough for the next turn to begin on time.
BUDGET_SECONDS = 30
BATCH = 1000
# What changed while the last look was under way, and clocks that differ.
OVERLAP = timedelta(minutes=5)
FIRST_LOOK = timedelta(days=1)  # How far the very first look goes back.

log = structlog.get_logger("tasks")


def upkeep(act: Callable[[], None]) -> Callable[[], None]:
    """A task of beat's: left out while its queue is paused; when it fails, the next turn tries again."""

    def perform() -> None:
        with presence.working():
            try:
                with db.statement() as conn:
                    paused = failures.is_paused(conn, MAINTENANCE)
                if not paused:
                    act()
            except BridgeError as error:
                log.warning("upkeep failed", task=act.__name__, error_code=error.code, error=error.message)

    # Celery names a task after these.
    perform.__module__, perform.__name__, perform.__doc__ = act.__module__, act.__name__, act.__doc__
    return task(perform)


@upkeep
def sweep_holds() -> None:
    """Tidy up lapsed holds, a short transaction at a time."""
    _repeat(holds.expire_holds)


@upkeep
def tend_waitlist() -> None:
    """Offer what is free and somebody waits for, by the settings as they are; close entries that wait for nothing.

    Seats that are given back are offered at once by the ledger: this is for settings and clocks that changed.
    """
    with db.transaction() as conn:
        offers.keep_rule(conn, Rule.from_config(settings()))
        offers.offer_waiting(conn)
    _repeat(offers.expire_entries)


@upkeep
def follow_travel() -> None:
    """Remind those who leave soon; complete the bookings of those who have travelled."""
    before = timedelta(hours=float(settings().reminder_hours))
    if before:
        _repeat(lambda conn, limit: travel.owe_reminders(conn, before=before, limit=limit))
    _repeat(travel.complete_bookings)


@upkeep
def remind_of_appointments() -> None:
    """Remind those whose appointment is near."""
    leads = [timedelta(hours=float(hours)) for hours in settings().appointment_reminder_hours]
    _repeat(lambda conn, limit: reminders.owe_reminders(conn, leads=leads, limit=limit))


@upkeep
def audit_ledger() -> None:
    """Check that the ledger adds up; a large one in parts, where that takes long, and less often."""
    with db.transaction() as conn:
        if audits.is_due(conn):
            audits.audit(conn, seconds=BUDGET_SECONDS)


@upkeep
def reconcile_orders() -> None:
    """Find orders whose event never came: ask the platform for those that changed since the last look."""
    config = settings()
    if not config.medusa_url:
        return
    since = newest = _last_seen()
    deadline = time.monotonic() + BUDGET_SECONDS
    # The longest unchanged first, so that stopping here and there loses nothing.
    for order in Medusa(config).list_orders(since - OVERLAP):
        facts = _read(order)
        if facts is None or not _is_known(facts):
            _receive(order)
        if facts is not None and facts.updated_at is not None:
            newest = max(newest, facts.updated_at)
        if time.monotonic() > deadline:
            break
    _remember(newest)


@upkeep
def purge_old() -> None:
    """Forget answers kept for repeats after a day, and what was applied or ignored after 30 days."""
    with db.statement() as conn:
        idempotency.purge(conn)
    _repeat(events.purge_events)


def _repeat(act: Callable[..., list[str] | int]) -> None:
    deadline = time.monotonic() + BUDGET_SECONDS
    while time.monotonic() < deadline:
        with db.transaction() as conn:
            done = act(conn, limit=BATCH)
        if (done if isinstance(done, int) else len(done)) < BATCH:
            return


def _last_seen() -> datetime:
    with db.statement() as conn:
        row = conn.execute("SELECT seen_until FROM platform_cursor WHERE source = %s", [medusa.SOURCE]).fetchone()
    seen: datetime = row["seen_until"] if row else datetime.now(UTC) - FIRST_LOOK
    return seen


def _remember(seen_until: datetime) -> None:
    with db.statement() as conn:
        conn.execute(
            "INSERT INTO platform_cursor (source, seen_until) VALUES (%s, %s) ON CONFLICT (source) DO UPDATE SET"
            " seen_until = greatest(platform_cursor.seen_until, excluded.seen_until), asked_at = clock_timestamp()",
            [medusa.SOURCE, seen_until],
        )


def _read(order: dict[str, Any]) -> OrderFacts | None:
    try:
        return medusa.read_order(order)
    except UnreadableEvent:
        # As an event it fails where people see it.
        return None


def _is_known(facts: OrderFacts) -> bool:
    with db.statement() as conn:
        seen = conn.execute(
            "SELECT FROM platform_order WHERE source = %s AND id = %s"
            " AND version IS NOT DISTINCT FROM %s AND updated_at IS NOT DISTINCT FROM %s",
            [facts.source, facts.id, facts.version, facts.updated_at],
        )
        return seen.fetchone() is not None


def _receive(order: dict[str, Any]) -> None:
    key = f"reconcile:{order.get('id')}:{order.get('version')}:{order.get('updated_at')}"
    document = {"type": "order.reconcile", "data": {"order": order}}
    with db.statement() as conn:
        events.receive_event(
            conn,
            source=medusa.SOURCE,
            dedupe_key=key,
            type="order.reconcile",
            raw=orjson.dumps(document),
            headers={},
            order_id=medusa.order_id_of(document),
        )
