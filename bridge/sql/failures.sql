-- name: list_events
-- A page of events, the newest first. Text is looked for in the newest %(searched)s that match everything else:
-- among millions, nobody waits for the oldest. The page is found first, where that can be by an index alone, and its
-- events are read then: so those before a page far down are counted, not read.
SELECT
    e.id, e.source, e.dedupe_key, e.type, e.queue, e.order_id, e.status, e.outcome, e.attempts, e.attempts_left,
    e.next_attempt_at, e.rings, e.rung_at, e.claimed_by, e.claimed_until, e.error_code, e.error, e.duplicates,
    e.request_id, e.webhook_id, e.received_at, e.finished_at, e.edited_payload IS NOT NULL AS edited
FROM (
    SELECT m.id
    FROM (
        SELECT * FROM event
        WHERE (%(id)s::text IS NULL OR id = %(id)s)
            AND (%(status)s::event_status IS NULL OR status = %(status)s)
            AND (%(type)s::text IS NULL OR type = %(type)s)
            AND (%(order_id)s::text IS NULL OR order_id = %(order_id)s)
            AND (%(source)s::text IS NULL OR source = %(source)s)
            AND (%(webhook_id)s::text IS NULL OR webhook_id = %(webhook_id)s)
            AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
            AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
        ORDER BY received_at DESC, id DESC
        LIMIT %(searched)s
    ) m
    WHERE %(q)s::text IS NULL
        OR m.order_id = %(q)s OR m.dedupe_key = %(q)s OR m.request_id = %(q)s
        OR strpos(lower(concat_ws(' ', m.type, m.error_code, m.error, m.outcome)), lower(%(q)s)) > 0
    ORDER BY m.received_at DESC, m.id DESC
    LIMIT %(limit)s OFFSET %(offset)s
) page
JOIN event e ON e.id = page.id
ORDER BY e.received_at DESC, e.id DESC

-- name: count_events
-- How many events list_events would list in all, counting no further than %(limit)s.
SELECT count(*) FROM (
    SELECT FROM (
        SELECT * FROM event
        WHERE (%(id)s::text IS NULL OR id = %(id)s)
            AND (%(status)s::event_status IS NULL OR status = %(status)s)
            AND (%(type)s::text IS NULL OR type = %(type)s)
            AND (%(order_id)s::text IS NULL OR order_id = %(order_id)s)
            AND (%(source)s::text IS NULL OR source = %(source)s)
            AND (%(webhook_id)s::text IS NULL OR webhook_id = %(webhook_id)s)
            AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
            AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
        ORDER BY received_at DESC, id DESC
        LIMIT %(searched)s
    ) e
    WHERE %(q)s::text IS NULL
        OR e.order_id = %(q)s OR e.dedupe_key = %(q)s OR e.request_id = %(q)s
        OR strpos(lower(concat_ws(' ', e.type, e.error_code, e.error, e.outcome)), lower(%(q)s)) > 0
    LIMIT %(limit)s
) found

-- name: retry_events
-- Makes events due again, with all their attempts, and writes down who did. What is not failed, ignored or discarded
-- is left alone, so a second click finds nothing to do; a delivery of a webhook may also be made again. Locks the events
-- in the order of their ids.
WITH chosen AS (
    SELECT id, status FROM event
    WHERE id = ANY (%(ids)s)
        AND (status = ANY ('{failed,ignored,discarded}') OR (status = 'applied' AND webhook_id IS NOT NULL))
    ORDER BY id
    FOR UPDATE
),
retried AS (
    UPDATE event e SET
        status = 'pending', finished_at = NULL, attempts_left = DEFAULT, next_attempt_at = statement_timestamp(),
        rings = 0, rung_at = NULL, claimed_by = NULL, claimed_until = NULL,
        edited_payload = coalesce(%(edited_payload)s::bytea, e.edited_payload)
    FROM chosen
    WHERE e.id = chosen.id
    RETURNING e.id, chosen.status AS was
)
INSERT INTO ops_action (actor, action, target, reason, details)
SELECT %(actor)s, %(action)s, id, %(reason)s, %(details)s::jsonb || jsonb_build_object('was', was)
FROM retried
RETURNING target

