-- name: insert_reservation
-- A new number; its timer is set for good once its first items are had.
INSERT INTO reservation (booking_number, customer_email, expires_at, hard_expires_at)
VALUES (%(booking_number)s, %(customer_email)s, clock_timestamp(), clock_timestamp() + %(hard_term)s);

-- name: lock_reservation
-- The reservation's turn: after its order's, before its holds.
SELECT r.booking_number FROM reservation r WHERE r.booking_number = %(booking_number)s FOR UPDATE;

-- name: find_status
-- A statement of its own, after the lock: whoever had that before may have changed what the status stands on.
SELECT reservation_status(r) AS status FROM reservation r WHERE r.booking_number = %(booking_number)s;

-- name: note_customer
-- Who it is for. A later word counts; what was not said again stays.
UPDATE reservation SET
    customer_email = coalesce(%(customer_email)s, customer_email),
    customer_name = coalesce(%(customer_name)s, customer_name),
    customer_phone = coalesce(%(customer_phone)s, customer_phone)
WHERE booking_number = %(booking_number)s;

-- name: pass_on_customer
-- Whoever the number is for, its live items are for. The caller has locked their holds.
WITH item AS (
    SELECT h.id, r.customer_email, r.customer_name, r.customer_phone
    FROM reservation r JOIN hold h ON h.booking_number = r.booking_number AND h.status = 'ACTIVE'
    WHERE r.booking_number = %(booking_number)s
), held AS (
    UPDATE hold h SET customer_email = i.customer_email FROM item i
    WHERE h.id = i.id AND i.customer_email IS NOT NULL AND h.customer_email IS DISTINCT FROM i.customer_email
)
UPDATE appointment a SET
    customer_email = coalesce(i.customer_email, a.customer_email),
    customer_name = coalesce(i.customer_name, a.customer_name),
    customer_phone = coalesce(i.customer_phone, a.customer_phone),
    updated_at = clock_timestamp()
FROM item i
WHERE a.hold_id = i.id AND (
    coalesce(i.customer_email, a.customer_email), coalesce(i.customer_name, a.customer_name),
    coalesce(i.customer_phone, a.customer_phone)
) IS DISTINCT FROM (a.customer_email, a.customer_name, a.customer_phone);

-- name: lock_live_holds
-- Its holds that nobody closed, locked by id.
SELECT h.id FROM hold h WHERE h.booking_number = %(booking_number)s AND h.status = 'ACTIVE' ORDER BY h.id FOR UPDATE;

-- name: list_held_slots
SELECT DISTINCT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (%(hold_ids)s) AND k.state = 'held';

-- name: lock_staff
-- Their rules stay as they are until this is over. Before any capacity: the order of who changes them.
SELECT FROM staff s WHERE s.id = ANY (%(staff_ids)s) ORDER BY s.id FOR SHARE;

-- name: describe_slots
-- What is free of each slot, by the rule of everybody. See functions/2_describe_slots.sql.
SELECT describe_slots(%(resources)s, %(slots)s, %(quantities)s) AS slots;

-- name: insert_item
INSERT INTO reservation_item (hold_id, booking_number, position, title, details, term, line_quantity, unit_price,
    currency_code, variant_id)
SELECT %(hold_id)s, %(booking_number)s, coalesce(max(i.position), 0) + 1, %(title)s, %(details)s, %(term)s,
    %(line_quantity)s, %(unit_price)s, %(currency_code)s, %(variant_id)s
FROM reservation_item i WHERE i.booking_number = %(booking_number)s;

-- name: count_items
SELECT count(*) AS n FROM reservation_item i WHERE i.booking_number = %(booking_number)s AND i.dropped_at IS NULL;

-- name: extend_reservation
-- See functions/5_extend_reservation.sql.
SELECT extend_reservation(%(booking_number)s, %(grace)s) AS expires_at;

-- name: find_reservation
SELECT r.booking_number, r.customer_email, r.customer_name, r.customer_phone, r.created_at, r.expires_at,
    r.hard_expires_at, r.grace_given_at, r.source, r.order_id, r.ordered_at, reservation_status(r) AS status,
    greatest(0, extract(epoch FROM r.expires_at - clock_timestamp()))::float8 AS seconds_left
FROM reservation r WHERE r.booking_number = %(booking_number)s;

