-- name: list_reservations
-- A page of reservations, newest first, each as it stands this second, with the last payment that was begun for it; and on
-- every row how many there are in all. Always answers a row: an empty page is one row without a number.
-- What is looked up by a number, an address, an order or a resource is found by an index of it. Only with a status is
-- more than reservations read for the count: all that was begun on these days.
WITH of_status AS MATERIALIZED (
    SELECT f.booking_number FROM reservation_fates(
        coalesce(%(start_date)s::date::timestamp AT TIME ZONE %(time_zone)s, '-infinity'),
        coalesce((%(end_date)s::date + 1)::timestamp AT TIME ZONE %(time_zone)s, 'infinity'), false
    ) f WHERE f.status = %(status)s
), matching AS NOT MATERIALIZED (
    SELECT r.booking_number, r.created_at FROM reservation r
    WHERE (%(booking_number)s::text IS NULL OR r.booking_number = %(booking_number)s)
        AND (%(customer_email)s::text IS NULL OR r.customer_email = %(customer_email)s)
        AND (%(order_id)s::text IS NULL OR r.booking_number = ANY (ARRAY(
            SELECT o.booking_number FROM reservation o WHERE o.order_id = %(order_id)s
            UNION
            SELECT i.booking_number FROM allocation a JOIN reservation_item i ON i.hold_id = a.hold_id
            WHERE a.order_id = %(order_id)s)))
        AND (%(resource_id)s::text IS NULL OR r.booking_number = ANY (ARRAY(
            SELECT h.booking_number FROM hold h WHERE h.resource_id = %(resource_id)s AND h.booking_number IS NOT NULL)))
        AND (%(start_date)s::date IS NULL OR r.created_at >= %(start_date)s::date::timestamp AT TIME ZONE %(time_zone)s)
        AND (%(end_date)s::date IS NULL OR r.created_at < (%(end_date)s::date + 1)::timestamp AT TIME ZONE %(time_zone)s)
        -- Not LIKE: what people type is text, and a percent sign is one.
        AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(' ', r.booking_number, r.customer_name, r.customer_email,
            r.customer_phone, r.order_id)), lower(%(q)s)) > 0)
        -- The open ones are few, and found by when they lapse.
        AND (%(status)s::text IS DISTINCT FROM 'open' OR r.expires_at > now() AND reservation_status(r) = 'open')
        AND (%(status)s::text IS NULL OR %(status)s = 'open' OR r.booking_number IN (SELECT s.booking_number FROM of_status s))
), page AS (
    SELECT m.booking_number FROM matching m
    ORDER BY m.created_at DESC, m.booking_number DESC LIMIT %(limit)s OFFSET %(offset)s
)
SELECT t.count, r.booking_number, r.customer_email, r.customer_name, r.customer_phone, r.created_at, r.expires_at,
    r.hard_expires_at, r.grace_given_at, r.released_at, r.source, r.order_id, r.ordered_at, reservation_status(r) AS status,
    greatest(0, extract(epoch FROM r.expires_at - clock_timestamp()))::float8 AS seconds_left,
    c.platform AS checkout_platform, c.reference AS checkout_reference, c.created_at AS checkout_at
FROM (SELECT count(*) AS count FROM matching) t
LEFT JOIN page p ON true
LEFT JOIN reservation r ON r.booking_number = p.booking_number
LEFT JOIN LATERAL (
    SELECT k.platform, k.reference, k.created_at FROM checkout k WHERE k.booking_number = r.booking_number
    ORDER BY k.created_at DESC LIMIT 1
) c ON true
ORDER BY r.created_at DESC, r.booking_number DESC;

-- name: list_checkouts
-- The payments that were begun for a reservation, the newest first.
SELECT c.platform, c.reference, c.url, c.created_at, c.closed_at FROM checkout c
WHERE c.booking_number = %(booking_number)s ORDER BY c.created_at DESC;

-- name: list_journal
-- What was taken and given back for a reservation, the oldest first.
SELECT j.at, j.cause, j.actor, j.hold_id, j.resource_id, j.slot_no, r.grain::text AS grain, j.held_change, j.allocated_change
FROM reservation_item i
JOIN journal j ON j.hold_id = i.hold_id
JOIN resource r ON r.id = j.resource_id
WHERE i.booking_number = %(booking_number)s
ORDER BY j.n;

-- name: count_fates
-- What became of the reservations that began on the days of a range; in one group, or one for each day or resource. A day
-- is one of the resource's zone, or without resources of the zone given.
SELECT part.day, part.resource_id, part.name,
    count(*) AS begun,
    count(*) FILTER (WHERE part.fate = 'paid') AS paid,
    count(*) FILTER (WHERE part.fate = 'paid' AND part.items_left_unpaid > 0) AS partly_paid,
    count(*) FILTER (WHERE part.fate = 'paid' AND part.is_late) AS paid_late,
    count(*) FILTER (WHERE part.fate = 'paid' AND part.is_given_up) AS cancelled_after_payment,
    count(*) FILTER (WHERE part.fate = 'lapsed') AS lapsed,
    count(*) FILTER (WHERE part.fate = 'abandoned') AS abandoned,
    count(*) FILTER (WHERE part.fate = 'withdrawn') AS withdrawn,
    count(*) FILTER (WHERE part.fate = 'open') AS open,
    sum(part.items)::bigint AS items,
    sum(part.items_paid)::bigint AS items_paid,
    avg(part.seconds)::float8 AS average_seconds_to_payment,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY part.seconds)::float8 AS median_seconds_to_payment,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY part.seconds)::float8 AS p95_seconds_to_payment
FROM (
    SELECT f.fate, f.items, f.items_paid, f.items_left_unpaid, f.is_late, f.is_given_up,
        extract(epoch FROM f.paid_at - f.began_at) AS seconds,
        CASE %(group_by)s::text WHEN 'resource' THEN f.resource_id END AS resource_id,
        CASE %(group_by)s::text WHEN 'day' THEN (f.began_at AT TIME ZONE coalesce(z.time_zone, %(time_zone)s))::date END AS day,
        CASE %(group_by)s::text WHEN 'resource' THEN z.name END AS name
    -- A day more on either side: zones differ by no more.
    FROM reservation_fates(%(start_date)s::date - INTERVAL '1 day', %(end_date)s::date + INTERVAL '2 days',
        %(by_resource)s) f
    LEFT JOIN resource z ON z.id = f.resource_id
    WHERE (f.began_at AT TIME ZONE coalesce(z.time_zone, %(time_zone)s))::date BETWEEN %(start_date)s AND %(end_date)s
        AND (%(resource_id)s::text IS NULL OR f.resource_id = %(resource_id)s)
) part
GROUP BY 1, 2, 3;

-- name: count_refusals
-- How often items were asked for and not had on the days of a range, by reason; in one group, or one for each day or
-- resource; also for each service, of anybody's time.
SELECT CASE %(group_by)s::text WHEN 'day' THEN f.on_date END AS day,
    CASE %(group_by)s::text WHEN 'resource' THEN f.resource_id END AS resource_id,
    CASE %(group_by)s::text WHEN 'resource' THEN coalesce(r.name, v.name) END AS name,
    f.reason, sum(f.n)::bigint AS n
FROM refusal f
LEFT JOIN resource r ON r.id = f.resource_id
LEFT JOIN service v ON v.id = f.resource_id
WHERE f.on_date BETWEEN %(start_date)s AND %(end_date)s
    AND (%(resource_id)s::text IS NULL OR f.resource_id = %(resource_id)s)
GROUP BY 1, 2, 3, 4;
