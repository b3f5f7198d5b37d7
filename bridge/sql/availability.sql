-- name: read_days
-- Each day of a range: what it has, what may be sold this second, and why not more. No row: there is no such resource.
SELECT r.id, r.name, r.type::text AS type, (now() AT TIME ZONE r.time_zone)::date - DATE '1970-01-01' AS today,
    array_agg(f.max_capacity ORDER BY f.slot_no) AS max_capacity, array_agg(f.free ORDER BY f.slot_no) AS free,
    array_agg(f.reason ORDER BY f.slot_no) AS reasons
FROM resource r
JOIN free_slots(
    array_fill(%(resource_id)s::text, ARRAY[%(last)s::integer - %(first)s::integer + 1]),
    ARRAY(SELECT generate_series(%(first)s::bigint, %(last)s::bigint))
) f ON f.resource_id = r.id
WHERE r.id = %(resource_id)s AND r.grain = 'day' AND r.is_active AND r.deleted_at IS NULL
GROUP BY r.id;

-- name: find_blackout
-- A blackout that closes a date, for the refusal.
SELECT b.id, b.resource_id, b.starts_on AS start_date, b.ends_on AS end_date, coalesce(b.reason, b.name) AS reason FROM blackout b
WHERE b.deleted_at IS NULL AND b.is_active AND (b.resource_id = %(resource_id)s OR b.resource_id IS NULL)
    AND %(on_date)s::date BETWEEN b.starts_on AND b.ends_on
ORDER BY b.starts_on LIMIT 1;
