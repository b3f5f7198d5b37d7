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
    SELECT r.id, r.name, r.time_zone, (now() AT TIME ZONE r.time_zone)::date AS today FROM resource r
    WHERE r.id = %(tour_id)s AND r.type = 'TOUR' AND r.is_active AND r.deleted_at IS NULL
), departure AS MATERIALIZED (
    SELECT s.* FROM slot s JOIN tour t ON t.id = s.resource_id
    WHERE s.slot_date BETWEEN %(start_date)s AND %(end_date)s AND s.withdrawn_at IS NULL
), listed AS (
    SELECT array_agg(d.resource_id) AS resources, array_agg(d.slot_no) AS slots FROM departure d
)
SELECT t.id AS tour_id, t.name AS tour_name, t.today AS tour_today,
    EXISTS (
        SELECT FROM blackout b WHERE b.deleted_at IS NULL AND b.is_active AND (b.resource_id = t.id OR b.resource_id IS NULL)
            AND %(start_date)s BETWEEN b.starts_on AND b.ends_on
    ) AS tour_is_closed,
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

-- name: read_month
-- How many departures of a tour each date has, and how many seats of those that can be booked this second. No row: there
-- is no such tour.
WITH departure AS MATERIALIZED (
    SELECT s.resource_id, s.slot_no, s.slot_date, s.starts_at, s.time_zone FROM slot s
    WHERE s.resource_id = %(tour_id)s AND s.slot_date BETWEEN %(start_date)s AND %(end_date)s
        AND s.withdrawn_at IS NULL AND s.cancelled_at IS NULL
), listed AS (
    SELECT array_agg(d.resource_id) AS resources, array_agg(d.slot_no) AS slots FROM departure d
), day AS (
    SELECT d.slot_date, count(*) AS departures,
        sum(CASE WHEN booking_window(d.starts_at, d.slot_date, d.time_zone, %(cutoff)s, %(advance_days)s) IS NULL
            THEN f.free ELSE 0 END) AS spots
    FROM listed l CROSS JOIN LATERAL free_slots(l.resources, l.slots) f JOIN departure d ON d.slot_no = f.slot_no
    GROUP BY d.slot_date
)
SELECT ARRAY(SELECT y.slot_date FROM day y ORDER BY y.slot_date) AS dates,
    ARRAY(SELECT y.departures::integer FROM day y ORDER BY y.slot_date) AS departures,
    ARRAY(SELECT y.spots::integer FROM day y ORDER BY y.slot_date) AS spots
FROM resource r WHERE r.id = %(tour_id)s AND r.type = 'TOUR' AND r.is_active AND r.deleted_at IS NULL;

-- name: nearest_slots
-- The departures nearest to a time, at most two months away, that a party can book this second.
WITH departure AS MATERIALIZED (
    SELECT s.* FROM slot s
    WHERE s.resource_id = %(tour_id)s AND s.slot_date BETWEEN %(on_date)s::date - 60 AND %(on_date)s::date + 60
        AND s.withdrawn_at IS NULL AND s.cancelled_at IS NULL
        AND booking_window(s.starts_at, s.slot_date, s.time_zone, %(cutoff)s, %(advance_days)s) IS NULL
), listed AS (
    SELECT array_agg(d.resource_id) AS resources, array_agg(d.slot_no) AS slots FROM departure d
)
SELECT d.slot_no, d.id, d.resource_id, d.schedule_id, d.slot_date, d.start_time, d.end_time, d.time_zone, d.starts_at, d.ends_at,
    d.duration_minutes, d.min_capacity, d.price_per_person, d.cancellation_reason, false AS is_cancelled, false AS is_withdrawn,
    c.max_capacity, f.free AS available_spots, c.max_capacity - f.free AS booked, f.reason
FROM listed l
CROSS JOIN LATERAL free_slots(l.resources, l.slots) f
JOIN departure d ON d.slot_no = f.slot_no
JOIN capacity c ON c.resource_id = d.resource_id AND c.slot_no = d.slot_no
WHERE f.free >= %(seats)s
ORDER BY abs(extract(epoch FROM d.slot_date + d.start_time - (%(on_date)s::date + %(at_time)s::time))), d.starts_at
LIMIT %(limit)s;
