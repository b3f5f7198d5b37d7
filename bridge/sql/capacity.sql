-- name: insert_missing_days
-- In slot order, so that two who open the same days wait for each other and never in a ring.
INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)
SELECT %(resource_id)s, d.slot_no, DATE '1970-01-01' + d.slot_no::integer, %(daily_capacity)s
FROM unnest(%(slots)s::bigint[]) AS d (slot_no)
ORDER BY d.slot_no
ON CONFLICT (resource_id, slot_no) DO NOTHING;

-- name: lock_slots
-- See functions/2_lock_slots.sql.
SELECT lock_slots(%(resources)s, %(slots)s);

-- name: expire_claims
-- See functions/2_expire_claims.sql. What has lapsed is not sold, so it must not count as overbooked.
SELECT expire_claims(%(resources)s, %(slots)s);

-- name: set_capacity
-- The same capacity for each of these days; what is sold beyond it is counted as overbooked.
UPDATE capacity SET
    max_capacity = %(daily_capacity)s,
    overbooked = greatest(0, held + allocated - %(daily_capacity)s)
WHERE resource_id = %(resource_id)s AND slot_no = ANY (%(slots)s)
RETURNING on_date AS date, overbooked;

-- name: adjust_capacity
-- More or less than each day had, never below 0; what is sold beyond it is counted as overbooked.
UPDATE capacity SET
    max_capacity = greatest(0, max_capacity + %(adjustment)s),
    overbooked = greatest(0, held + allocated - greatest(0, max_capacity + %(adjustment)s))
WHERE resource_id = %(resource_id)s AND slot_no = ANY (%(slots)s)
RETURNING slot_no;

-- name: list_days
-- These days as they may be sold this second.
SELECT c.on_date AS date, c.max_capacity, f.free AS available_capacity, c.overbooked
FROM free_slots(%(resources)s, %(slots)s) f
JOIN capacity c ON c.resource_id = f.resource_id AND c.slot_no = f.slot_no
ORDER BY c.slot_no;

-- name: insert_adjustment
-- Who changed the capacity, and why.
INSERT INTO ops_action (actor, action, target, reason, details)
VALUES (%(actor)s, 'capacity.adjust', %(resource_id)s, %(reason)s, %(details)s);

-- name: list_usage
-- What each open date of a resource has, sold, holds and may sell this second. A lapsed claim is held no more.
WITH slot AS (
    SELECT array_agg(c.resource_id) AS resources, array_agg(c.slot_no) AS slots FROM capacity c
    WHERE c.resource_id = %(resource_id)s AND c.on_date BETWEEN %(start_date)s AND %(end_date)s
)
SELECT c.on_date AS date, sum(c.max_capacity) AS max_capacity, sum(c.allocated) AS allocated,
    sum(c.held - coalesce(k.lapsed, 0)) AS on_hold, sum(f.free) AS available
FROM slot s
CROSS JOIN LATERAL free_slots(s.resources, s.slots) f
JOIN capacity c ON c.resource_id = f.resource_id AND c.slot_no = f.slot_no
LEFT JOIN LATERAL (
    SELECT sum(k.quantity)::integer AS lapsed FROM claim k
    WHERE c.held > 0 AND k.resource_id = c.resource_id AND k.slot_no = c.slot_no
        AND k.state = 'held' AND k.expires_at <= now()
) k ON c.held > 0
GROUP BY c.on_date;
