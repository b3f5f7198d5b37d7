-- name: find_booking
SELECT b.* FROM booking_now b WHERE b.id = %(booking_id)s::text OR b.reference = %(reference)s::text;

-- name: find_last_change
SELECT c.n, c.modification_type, c.old_value, c.new_value, c.reason, c.created_at FROM booking_change c
WHERE c.booking_id = %(booking_id)s ORDER BY c.n DESC LIMIT 1;

-- name: find_change
SELECT c.modification_type, c.old_value, c.new_value, c.reason, c.created_at FROM booking_change c
WHERE c.booking_id = %(booking_id)s AND c.n = %(n)s;

-- name: insert_booking
-- No row: the reference is taken, try another.
INSERT INTO booking (id, reference, resource_id, slot_no, hold_id, source, customer_id, status, num_adults, num_children,
    num_infants, seats, currency_code, price_per_adult, price_per_child, price_per_infant, subtotal, discount_amount, tax_rate,
    tax_amount, total_amount, customer_name, customer_email, customer_phone, special_requirements, dietary_restrictions,
    accessibility_needs, confirmed_at)
VALUES (%(id)s, %(reference)s, %(resource_id)s, %(slot_no)s, %(hold_id)s, %(source)s, %(customer_id)s, %(status)s::booking_status, %(num_adults)s,
    %(num_children)s, %(num_infants)s, %(seats)s, %(currency_code)s, %(price_per_adult)s, %(price_per_child)s,
    %(price_per_infant)s, %(subtotal)s, %(discount_amount)s, %(tax_rate)s, %(tax_amount)s, %(total_amount)s, %(customer_name)s,
    %(customer_email)s, %(customer_phone)s, %(special_requirements)s, %(dietary_restrictions)s, %(accessibility_needs)s,
    CASE WHEN %(status)s::booking_status = 'confirmed' THEN clock_timestamp() END)
ON CONFLICT (reference) DO NOTHING;

-- name: lock_booking_order
-- The platform's order of a booking, first of all: cancelling and reconciling take turns. No row: it has none (yet).
SELECT o.id FROM platform_order o
WHERE (o.source, o.id) IN (
    SELECT a.source, a.order_id FROM booking b JOIN allocation a ON a.hold_id = b.hold_id WHERE b.id = %(booking_id)s)
FOR UPDATE;

-- name: lock_booking_hold
-- Then its hold: before any seat, as everybody.
SELECT h.id FROM hold h WHERE h.id = (SELECT b.hold_id FROM booking b WHERE b.id = %(booking_id)s) FOR UPDATE;

-- name: lock_booking
-- Then the booking itself; with the lock of its hold nobody changes its status any more.
SELECT b.id FROM booking b WHERE b.id = %(booking_id)s FOR UPDATE;

-- name: find_booking_order
-- The order it belongs to, if a platform's.
SELECT o.id FROM booking b JOIN allocation a ON a.hold_id = b.hold_id
JOIN platform_order o ON o.source = a.source AND o.id = a.order_id WHERE b.id = %(booking_id)s;

-- name: set_status
UPDATE booking SET status = %(status)s::booking_status,
    confirmed_at = CASE WHEN %(status)s::booking_status = 'confirmed' THEN clock_timestamp() ELSE confirmed_at END
WHERE id = %(booking_id)s;

-- name: cancel_booking
UPDATE booking SET status = 'cancelled', cancelled_at = clock_timestamp(), cancellation_reason = %(reason)s,
    cancelled_by = %(cancelled_by)s, refund_amount = %(refund_amount)s
WHERE id = %(booking_id)s;

-- name: note_refund
-- The money is back. Safe to repeat: only what is cancelled becomes refunded.
UPDATE booking SET status = 'refunded' WHERE id = %(booking_id)s AND status = 'cancelled' RETURNING id;