-- name: discard_event
-- Gives a failed event up, and writes down who did and why.
WITH discarded AS (
    UPDATE event SET status = 'discarded', finished_at = clock_timestamp(), outcome = %(reason)s
    WHERE id = %(id)s AND status = 'failed'
    RETURNING id
)
INSERT INTO ops_action (actor, action, target, reason) SELECT %(actor)s, 'discard', id, %(reason)s FROM discarded
RETURNING target

-- name: list_queues
-- Every queue and what waits in it. Reads only what is pending or failed, however many events were applied.
SELECT
    q.name, p.name IS NOT NULL AS paused, p.paused_at, p.paused_by, w.pending, w.due, w.rung, w.claimed,
    (SELECT count(*) FROM event e WHERE e.queue = q.name AND e.status = 'failed') AS failed,
    extract(epoch FROM now() - w.oldest)::float8 AS oldest_pending_seconds
FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS q (name, n)
LEFT JOIN paused_queue p ON p.name = q.name
CROSS JOIN LATERAL (
    SELECT
        count(*) AS pending,
        count(*) FILTER (WHERE e.next_attempt_at <= now() AND e.rung_at IS NULL) AS due,
        count(*) FILTER (WHERE e.rung_at IS NOT NULL) AS rung,
        count(*) FILTER (WHERE e.claimed_until > now()) AS claimed,
        min(e.received_at) AS oldest
    FROM event e
    WHERE e.queue = q.name AND e.status = 'pending'
) w
ORDER BY q.n

-- name: unring_queue
-- Makes everything of a queue that was rung and not claimed due at once.
UPDATE event SET rings = 0, rung_at = NULL, next_attempt_at = statement_timestamp()
WHERE queue = %(queue)s AND status = 'pending' AND rung_at IS NOT NULL

-- name: list_timeline
-- All that happened to an order, the oldest first: what was received of it, each attempt, each change of a claim of
-- its holds, its shortfalls, and what people did to any of these.
WITH its_event AS (
    SELECT * FROM event WHERE order_id = %(order_id)s ORDER BY received_at DESC LIMIT %(limit)s
),
its_shortfall AS (
    SELECT * FROM shortfall WHERE order_id = %(order_id)s
),
its_hold AS (
    SELECT hold_id FROM allocation WHERE order_id = %(order_id)s UNION SELECT hold_id FROM its_shortfall
),
entry AS (
    SELECT
        e.received_at AS at, 'event' AS kind, e.id, e.type AS title,
        jsonb_build_object(
            'source', e.source, 'status', e.status, 'outcome', e.outcome, 'error_code', e.error_code,
            'error', e.error, 'duplicates', e.duplicates, 'finished_at', e.finished_at
        ) AS details
    FROM its_event e
    UNION ALL
    SELECT
        a.started_at, 'attempt', a.event_id, coalesce(a.outcome, 'unfinished'),
        jsonb_build_object(
            'n', a.n, 'worker', a.worker, 'finished_at', a.finished_at, 'error_code', a.error_code, 'error', a.error
        )
    FROM attempt a JOIN its_event e ON e.id = a.event_id
    UNION ALL
    SELECT
        j.at, 'journal', j.hold_id, j.cause,
        jsonb_build_object(
            'resource_id', j.resource_id, 'slot_no', j.slot_no, 'held_change', j.held_change,
            'allocated_change', j.allocated_change, 'actor', j.actor
        )
    FROM journal j JOIN its_hold h ON h.hold_id = j.hold_id
    UNION ALL
    SELECT
        s.created_at, 'shortfall', s.id, 'opened',
        jsonb_build_object(
            'line_item_id', s.line_item_id, 'resource_id', s.resource_id, 'missing', s.missing, 'policy', s.policy
        )
    FROM its_shortfall s
    UNION ALL
    SELECT
        s.closed_at, 'shortfall', s.id, s.status::text, jsonb_build_object('action', s.action, 'note', s.note)
    FROM its_shortfall s WHERE s.closed_at IS NOT NULL
    UNION ALL
    SELECT
        o.at, 'action', o.target, o.action,
        jsonb_build_object('actor', o.actor, 'reason', o.reason, 'details', o.details)
    FROM ops_action o
    WHERE o.target = %(order_id)s OR o.target IN (SELECT id FROM its_event) OR o.target IN (SELECT id FROM its_shortfall)
)
SELECT * FROM (SELECT * FROM entry ORDER BY at DESC LIMIT %(limit)s) newest ORDER BY at
