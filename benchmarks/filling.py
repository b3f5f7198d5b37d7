"""Tables filled to a size by set-based statements: what a bridge has after years, in minutes."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date

import psycopg

from benchmarks.stage import PLACES
from bridge import db
from bridge.rules.slots import day_slot

DAYS = 1000  # Of each resource.
EVENT_DAYS = 60  # Over which events came, so that half of them are old enough to go.


def fill_capacity(database_url: str, rows: int, first: date) -> list[str]:
    """Resources with DAYS slots each (fewer where `rows` is small), `rows` in all; the ids of the resources."""
    days = min(DAYS, max(1, rows // 100))
    values = {"first": day_slot(first), "days": days, "places": PLACES, "count": rows // days}
    with _quickly(database_url) as conn:
        conn.execute(
            "INSERT INTO resource (id, type, name, time_zone)"
            " SELECT 'res_scale_' || lpad(n::text, 6, '0'), 'TOUR', 'A tour', 'Australia/Brisbane'"
            " FROM generate_series(1, %(count)s) AS n",
            values,
        )
        # In the order of the key, or its index would be written to all over.
        conn.execute(
            "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)"
            " SELECT 'res_scale_' || lpad(r::text, 6, '0'), n, DATE '1970-01-01' + n, %(places)s"
            " FROM generate_series(1, %(count)s) AS r, generate_series(%(first)s, %(first)s + %(days)s - 1) AS n",
            values,
        )
    return [f"res_scale_{n:06}" for n in range(1, rows // days + 1)]


def fill_events(database_url: str, count: int) -> None:
    """So many events of a platform over the last EVENT_DAYS, three to an order, most of them applied, with attempts.

    Of a thousand one failed and ten were ignored. The newest thirty wait, but for an hour yet.
    """
    values = {"count": count, "seconds": EVENT_DAYS * 86400, "pending": min(30, count)}
    with _quickly(database_url) as conn:
        indexes = [
            row["indexdef"]
            for row in conn.execute(
                "SELECT indexdef FROM pg_indexes WHERE tablename = 'event'"
                " AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'event'::regclass)"
            )
        ]
        for definition in indexes:
            conn.execute(f"DROP INDEX {definition.split()[2]}")
        conn.execute(_EVENTS, values)
        conn.execute(
            "INSERT INTO attempt (event_id, n, worker, started_at, finished_at, outcome)"
            " SELECT id, 1, 'host:1', received_at, finished_at, status::text FROM event WHERE attempts = 1"
        )
        conn.execute("SET maintenance_work_mem = '512MB'")
        for definition in indexes:
            conn.execute(definition)


def settle_down(database_url: str) -> None:
    """Do what autovacuum would have done by and by. Not beside a filling: what is younger than that is left alone."""
    with _quickly(database_url) as conn:
        conn.execute("VACUUM ANALYZE resource, capacity, event, attempt")
        with suppress(psycopg.errors.InsufficientPrivilege):
            conn.execute("CHECKPOINT")


_EVENTS = """
    INSERT INTO event (id, source, dedupe_key, type, queue, order_id, status, outcome, raw, headers, attempts,
        attempts_left, next_attempt_at, error_code, error, request_id, received_at, finished_at)
    SELECT 'evt_' || lpad(n::text, 26, '0'), 'medusa', 'msg_' || lpad(n::text, 24, '0'),
        (ARRAY['order.placed', 'order.updated', 'payment.captured'])[n %% 3 + 1], 'bridge.events', 'order_' || n / 3,
        status, CASE status WHEN 'applied' THEN 'Confirmed 1 hold.' WHEN 'ignored' THEN 'Nothing of it is ours.' END,
        convert_to('{"type":"order.placed","data":{"order":{"id":"order_' || n / 3 || '","status":"pending",'
            '"version":1,"items":[{"id":"item_1","quantity":1,"metadata":{"booking_hold_id":"hold_' || n || '"}}]}}}',
            'UTF8'),
        '{"webhook-id": "msg", "webhook-timestamp": "1790000000"}', (status <> 'pending')::integer, 15,
        now() + INTERVAL '1 hour', CASE status WHEN 'failed' THEN 'hold_not_found' END,
        CASE status WHEN 'failed' THEN 'There is no such hold.' END, md5(n::text), received_at,
        CASE WHEN status <> 'pending' THEN received_at + INTERVAL '50 milliseconds' END
    FROM (
        SELECT n, now() - make_interval(secs => %(seconds)s * (1 - n::float8 / %(count)s)) AS received_at,
            CASE WHEN n > %(count)s - %(pending)s THEN 'pending' WHEN n %% 1000 = 7 THEN 'failed'
                 WHEN n %% 100 = 3 THEN 'ignored' ELSE 'applied' END::event_status AS status
        FROM generate_series(1, %(count)s) AS n
    ) made
"""


def _quickly(database_url: str) -> db.Connection:
    """A connection whose statements may take minutes, and which checks no foreign key where it may leave that out."""
    conn = db.connect(database_url)
    conn.execute("SET statement_timeout = 0")
    with suppress(psycopg.errors.InsufficientPrivilege):
        conn.execute("SET session_replication_role = replica")
    if "DATABASE_URL" not in os.environ:
        # Of a server that is ours alone: one checkpoint, not one for each gigabyte.
        conn.execute("ALTER SYSTEM SET max_wal_size = '16GB'")
        conn.execute("SELECT pg_reload_conf()")
    return conn