-- name: move_booking
UPDATE booking SET slot_no = %(slot_no)s, num_adults = %(num_adults)s, num_children = %(num_children)s,
    num_infants = %(num_infants)s, seats = %(seats)s, price_per_adult = %(price_per_adult)s,
    price_per_child = %(price_per_child)s, price_per_infant = %(price_per_infant)s, subtotal = %(subtotal)s,
    discount_amount = %(discount_amount)s, tax_rate = %(tax_rate)s, tax_amount = %(tax_amount)s, total_amount = %(total_amount)s,
    modified_at = clock_timestamp()
WHERE id = %(booking_id)s;

-- name: move_hold
-- What the hold and its allocation are of, after the seats were moved. From now on people decide how many there are: an
-- order's line has all of it or none.
WITH moved AS (
    UPDATE hold h SET quantity = %(seats)s, kind = CASE h.kind WHEN 'cart' THEN 'booking' ELSE h.kind END,
        metadata = CASE h.kind WHEN 'order' THEN h.metadata || jsonb_build_object(
            'slots', jsonb_build_array(jsonb_build_array(h.resource_id, %(slot_no)s::bigint))) ELSE h.metadata END
    WHERE h.id = %(hold_id)s
)
UPDATE allocation SET quantity = %(seats)s WHERE hold_id = %(hold_id)s AND status = 'CONFIRMED' AND quantity <> %(seats)s;

-- name: update_details
UPDATE booking SET customer_name = %(customer_name)s, customer_phone = %(customer_phone)s,
    special_requirements = %(special_requirements)s, dietary_restrictions = %(dietary_restrictions)s,
    accessibility_needs = %(accessibility_needs)s
WHERE id = %(booking_id)s;

-- name: insert_change
INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason, ip_address, user_agent)
VALUES (%(booking_id)s, %(modified_by)s, %(modification_type)s, %(old_value)s, %(new_value)s, %(reason)s, %(ip_address)s,
    %(user_agent)s);

-- name: list_changes
SELECT c.n::text AS id, c.booking_id, c.modified_by, c.modification_type, c.old_value, c.new_value, c.reason, c.ip_address,
    c.user_agent, c.created_at
FROM booking_change c WHERE c.booking_id = %(booking_id)s ORDER BY c.n LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_changes
SELECT count(*) AS count FROM booking_change c WHERE c.booking_id = %(booking_id)s;

-- name: list_bookings
-- A page of bookings, newest first.
SELECT b.* FROM booking_now b
WHERE (%(tour_id)s::text IS NULL OR b.resource_id = %(tour_id)s)
    AND (%(customer_id)s::text IS NULL OR b.customer_id = %(customer_id)s)
    AND (%(status)s::text IS NULL OR b.status = %(status)s)
    AND (%(start_date)s::date IS NULL OR b.slot_date >= %(start_date)s)
    AND (%(end_date)s::date IS NULL OR b.slot_date <= %(end_date)s)
    AND (%(slot_id)s::text IS NULL OR b.slot_id = %(slot_id)s)
    AND (%(order_id)s::text IS NULL OR b.order_id = %(order_id)s)
    -- Not LIKE: what people type is text, and a percent sign is one.
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(' ', b.reference, b.customer_name, b.customer_email,
        b.customer_phone)), lower(%(q)s)) > 0)
ORDER BY b.created_at DESC, b.id DESC LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_bookings
-- By the same filters as list_bookings.
SELECT count(*) AS count FROM booking_now b
WHERE (%(tour_id)s::text IS NULL OR b.resource_id = %(tour_id)s)
    AND (%(customer_id)s::text IS NULL OR b.customer_id = %(customer_id)s)
    AND (%(status)s::text IS NULL OR b.status = %(status)s)
    AND (%(start_date)s::date IS NULL OR b.slot_date >= %(start_date)s)
    AND (%(end_date)s::date IS NULL OR b.slot_date <= %(end_date)s)
    AND (%(slot_id)s::text IS NULL OR b.slot_id = %(slot_id)s)
    AND (%(order_id)s::text IS NULL OR b.order_id = %(order_id)s)
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(' ', b.reference, b.customer_name, b.customer_email,
        b.customer_phone)), lower(%(q)s)) > 0);
