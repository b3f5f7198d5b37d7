-- name: ring_due_deliveries
-- As ring_due_events, by webhook: however many deliveries wait for one, no more than %(most)s of them are under way, so
-- that one which hangs holds up nobody else. One that fails has to wait until retry_at, and then shows with a single
-- delivery that it works again. What waits for a disabled one is rung to be closed.
-- Locks events, passing over those that somebody else has locked.
WITH open_webhook AS (
    SELECT
        w.id,
        CASE WHEN w.retry_at IS NULL OR w.disabled_at IS NOT NULL THEN %(most)s ELSE 1 END - (
            SELECT count(*) FROM event e
            WHERE e.webhook_id = w.id AND e.status = 'pending' AND (e.rung_at IS NOT NULL OR e.claimed_by IS NOT NULL)
                AND (e.rung_at IS NOT NULL OR e.claimed_until > statement_timestamp())
        ) AS room
    FROM webhook w
    WHERE (w.retry_at IS NULL OR w.retry_at <= statement_timestamp() OR w.disabled_at IS NOT NULL)
        AND (%(webhook_id)s::text IS NULL OR w.id = %(webhook_id)s)
        AND NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = %(queue)s)
),
due AS (
    SELECT fresh.id
    FROM open_webhook w
    CROSS JOIN LATERAL (
        SELECT e.id FROM event e
        WHERE e.webhook_id = w.id AND e.status = 'pending' AND e.next_attempt_at <= statement_timestamp()
            AND e.rung_at IS NULL
        ORDER BY e.next_attempt_at
        LIMIT greatest(least(w.room, %(limit)s), 0)
        FOR UPDATE SKIP LOCKED
    ) fresh
    UNION ALL
    SELECT again.id
    FROM open_webhook w
    CROSS JOIN LATERAL (
        SELECT e.id FROM event e
        WHERE e.webhook_id = w.id AND e.status = 'pending' AND e.rung_at IS NOT NULL
            AND e.next_attempt_at <= statement_timestamp()
        ORDER BY e.next_attempt_at
        LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    ) again
    WHERE EXISTS (
        SELECT FROM process p WHERE p.kind = 'sender' AND p.seen_at > statement_timestamp() - INTERVAL '1 minute'
    )
)
UPDATE event e SET
    rings = e.rings + 1,
    rung_at = coalesce(e.rung_at, statement_timestamp()),
    next_attempt_at = statement_timestamp() + least(INTERVAL '1 minute', INTERVAL '20 seconds' * 2 ^ least(e.rings, 4))
FROM due
WHERE e.id = due.id
RETURNING e.id, e.queue

-- name: ring_next_delivery
-- The next due delivery to the webhook of another, as rung as by the relay: should the caller die, it is rung again.
UPDATE event SET
    rings = rings + 1, rung_at = statement_timestamp(), next_attempt_at = statement_timestamp() + INTERVAL '20 seconds'
WHERE id = (
    SELECT e.id
    FROM event d
    JOIN webhook w ON w.id = d.webhook_id AND w.failures = 0 AND w.retry_at IS NULL AND w.disabled_at IS NULL
    JOIN event e ON e.webhook_id = w.id AND e.status = 'pending' AND e.rung_at IS NULL
        AND e.next_attempt_at <= statement_timestamp()
    WHERE d.id = %(after)s AND NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = d.queue)
    ORDER BY e.next_attempt_at
    LIMIT 1
    FOR UPDATE OF e SKIP LOCKED
)
RETURNING id

-- name: note_answer
-- What the receiver said to an attempt.
UPDATE attempt SET http_status = %(http_status)s, answer = %(answer)s WHERE event_id = %(event_id)s AND n = %(n)s;

-- name: note_success
-- To the second, or each delivery of many would rewrite the row.
UPDATE webhook SET failures = 0, failing_since = NULL, retry_at = NULL, succeeded_at = clock_timestamp()
WHERE id = %(id)s
    AND (failures > 0 OR succeeded_at IS NULL OR succeeded_at < clock_timestamp() - INTERVAL '1 second');

-- name: note_failure
-- Counts a failure in a row, and answers how many there are and whether that has gone on for too long.
UPDATE webhook SET
    failures = failures + 1,
    failing_since = coalesce(failing_since, clock_timestamp()),
    failed_at = clock_timestamp(),
    last_error = %(error)s
WHERE id = %(id)s
RETURNING failures, failing_since <= clock_timestamp() - %(patience)s::interval AS is_hopeless, disabled_at IS NULL AS is_enabled;

-- name: hold_back
-- All deliveries wait so long. Never less long than somebody said before.
UPDATE webhook SET retry_at = greatest(retry_at, clock_timestamp() + make_interval(secs => %(seconds)s))
WHERE id = %(id)s;
