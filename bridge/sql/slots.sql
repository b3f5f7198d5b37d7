-- name: find_slot
-- A departure as it may be sold this second, withdrawn and cancelled ones too.
SELECT s.slot_no, s.id, s.resource_id, s.schedule_id, s.slot_date, s.start_time, s.end_time, s.time_zone, s.starts_at,
    s.ends_at, s.duration_minutes, s.min_capacity, s.price_per_person, s.cancellation_reason,
    s.cancelled_at IS NOT NULL AS is_cancelled, s.withdrawn_at IS NOT NULL AS is_withdrawn,
    c.max_capacity, f.free AS available_spots,
    CASE WHEN f.reason IS NULL AND c.overbooked = 0 THEN c.max_capacity - f.free ELSE c.held + c.allocated END AS booked,
    coalesce(CASE WHEN s.cancelled_at IS NOT NULL THEN 'slot_cancelled' WHEN s.withdrawn_at IS NOT NULL THEN 'withdrawn' END,
        f.reason, booking_window(s.starts_at, s.slot_date, s.time_zone, %(cutoff)s, %(advance_days)s)) AS reason
FROM slot s
JOIN capacity c ON c.resource_id = s.resource_id AND c.slot_no = s.slot_no
CROSS JOIN LATERAL free_slots(ARRAY[s.resource_id], ARRAY[s.slot_no]) f
WHERE s.id = %(slot_id)s::text OR s.slot_no = %(slot_no)s::bigint;

-- name: list_slots
-- Every departure of a tour on some dates, cancelled ones too, as each may be sold this second. Always a row: without
-- departures one with nulls, without the tour none.
WITH tour AS MATERIALIZED (
    SELECT r.id, r.name, r.description, r.time_zone FROM resource r
    WHERE r.id = %(tour_id)s AND r.type = 'TOUR' AND r.is_active AND r.deleted_at IS NULL
), departure AS MATERIALIZED (
    SELECT s.* FROM slot s JOIN tour t ON t.id = s.resource_id
    WHERE s.slot_date BETWEEN %(start_date)s AND %(end_date)s AND s.withdrawn_at IS NULL
), listed AS (
    SELECT array_agg(d.resource_id) AS resources, array_agg(d.slot_no) AS slots FROM departure d
)
SELECT t.id AS tour_id, t.name AS tour_name, t.description AS tour_description, t.time_zone AS tour_time_zone,
    coalesce(d.duration_minutes, (
        SELECT s.duration_minutes FROM schedule s WHERE s.resource_id = t.id AND s.deleted_at IS NULL
        ORDER BY s.is_active DESC, s.created_at DESC LIMIT 1)) AS tour_duration_minutes,
    d.slot_no, d.id, d.resource_id, d.schedule_id, d.slot_date, d.start_time, d.end_time, d.time_zone, d.starts_at, d.ends_at,
    d.duration_minutes, d.min_capacity, d.price_per_person, d.cancellation_reason,
    d.cancelled_at IS NOT NULL AS is_cancelled, false AS is_withdrawn,
    c.max_capacity, f.free AS available_spots,
    CASE WHEN f.reason IS NULL AND c.overbooked = 0 THEN c.max_capacity - f.free ELSE c.held + c.allocated END AS booked,
    coalesce(CASE WHEN d.cancelled_at IS NOT NULL THEN 'slot_cancelled' END, f.reason,
        booking_window(d.starts_at, d.slot_date, d.time_zone, %(cutoff)s, %(advance_days)s)) AS reason
FROM tour t
LEFT JOIN (
    listed l
    CROSS JOIN LATERAL free_slots(l.resources, l.slots) f
    JOIN departure d ON d.slot_no = f.slot_no
    JOIN capacity c ON c.resource_id = d.resource_id AND c.slot_no = d.slot_no
) ON true
ORDER BY d.slot_date, d.start_time;
