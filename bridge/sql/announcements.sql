-- name: announce
-- See functions/2_announce.sql.
SELECT announce(%(type)s, %(data)s, %(key)s);

-- name: any_announcement
-- Whether there is anything to hand out.
SELECT EXISTS (SELECT FROM announcement) AS found;

-- name: take_announcements
-- The oldest, for good: whoever takes them makes the deliveries in the same transaction.
DELETE FROM announcement WHERE n IN (
    SELECT n FROM announcement ORDER BY n LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING n, key, type, data, at;

-- name: list_listeners
-- Who wants to hear which of these. Not who subscribed after it happened.
SELECT a.n, w.id AS webhook_id
FROM unnest(%(ns)s::bigint[], %(types)s::text[], %(ats)s::timestamptz[]) AS a (n, type, at)
JOIN webhook w ON w.disabled_at IS NULL AND w.created_at <= a.at AND wants_type(w.types, a.type)
ORDER BY a.n, w.id;

-- name: insert_deliveries
-- One for each key: an announcement that was made again is not delivered again.
INSERT INTO event (id, source, dedupe_key, type, queue, webhook_id, raw, status, finished_at, error_code, error)
SELECT d.id, %(source)s, d.dedupe_key, d.type, %(queue)s, d.webhook_id, d.raw,
    CASE WHEN d.error IS NULL THEN 'pending' ELSE 'failed' END::event_status,
    CASE WHEN d.error IS NOT NULL THEN clock_timestamp() END,
    CASE WHEN d.error IS NOT NULL THEN %(error_code)s END, d.error
FROM unnest(
    %(ids)s::text[], %(keys)s::text[], %(types)s::text[], %(webhook_ids)s::text[], %(raws)s::bytea[], %(errors)s::text[]
) AS d (id, dedupe_key, type, webhook_id, raw, error)
ON CONFLICT (source, dedupe_key) DO NOTHING;
