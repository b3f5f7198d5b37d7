-- name: receive_event
-- Stores an event once. A repeat is counted and answered with the id of the first; it changes nothing else.
INSERT INTO event (
    id, source, dedupe_key, type, queue, order_id, status, outcome, raw, headers, error_code, error, request_id,
    finished_at
)
VALUES (
    %(id)s, %(source)s, %(dedupe_key)s, %(type)s, %(queue)s, %(order_id)s, %(status)s, %(outcome)s, %(raw)s,
    %(headers)s, %(error_code)s, %(error)s, %(request_id)s,
    CASE WHEN %(status)s::event_status <> 'pending' THEN clock_timestamp() END
)
ON CONFLICT (source, dedupe_key) DO UPDATE SET duplicates = event.duplicates + 1
RETURNING id, id <> %(id)s AS duplicate

-- name: ring_due_events
-- Marks up to %(limit)s due events of each queue that is not paused as rung, and answers them, the longest due first.
-- At most %(window)s of a queue are rung and unclaimed: ringing on at workers that do not keep up would only fill the
-- broker. For the same reason nothing is rung again while no worker lives. Per queue, so that slow mail does not hold
-- up orders. Locks events, passing over those that somebody else has locked.
WITH open_queue AS (
    SELECT
        q.name,
        EXISTS (
            SELECT FROM process p WHERE p.kind = 'worker' AND p.seen_at > statement_timestamp() - INTERVAL '1 minute'
        ) AS has_worker,
        %(window)s - (
            SELECT count(*) FROM event e WHERE e.queue = q.name AND e.status = 'pending' AND e.rung_at IS NOT NULL
        ) AS room
    FROM unnest(%(queues)s::text[]) AS q (name)
    WHERE NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = q.name)
),
due AS (
    SELECT fresh.id
    FROM open_queue q
    CROSS JOIN LATERAL (
        SELECT e.id FROM event e
        WHERE e.queue = q.name AND e.status = 'pending' AND e.next_attempt_at <= statement_timestamp()
            AND e.rung_at IS NULL
        ORDER BY e.next_attempt_at
        LIMIT greatest(least(%(limit)s, q.room), 0)
        FOR UPDATE SKIP LOCKED
    ) fresh
    UNION ALL
    SELECT again.id
    FROM open_queue q
    CROSS JOIN LATERAL (
        SELECT e.id FROM event e
        WHERE q.has_worker AND e.queue = q.name AND e.status = 'pending' AND e.rung_at IS NOT NULL
            AND e.next_attempt_at <= statement_timestamp()
        ORDER BY e.rung_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ) again
)
UPDATE event e SET
    rings = e.rings + 1,
    rung_at = coalesce(e.rung_at, statement_timestamp()),
    next_attempt_at = statement_timestamp() + least(INTERVAL '1 minute', INTERVAL '20 seconds' * 2 ^ least(e.rings, 4))
FROM due
WHERE e.id = due.id
RETURNING e.id, e.queue

-- name: unring_events
-- Makes events that could not be rung due again; those that somebody claimed after all are left alone.
UPDATE event SET
    rings = greatest(rings - 1, 0),
    rung_at = NULL,
    next_attempt_at = statement_timestamp() + INTERVAL '1 second'
WHERE id = ANY (%(ids)s) AND status = 'pending' AND rung_at IS NOT NULL

-- name: claim_event
-- Gives one worker the event for a while, and counts the attempt before it is made: so the count survives whatever
-- the attempt does to the worker. Nobody gets an event that is finished, in back-off, paused, or claimed by another.
-- The commit does not wait for the disk: what a crash of the database could forget is a count, and every commit that
-- tells the outside world anything waits for this one too.
WITH claimed AS (
    UPDATE event e SET
        attempts = e.attempts + 1,
        attempts_left = e.attempts_left - 1,
        claimed_by = %(worker)s,
        claimed_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s),
        next_attempt_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s),
        rings = 0,
        rung_at = NULL
    WHERE e.id = %(id)s
        AND e.status = 'pending'
        AND e.attempts_left >= 1
        AND (e.claimed_until IS NULL OR e.claimed_until <= clock_timestamp())
        AND (e.rung_at IS NOT NULL OR e.next_attempt_at <= clock_timestamp())
        AND NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = e.queue)
    RETURNING e.*
),
counted AS (
    INSERT INTO attempt (event_id, n, worker) SELECT id, attempts, claimed_by FROM claimed
)
SELECT
    id, source, type, queue, order_id, webhook_id, coalesce(edited_payload, raw) AS body, attempts, attempts_left,
    claimed_by AS worker, request_id, set_config('synchronous_commit', 'off', true) AS synchronous_commit
