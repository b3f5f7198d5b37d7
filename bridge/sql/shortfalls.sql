-- name: list_open_of_order
SELECT s.id, s.hold_id FROM shortfall s
WHERE s.source = %(source)s AND s.order_id = %(order_id)s AND s.status = 'open';

-- name: insert_shortfall
-- Due in a day, or when the first missing date begins, but never less than an hour from now.
INSERT INTO shortfall (id, source, order_id, line_item_id, hold_id, resource_id, missing, alternatives, policy, due_at)
SELECT %(id)s, %(source)s, %(order_id)s, %(line_item_id)s, %(hold_id)s, r.id, %(missing)s, %(alternatives)s, r.shortfall_policy,
    greatest(now() + INTERVAL '1 hour', least(now() + INTERVAL '24 hours', coalesce(
        (SELECT c.on_date FROM capacity c WHERE c.resource_id = r.id AND c.slot_no = %(first_slot)s),
        CASE r.grain WHEN 'day' THEN DATE '1970-01-01' + %(first_slot)s::integer END
    )::timestamp AT TIME ZONE r.time_zone))
FROM resource r WHERE r.id = %(resource_id)s
RETURNING policy::text AS policy;

-- name: update_missing
UPDATE shortfall SET missing = %(missing)s WHERE id = %(id)s;

-- name: close_shortfall
UPDATE shortfall SET status = %(status)s, action = %(action)s, note = %(note)s, closed_at = clock_timestamp()
WHERE id = %(id)s AND status = 'open';

-- name: find_shortfall
SELECT s.id, s.source, s.order_id, s.line_item_id, s.hold_id, s.resource_id, r.grain::text AS grain, s.missing, s.alternatives,
    s.status::text AS status, s.policy::text AS policy, s.action::text AS action, s.note, s.due_at, s.created_at, s.closed_at
FROM shortfall s JOIN resource r ON r.id = s.resource_id WHERE s.id = %(id)s;

-- name: list_shortfalls
-- A page of shortfalls, newest first, with how many there are in all.
SELECT s.id, s.source, s.order_id, s.line_item_id, s.hold_id, s.resource_id, r.grain::text AS grain, s.missing, s.alternatives,
    s.status::text AS status, s.policy::text AS policy, s.action::text AS action, s.note, s.due_at, s.created_at, s.closed_at,
    count(*) OVER () AS total
FROM shortfall s JOIN resource r ON r.id = s.resource_id
WHERE (%(status)s::text IS NULL OR s.status::text = %(status)s)
    AND (%(order_id)s::text IS NULL OR s.order_id = %(order_id)s)
    AND (%(resource_id)s::text IS NULL OR s.resource_id = %(resource_id)s)
ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s OFFSET %(offset)s;

-- name: nearest_days
-- The dates nearest to a day that have room for a quantity, from today on, at most two months away.
SELECT f.on_date AS date, f.free AS available
FROM resource r
CROSS JOIN LATERAL (
    SELECT array_agg(%(resource_id)s::text) AS resources, array_agg(n::bigint) AS slots
    FROM generate_series(%(slot_no)s::bigint - 60, %(slot_no)s + 60) AS n
    WHERE n >= (now() AT TIME ZONE r.time_zone)::date - DATE '1970-01-01'
) range
CROSS JOIN LATERAL free_slots(range.resources, range.slots) f
WHERE r.id = %(resource_id)s AND r.grain = 'day' AND f.free >= %(quantity)s
ORDER BY abs(f.slot_no - %(slot_no)s), f.slot_no LIMIT 5;