-- name: list_items
-- What the customer has in it, in the order it was added, with what became of each.
SELECT i.booking_number, i.hold_id AS id, h.resource_id, h.quantity, i.title, i.details, i.line_quantity, i.unit_price,
    i.currency_code, i.variant_id, i.told_as, h.expires_at,
    CASE WHEN s.id IS NOT NULL THEN 'short'
        WHEN a.status = 'CONFIRMED' THEN 'confirmed'
        WHEN a.status = 'CANCELLED' THEN 'cancelled'
        WHEN h.status = 'ACTIVE' AND h.expires_at > now() THEN 'held'
        WHEN h.status = 'RELEASED' THEN 'released'
        ELSE 'expired' END AS status
FROM reservation_item i
JOIN hold h ON h.id = i.hold_id
LEFT JOIN allocation a ON a.hold_id = h.id
LEFT JOIN shortfall s ON s.hold_id = h.id AND s.status = 'open'
WHERE i.booking_number = ANY (%(booking_numbers)s) AND i.dropped_at IS NULL
ORDER BY i.booking_number, i.position;

-- name: drop_item
UPDATE reservation_item SET dropped_at = clock_timestamp()
WHERE hold_id = %(hold_id)s AND booking_number = %(booking_number)s AND dropped_at IS NULL
RETURNING hold_id;

-- name: close_holds_of_reservation
-- The caller has settled them.
UPDATE hold SET status = 'RELEASED', closed_at = clock_timestamp(), closed_reason = %(reason)s
WHERE id = ANY (%(hold_ids)s) AND status = 'ACTIVE';

-- name: release_reservation
UPDATE reservation SET released_at = clock_timestamp() WHERE booking_number = %(booking_number)s;

-- name: count_refused
-- Under the resource that was asked for, or the departure's, or whose time it was; of anybody's time under the service,
-- whose zone is the one given. In one of eight rows, drawn by whoever counts; a count lost in a crash is no loss worth
-- waiting for the disk.
WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO refusal (resource_id, on_date, reason, share, n)
SELECT w.id, (now() AT TIME ZONE w.time_zone)::date, w.reason, %(share)s, w.n
FROM lazily, (
    SELECT coalesce(r.id, v.id) AS id, coalesce(r.time_zone, %(time_zone)s) AS time_zone, a.reason, count(*) AS n
    FROM unnest(%(resource_ids)s::text[], %(slot_ids)s::text[], %(staff_ids)s::text[], %(service_ids)s::text[],
        %(reasons)s::text[]) AS a (resource_id, slot_id, staff_id, service_id, reason)
    LEFT JOIN slot s ON s.id = a.slot_id
    LEFT JOIN resource r ON r.id = coalesce(a.resource_id, s.resource_id, a.staff_id)
    LEFT JOIN service v ON v.id = a.service_id
    WHERE coalesce(r.id, v.id) IS NOT NULL
    GROUP BY 1, 2, 3
) w
ORDER BY w.id, w.reason
ON CONFLICT (resource_id, on_date, reason, share) DO UPDATE SET n = refusal.n + excluded.n;

-- name: list_resources_for_items
-- What an item of each resource is sold by. Only of resources that are for sale.
SELECT r.id, r.name, r.grain::text AS grain, r.hold_minutes, r.metadata, r.price_per_person,
    (now() AT TIME ZONE r.time_zone)::date AS today
FROM resource r WHERE r.id = ANY (%(resource_ids)s) AND r.is_active AND r.deleted_at IS NULL;

-- name: find_order_email
SELECT a.customer_email FROM reservation_item i JOIN allocation a ON a.hold_id = i.hold_id
WHERE i.booking_number = %(booking_number)s AND a.customer_email IS NOT NULL
ORDER BY a.created_at LIMIT 1;

-- name: note_told
-- The caller has the number's turn.
UPDATE reservation_item i SET told_as = t.told_as
FROM unnest(%(hold_ids)s::text[], %(told_as)s::text[]) AS t (hold_id, told_as) WHERE i.hold_id = t.hold_id;

-- name: is_item
SELECT EXISTS (SELECT FROM reservation_item i WHERE i.hold_id = %(hold_id)s) AS is_item;

-- name: list_bookings_of_items
SELECT i.hold_id, 'booking' AS kind, b.id FROM reservation_item i JOIN booking b ON b.hold_id = i.hold_id
WHERE i.booking_number = %(booking_number)s AND i.dropped_at IS NULL
UNION ALL
SELECT i.hold_id, 'appointment', a.id FROM reservation_item i JOIN appointment a ON a.hold_id = i.hold_id
WHERE i.booking_number = %(booking_number)s AND i.dropped_at IS NULL;