FROM claimed

-- name: free_lost_claims
-- Ends the leases of workers that were there and are not heard of any more. Only of events whose whole effect is in
-- this database: should the worker live after all, it will not be able to finish, and its effect rolls back. And of
-- deliveries, whose receivers know by the id what comes twice.
UPDATE event e SET next_attempt_at = statement_timestamp(), claimed_until = statement_timestamp()
FROM process p
WHERE p.seen_at < statement_timestamp() - INTERVAL '20 seconds'
    AND e.claimed_by = p.name AND e.status = 'pending' AND e.claimed_until > statement_timestamp()
    AND ((p.kind = 'worker' AND e.queue = %(events)s) OR (p.kind = 'sender' AND e.queue = %(deliveries)s))

-- name: free_own_claims
-- Ends the leases that a worker, which names itself, left behind when it could not write down how an attempt went. Not
-- those of events it has in hand, nor any of the last seconds: it may have taken that one since.
UPDATE event SET next_attempt_at = statement_timestamp(), claimed_until = statement_timestamp()
WHERE claimed_by = %(worker)s AND status = 'pending' AND queue = %(queue)s AND NOT id = ANY (%(in_hand)s)
    AND claimed_until > statement_timestamp()
    AND claimed_until < statement_timestamp() + make_interval(secs => %(lease_seconds)s::float8 - %(settled_seconds)s)

-- name: give_up_lost
-- Fails an event whose workers died until no attempt was left.
UPDATE event SET
    status = 'failed', finished_at = clock_timestamp(), error_code = %(error_code)s, error = %(error)s,
    outcome = NULL, claimed_by = NULL, claimed_until = NULL, rung_at = NULL
WHERE id = %(id)s AND status = 'pending' AND attempts_left < 1
    AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())

-- name: finish_event
-- Ends the claim that did the work, and no other: it answers no row when somebody else has the event by now.
-- Locks the event, after whatever the effect has locked.
WITH finished AS (
    UPDATE event SET
        status = %(status)s, finished_at = clock_timestamp(), outcome = %(outcome)s, error_code = %(error_code)s,
        error = %(error)s, claimed_by = NULL, claimed_until = NULL, rings = 0, rung_at = NULL
    WHERE id = %(id)s AND status = 'pending' AND claimed_by = %(worker)s AND attempts = %(n)s
    RETURNING id
)
UPDATE attempt a SET
    finished_at = clock_timestamp(), outcome = %(status)s::text, error_code = %(error_code)s, error = %(error)s,
    traceback = %(traceback)s
FROM finished
WHERE a.event_id = finished.id AND a.n = %(n)s
RETURNING a.event_id

-- name: retry_later
-- Ends a claim without an effect, and makes the event due again after a wait. Answers no row like finish_event.
WITH waiting AS (
    UPDATE event SET
        next_attempt_at = clock_timestamp() + make_interval(secs => %(wait_seconds)s), error_code = %(error_code)s,
        error = %(error)s, claimed_by = NULL, claimed_until = NULL, rings = 0, rung_at = NULL
    WHERE id = %(id)s AND status = 'pending' AND claimed_by = %(worker)s AND attempts = %(n)s
    RETURNING id
)
UPDATE attempt a SET
    finished_at = clock_timestamp(), outcome = 'retry', error_code = %(error_code)s, error = %(error)s,
    traceback = %(traceback)s
FROM waiting
WHERE a.event_id = waiting.id AND a.n = %(n)s
RETURNING a.event_id

-- name: purge_events
-- Deletes up to %(limit)s events that were applied or ignored long ago, with their attempts: the oldest first, by the
-- index of each status, past which nothing is read. Failed ones stay.
DELETE FROM event WHERE id IN (
    SELECT old.id
    FROM unnest('{applied,ignored}'::event_status[]) AS s (status)
    CROSS JOIN LATERAL (
        SELECT e.id FROM event e
        WHERE e.status = s.status AND e.received_at < now() - INTERVAL '30 days'
            AND e.finished_at < now() - INTERVAL '30 days'
        ORDER BY e.received_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ) old
    LIMIT %(limit)s
)
