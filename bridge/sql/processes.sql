-- name: beat
-- Says that a process is there, and forgets those that have not been for ten minutes.
WITH gone AS (
    DELETE FROM process WHERE (kind, name) IN (
        SELECT kind, name FROM process WHERE seen_at < now() - INTERVAL '10 minutes' FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO process (kind, name, state, progressed_at)
VALUES (%(kind)s, %(name)s, %(state)s, CASE WHEN %(progressed)s THEN clock_timestamp() END)
ON CONFLICT (kind, name) DO UPDATE SET
    seen_at = clock_timestamp(),
    state = excluded.state,
    progressed_at = coalesce(excluded.progressed_at, process.progressed_at)

-- name: find_stuck
-- Kinds of process that live but no longer work.
-- A worker: events have been rung for 30 s that nobody paused, and for 30 s nobody has had any in hand. Anything
-- else: not heard of for a minute. Never one that has just started, nor when it was the database that was away.
SELECT 'worker' AS kind
WHERE EXISTS (
        SELECT FROM event e
        WHERE e.queue = ANY (%(queues)s) AND e.status = 'pending' AND e.rung_at < now() - INTERVAL '30 seconds'
            AND NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = e.queue)
    )
    AND NOT EXISTS (
        SELECT FROM process p
        WHERE p.kind = 'worker' AND greatest(p.progressed_at, p.started_at) > now() - INTERVAL '30 seconds'
    )
    AND pg_postmaster_start_time() < now() - INTERVAL '1 minute'
UNION ALL
-- Likewise those who deliver webhooks: the relay rings no more for one of them than they can do at once.
SELECT 'sender'
WHERE EXISTS (
        SELECT FROM event e
        WHERE e.queue = 'bridge.webhooks' AND e.status = 'pending' AND e.rung_at < now() - INTERVAL '30 seconds'
            AND NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = e.queue)
    )
    AND NOT EXISTS (
        SELECT FROM process p
        WHERE p.kind = 'sender' AND greatest(p.progressed_at, p.started_at) > now() - INTERVAL '30 seconds'
    )
    AND pg_postmaster_start_time() < now() - INTERVAL '1 minute'
UNION ALL
SELECT p.kind FROM process p
WHERE p.kind IN ('relay', 'beat')
GROUP BY p.kind
HAVING max(p.seen_at) < now() - INTERVAL '1 minute'
    AND max(p.started_at) < now() - INTERVAL '30 seconds'
    AND pg_postmaster_start_time() < now() - INTERVAL '1 minute'

-- name: relay_lag
-- For how many seconds the longest due event of any queue that nobody paused has not been rung.
SELECT coalesce(extract(epoch FROM now() - min(d.next_attempt_at)), 0)::float8 AS seconds
FROM unnest(%(queues)s::text[]) AS q (name)
CROSS JOIN LATERAL (
    SELECT e.next_attempt_at FROM event e
    WHERE e.queue = q.name AND e.status = 'pending' AND e.rung_at IS NULL AND e.next_attempt_at <= now()
    ORDER BY e.next_attempt_at
    LIMIT 1
) d
WHERE NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = q.name)
