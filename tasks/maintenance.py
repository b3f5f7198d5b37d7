"""What beat asks for, again and again. No answer depends on it; a turn that was missed is made up for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import orjson
import structlog

from bridge import db
from bridge.clients.medusa import MAX_IDS, Medusa
from bridge.core import audits, comparisons, departures, events, failures, holds, idempotency, offers, reminders, travel
from bridge.core.events import MAINTENANCE, Receipt
from bridge.core.offers import Rule
from bridge.errors import BridgeError, PlatformRefused, UnreadableEvent
from bridge.platforms import medusa
from bridge.rules.orders import OrderFacts
from tasks import presence, settings, task

# Less than task_soft_time_limit (50 s), and little enough for the next turn to begin on time.
BUDGET_SECONDS = 30
BATCH = 1000
SWEPT = 200  # Lapsed holds a transaction: milliseconds, which is as long as their slots are locked.
LONGEST_REST_SECONDS = 0.1  # Between two of them.
# Lapsed holds looked up at a time, which takes a tenth of a second: many enough to find those of the same slot.
LISTED = 20_000
# What changed while the last look was under way, and clocks that differ.
OVERLAP = timedelta(minutes=5)
FIRST_LOOK = timedelta(days=1)  # How far the very first look goes back.
COMPARED_PAGES = 10  # Questions to the platform, of 20 orders each, in one turn.

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
    """Tidy up lapsed holds, few at a time and those of one slot together: buyers wait for the slots being swept."""
    deadline = time.monotonic() + BUDGET_SECONDS
    while time.monotonic() < deadline:
        with db.statement() as conn:
            lapsed = holds.list_lapsed(conn, limit=LISTED)
        swept = 0
        for n in range(0, len(lapsed), SWEPT):
            started = time.monotonic()
            with db.transaction() as conn:
                swept += len(holds.sweep_holds(conn, lapsed[n : n + SWEPT]))
            ended = time.monotonic()
            if ended > deadline:
                return
            # Half as long again is for those who buy: they are waiting, and a sweep can.
            time.sleep(min((ended - started) / 2, LONGEST_REST_SECONDS))
        # Where nothing was to be had somebody else is at it.
        if len(lapsed) < LISTED or not swept:
            return


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
def fill_horizon() -> None:
    """Make the departures that schedules have up to BOOKING_ADVANCE_DAYS from today, one schedule after another."""
    days = settings().booking_advance_days
    deadline = time.monotonic() + BUDGET_SECONDS
    with db.statement() as conn:
        schedule_ids = departures.list_unfilled(conn, advance_days=days, limit=BATCH)
    # Those that reach least far come first, so that stopping here and there loses nothing.
    for schedule_id in schedule_ids:
        if time.monotonic() > deadline:
            return
        try:
            with db.transaction() as conn:
                departures.fill(conn, schedule_id, advance_days=days)
        except BridgeError as error:
            # One that is being changed this moment keeps no other waiting.
            log.warning("a schedule could not be filled", schedule_id=schedule_id, error_code=error.code)


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
def compare_orders() -> None:
    """Ask the platform for orders that have something here, some each time, going round.

    What it says otherwise is applied as an event. What it does not know, or says otherwise although that was applied,
    is a finding of the audit: people must look.
    """
    config = settings()
    if not config.medusa_url:
        return
    platform = Medusa(config)
    deadline = time.monotonic() + BUDGET_SECONDS
    with db.statement() as conn:
        # First what was found before: it may be settled by now.
        _compare(platform, audits.compared_badly(conn)[:MAX_IDS])
    for _ in range(COMPARED_PAGES):
        with db.statement() as conn:
            order_ids, compared_to = comparisons.next_orders(conn, source=medusa.SOURCE, limit=MAX_IDS)
        _compare(platform, order_ids)
        with db.statement() as conn:
            comparisons.remember(conn, source=medusa.SOURCE, compared_to=compared_to)
        if not compared_to or time.monotonic() > deadline:
            return


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


def _compare(platform: Medusa, order_ids: list[str]) -> None:
    with db.statement() as conn:
        standing = comparisons.standing(conn, source=medusa.SOURCE, order_ids=order_ids)
    shown = platform.find_orders(standing) if standing else {}
    verdicts = {order_id: _verdict(platform, order_id, shown.get(order_id)) for order_id in standing}
    found = [
        {"check": "platform", "what": what, "source": medusa.SOURCE, "order_id": order_id}
        for order_id, what in verdicts.items()
        if what
    ]
    with db.transaction() as conn:
        audits.keep_comparison(conn, found, order_ids=order_ids)


def _verdict(platform: Medusa, order_id: str, shown: dict[str, Any] | None) -> str | None:
    """What is wrong with an order, if people must look."""
    try:
        # The list leaves some out; only asking for the one tells that there is none.
        order = shown or platform.get_order(order_id)
    except PlatformRefused as error:
        if error.details.get("status") != HTTPStatus.NOT_FOUND:
            raise
        return "unknown to the platform"
    facts = _read(order)
    with db.transaction() as conn:
        if facts is not None and comparisons.agrees(conn, facts):
            return None
    receipt = _receive(order, key=f"compare:{order_id}:{hashlib.sha256(orjson.dumps(order)).hexdigest()}")
    with db.transaction() as conn:
        is_pending = failures.get_event(conn, receipt.id)["status"] == "pending"
    return "otherwise on the platform" if receipt.duplicate and not is_pending else None


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


def _receive(order: dict[str, Any], *, key: str | None = None) -> Receipt:
    key = key or f"reconcile:{order.get('id')}:{order.get('version')}:{order.get('updated_at')}"
    document = {"type": "order.reconcile", "data": {"order": order}}
    with db.statement() as conn:
        return events.receive_event(
            conn,
            source=medusa.SOURCE,
            dedupe_key=key,
            type="order.reconcile",
            raw=orjson.dumps(document),
            headers={},
            order_id=medusa.order_id_of(document),
        )
