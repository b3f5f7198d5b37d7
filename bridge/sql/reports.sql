-- name: list_allocations
-- A page of allocations with what they have, or, of cancelled ones, had; and on every row how many there are in all.
-- Always answers a row: an empty page is one row without an id.
WITH matching AS MATERIALIZED (
    SELECT a.id, a.created_at,
        CASE a.status WHEN 'CANCELLED' THEN coalesce((
            SELECT max(k.quantity) FROM claim k WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id
        ), 0) ELSE a.quantity END AS quantity
    FROM allocation a
    WHERE (%(allocation_id)s::text IS NULL OR a.id = %(allocation_id)s)
        AND (%(order_id)s::text IS NULL OR a.order_id = %(order_id)s)
        AND (%(resource_id)s::text IS NULL OR a.resource_id = %(resource_id)s)
        AND (%(status)s::allocation_status IS NULL OR a.status = %(status)s)
        AND (%(start_date)s::date IS NULL AND %(end_date)s::date IS NULL OR EXISTS (
            SELECT FROM claim k JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
            WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id
                AND (k.state = 'allocated' OR a.status = 'CANCELLED')
                AND (%(start_date)s::date IS NULL OR c.on_date >= %(start_date)s)
                AND (%(end_date)s::date IS NULL OR c.on_date <= %(end_date)s)
        ))
), total AS (
    SELECT count(*) AS count, coalesce(sum(m.quantity), 0) AS total_quantity FROM matching m
), page AS (
    SELECT m.id, m.quantity FROM matching m
    ORDER BY m.created_at DESC, m.id DESC
    LIMIT %(limit)s OFFSET %(offset)s
)
SELECT t.count, t.total_quantity, a.id, a.resource_id, r.name AS resource_name, a.order_id, a.line_item_id,
    a.customer_email, p.quantity, a.status::text AS status, a.created_at, a.posted_late,
    ARRAY(
        SELECT DISTINCT c.on_date FROM claim k
        JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id
            AND (k.state = 'allocated' OR a.status = 'CANCELLED')
        ORDER BY 1
    ) AS dates
FROM total t
LEFT JOIN page p ON true
LEFT JOIN allocation a ON a.id = p.id
LEFT JOIN resource r ON r.id = a.resource_id
ORDER BY a.created_at DESC, a.id DESC;

-- name: find_local_day
-- The date asked for, or else today's, in the resource's zone, or else the one given.
SELECT z.time_zone, coalesce(%(date)s::date, (now() AT TIME ZONE z.time_zone)::date) AS date
FROM (
    SELECT coalesce((SELECT r.time_zone FROM resource r WHERE r.id = %(resource_id)s), %(time_zone)s) AS time_zone
) z;

-- name: count_hold_outcomes
-- What became of the holds that customers placed on a local day, by resource. One past its time is expired, swept or not.
SELECT h.resource_id, r.name,
    count(*) AS total_holds_created,
    count(*) FILTER (WHERE h.status = 'EXPIRED' OR h.status = 'ACTIVE' AND h.expires_at <= now())
        AS expired_before_confirmation,
    count(*) FILTER (WHERE h.status = 'CONFIRMED') AS confirmed,
    count(*) FILTER (WHERE h.status = 'RELEASED') AS manually_released,
    coalesce(sum(extract(epoch FROM h.closed_at - h.created_at)) FILTER (WHERE h.status = 'CONFIRMED'), 0)::float8
        AS seconds_to_confirm
FROM hold h JOIN resource r ON r.id = h.resource_id
WHERE h.kind = 'cart'
    AND h.created_at >= %(date)s::date::timestamp AT TIME ZONE %(time_zone)s
    AND h.created_at < (%(date)s::date + 1)::timestamp AT TIME ZONE %(time_zone)s
    AND (%(resource_id)s::text IS NULL OR h.resource_id = %(resource_id)s)
GROUP BY h.resource_id, r.name
ORDER BY r.name, h.resource_id;
