-- name: insert_webhook
INSERT INTO webhook (id, url, types, description, secret)
VALUES (%(id)s, %(url)s, %(types)s, %(description)s, %(secret)s);

-- name: find_webhook
SELECT * FROM webhook WHERE id = %(id)s;

-- name: lock_webhook
-- Before its deliveries, which are events: the last in the order of locks.
SELECT * FROM webhook WHERE id = %(id)s FOR UPDATE;

-- name: list_webhooks
-- The oldest first, with how many deliveries wait for each and how many failed, counting no further than %(counted)s.
SELECT w.*, count(*) OVER () AS total,
    (
        SELECT count(*) FROM (
            SELECT FROM event e WHERE e.webhook_id = w.id AND e.status = 'pending' LIMIT %(counted)s
        ) waiting
    ) AS waiting,
    (
        SELECT count(*) FROM (
            SELECT FROM event e WHERE e.webhook_id = w.id AND e.status = 'failed' LIMIT %(counted)s
        ) failed
    ) AS failed
FROM webhook w
ORDER BY w.created_at, w.id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_webhooks
SELECT count(*) AS count FROM webhook;

-- name: update_webhook
UPDATE webhook SET
    url = %(url)s, types = %(types)s, description = %(description)s, updated_at = clock_timestamp()
WHERE id = %(id)s;

-- name: rotate_secret
-- The secret before goes on signing for a while. One before that ends at once.
UPDATE webhook SET
    old_secret = secret, old_secret_until = clock_timestamp() + %(overlap)s::interval, secret = %(secret)s,
    updated_at = clock_timestamp()
WHERE id = %(id)s;

-- name: disable_webhook
-- Answers no row when it is disabled already.
UPDATE webhook SET disabled_at = clock_timestamp(), disabled_reason = %(reason)s, updated_at = clock_timestamp()
WHERE id = %(id)s AND disabled_at IS NULL
RETURNING id;

-- name: enable_webhook
-- As if it had never failed.
UPDATE webhook SET
    disabled_at = NULL, disabled_reason = NULL, failures = 0, failing_since = NULL, retry_at = NULL,
    updated_at = clock_timestamp()
WHERE id = %(id)s;

-- name: delete_webhook
DELETE FROM webhook WHERE id = %(id)s RETURNING id;

-- name: discard_deliveries
-- What a webhook that is no more was still to be told.
UPDATE event SET
    status = 'discarded', finished_at = clock_timestamp(), outcome = 'the webhook was deleted',
    claimed_by = NULL, claimed_until = NULL, rings = 0, rung_at = NULL
WHERE webhook_id = %(id)s AND status = 'pending';
