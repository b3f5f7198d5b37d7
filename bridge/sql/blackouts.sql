-- name: insert_blackout
-- Before any capacity row is locked: who waits for those rows then sees it, who does not has committed before.
INSERT INTO blackout (id, resource_id, starts_on, ends_on, reason)
VALUES (%(id)s, %(resource_id)s, %(start_date)s, %(end_date)s, %(reason)s)
RETURNING id, resource_id, starts_on AS start_date, ends_on AS end_date, reason, created_at;

-- name: list_blackouts
-- Those that touch the range, if one is given.
SELECT b.id, b.resource_id, b.starts_on AS start_date, b.ends_on AS end_date, b.reason, b.created_at FROM blackout b
WHERE b.deleted_at IS NULL
    AND (%(resource_id)s::text IS NULL OR b.resource_id = %(resource_id)s)
    AND (%(start_date)s::date IS NULL OR b.ends_on >= %(start_date)s)
    AND (%(end_date)s::date IS NULL OR b.starts_on <= %(end_date)s)
ORDER BY b.starts_on, b.id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_blackouts
-- By the same filters as list_blackouts.
SELECT count(*) AS count FROM blackout b
WHERE b.deleted_at IS NULL
    AND (%(resource_id)s::text IS NULL OR b.resource_id = %(resource_id)s)
    AND (%(start_date)s::date IS NULL OR b.ends_on >= %(start_date)s)
    AND (%(end_date)s::date IS NULL OR b.starts_on <= %(end_date)s);

-- name: delete_blackout
UPDATE blackout SET deleted_at = clock_timestamp() WHERE id = %(blackout_id)s AND deleted_at IS NULL
RETURNING resource_id, starts_on, ends_on;
