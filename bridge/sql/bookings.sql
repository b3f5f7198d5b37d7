-- name: find_booking
-- A booking as it stands this second: a pending one whose hold has lapsed is cancelled, swept or not.
SELECT b.id, b.reference, b.resource_id, r.name AS tour_name, s.id AS slot_id, b.slot_no, s.slot_date, s.start_time, s.end_time,
    s.time_zone, s.starts_at, s.ends_at, b.hold_id, b.source, b.customer_id,
    CASE WHEN b.status = 'pending' AND h.expires_at <= now() THEN 'cancelled' ELSE b.status::text END AS status,
    b.num_adults, b.num_children, b.num_infants, b.seats, b.currency_code, b.price_per_adult, b.price_per_child,
    b.price_per_infant, b.subtotal, b.discount_amount, b.tax_rate, b.tax_amount, b.total_amount, b.customer_name,
    b.customer_email, b.customer_phone, b.special_requirements, b.dietary_restrictions, b.accessibility_needs,
    b.created_at, b.modified_at, b.confirmed_at,
    CASE WHEN b.status = 'pending' AND h.expires_at <= now() THEN h.expires_at ELSE b.cancelled_at END AS cancelled_at,
    CASE WHEN b.status = 'pending' AND h.expires_at <= now() THEN 'expired' ELSE b.cancellation_reason END AS cancellation_reason,
    b.cancelled_by, b.refund_amount, CASE WHEN b.status = 'pending' THEN h.expires_at END AS hold_expires_at,
    a.source AS order_source, a.order_id, a.line_item_id
FROM booking b
JOIN resource r ON r.id = b.resource_id
JOIN slot s ON s.slot_no = b.slot_no
JOIN hold h ON h.id = b.hold_id
LEFT JOIN allocation a ON a.hold_id = b.hold_id
WHERE b.id = %(booking_id)s::text OR b.reference = %(reference)s::text;

-- name: find_change
SELECT c.modification_type, c.old_value, c.new_value, c.reason, c.created_at FROM booking_change c
WHERE c.booking_id = %(booking_id)s AND c.n = %(n)s;
