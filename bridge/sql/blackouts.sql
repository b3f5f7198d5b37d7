-- name: insert_blackout
-- Before any capacity row is locked: who waits for those rows then sees it, who does not has committed before.
INSERT INTO blackout (id, resource_id, starts_on, ends_on, reason, blackout_type, name, description, is_active)
VALUES (%(id)s, %(resource_id)s, %(start_date)s, %(end_date)s, %(reason)s, %(blackout_type)s, %(name)s, %(description)s,
    %(is_active)s)
RETURNING id, resource_id, starts_on AS start_date, ends_on AS end_date, reason, created_at, blackout_type::text AS blackout_type,
    name, description, is_active;

-- name: list_blackouts
-- Those that touch the range, if one is given.
SELECT b.id, b.resource_id, b.starts_on AS start_date, b.ends_on AS end_date, b.reason, b.created_at,
    b.blackout_type::text AS blackout_type, b.name, b.description, b.is_active
FROM blackout b
WHERE b.deleted_at IS NULL
    AND (%(resource_id)s::text IS NULL OR b.resource_id = %(resource_id)s)
    AND (%(start_date)s::date IS NULL OR b.ends_on >= %(start_date)s)
    AND (%(end_date)s::date IS NULL OR b.starts_on <= %(end_date)s)
    AND (%(blackout_type)s::text IS NULL OR b.blackout_type::text = %(blackout_type)s)
    AND (%(is_active)s::boolean IS NULL OR b.is_active = %(is_active)s)
ORDER BY b.starts_on, b.id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_blackouts
-- By the same filters as list_blackouts.
SELECT count(*) AS count FROM blackout b
WHERE b.deleted_at IS NULL
    AND (%(resource_id)s::text IS NULL OR b.resource_id = %(resource_id)s)
    AND (%(start_date)s::date IS NULL OR b.ends_on >= %(start_date)s)
    AND (%(end_date)s::date IS NULL OR b.starts_on <= %(end_date)s)
    AND (%(blackout_type)s::text IS NULL OR b.blackout_type::text = %(blackout_type)s)
    AND (%(is_active)s::boolean IS NULL OR b.is_active = %(is_active)s);

-- name: delete_blackout
-- Schedules make the departures again that they left out: their horizon is filled from here on.
WITH deleted AS (
    UPDATE blackout SET deleted_at = clock_timestamp() WHERE id = %(blackout_id)s AND deleted_at IS NULL
    RETURNING resource_id, starts_on, ends_on
), refilled AS (
    UPDATE schedule s SET filled_until = d.starts_on - 1 FROM deleted d
    WHERE s.filled_until >= d.starts_on AND (s.resource_id = d.resource_id OR d.resource_id IS NULL)
)
SELECT d.resource_id, d.starts_on, d.ends_on FROM deleted d;
