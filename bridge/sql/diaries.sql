-- name: read_crew
-- A service, everybody who does it, and what of their time around some dates is gone this second or closed. One row,
-- of arrays side by side; none: there is no such service. Full: nothing is left of a quarter hour. Half: there is room
-- for another buffer.
WITH service AS (
    SELECT v.* FROM service v WHERE v.id = %(service_id)s AND (NOT %(on_sale)s::boolean OR (v.is_active AND v.deleted_at IS NULL))
), member AS MATERIALIZED (
    SELECT s.id, s.revision, r.time_zone,
        floor(extract(epoch FROM %(first_day)s::date::timestamp AT TIME ZONE r.time_zone) / 900)::bigint
            - (v.buffer_before_minutes + 14) / 15 AS first_slot,
        ceil(extract(epoch FROM (%(last_day)s::date + 1)::timestamp AT TIME ZONE r.time_zone) / 900)::bigint
            + (v.duration_minutes + v.buffer_minutes + 14) / 15 AS last_slot
    FROM service v
    JOIN staff s ON (%(staff_id)s::text IS NULL OR s.id = %(staff_id)s) AND (s.service_ids = '{}' OR v.id = ANY (s.service_ids))
    JOIN resource r ON r.id = s.id AND r.is_active AND r.deleted_at IS NULL
    ORDER BY s.id
), touched AS (
    SELECT c.resource_id, c.slot_no,
        CASE WHEN c.closed THEN 0 ELSE c.max_capacity - c.held - c.allocated + coalesce(k.lapsed, 0) END AS free
    FROM member m
    JOIN capacity c ON c.resource_id = m.id AND c.slot_no BETWEEN m.first_slot AND m.last_slot
    LEFT JOIN LATERAL (
        SELECT sum(k.quantity) AS lapsed FROM claim k
        WHERE k.resource_id = c.resource_id AND k.slot_no = c.slot_no AND k.state = 'held' AND k.expires_at <= now()
    ) k ON c.held > 0
    WHERE c.closed OR c.held > 0 OR c.allocated > 0
)
SELECT v.id, v.name, v.description, v.duration_minutes, v.buffer_before_minutes, v.buffer_minutes, v.price, v.currency_code,
    v.deposit_type::text AS deposit_type, v.deposit_value, v.payment_modes_allowed, v.notice_minutes, v.advance_days,
    v.free_cancellation_minutes, v.late_refund_percent, v.is_active, v.metadata, v.revision, v.created_at, v.updated_at,
    v.deleted_at, now() AS now, m.*, t.*, b.*,
    EXISTS (SELECT FROM staff s JOIN resource r ON r.id = s.id
        WHERE s.id = %(staff_id)s AND r.is_active AND r.deleted_at IS NULL) AS is_there
FROM service v
CROSS JOIN (
    SELECT array_agg(m.id) AS staff_ids, array_agg(m.revision) AS revisions, array_agg(m.time_zone) AS time_zones FROM member m
) m
CROSS JOIN (
    SELECT array_agg(t.resource_id) FILTER (WHERE t.free <= 0) AS full_staff,
        array_agg(t.slot_no) FILTER (WHERE t.free <= 0) AS full_slots,
        array_agg(t.resource_id) FILTER (WHERE t.free = 1) AS half_staff,
        array_agg(t.slot_no) FILTER (WHERE t.free = 1) AS half_slots
    FROM touched t
) t
CROSS JOIN (
    SELECT array_agg(b.resource_id) AS closed_staff, array_agg(b.starts_on) AS closed_from, array_agg(b.ends_on) AS closed_until
    FROM blackout b
    WHERE b.deleted_at IS NULL AND b.is_active
        AND b.ends_on >= %(first_day)s::date - 1 AND b.starts_on <= %(last_day)s::date + 1
        AND (b.resource_id IS NULL OR b.resource_id IN (SELECT m.id FROM member m))
) b;

-- name: read_revisions
SELECT s.id, s.revision FROM staff s WHERE s.id = ANY (%(staff_ids)s);
