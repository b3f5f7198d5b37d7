-- Views: what people are shown of a booking, as it stands this second.

-- A pending booking whose hold has lapsed is cancelled, swept or not.
CREATE VIEW booking_now AS
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
    a.source AS order_source, CASE WHEN a.source <> 'bridge' THEN a.order_id END AS order_id, a.line_item_id
FROM booking b
JOIN resource r ON r.id = b.resource_id
JOIN slot s ON s.slot_no = b.slot_no
JOIN hold h ON h.id = b.hold_id
LEFT JOIN allocation a ON a.hold_id = b.hold_id;

-- An appointment whose hold has lapsed is cancelled, swept or not.
CREATE VIEW appointment_now AS
SELECT a.id, a.display_id, a.booking_number, a.hold_id, a.staff_id, r.name AS staff_name, r.time_zone, a.service_id,
    a.customer_id, a.start_at, a.end_at,
    CASE WHEN l.lapsed THEN 'cancelled' ELSE a.status::text END AS status,
    CASE WHEN a.status = 'held' AND NOT l.lapsed THEN h.expires_at END AS hold_expires_at,
    a.service_name, a.buffer_before_minutes, a.buffer_minutes, a.price_amount, a.currency_code, a.deposit_amount,
    a.free_cancellation_minutes, a.late_refund_percent, a.payment_mode, a.amount_paid, a.refund_amount,
    a.customer_name, a.customer_email, a.customer_phone, a.notes, a.internal_notes, a.metadata, a.cart_id, a.cart_amount,
    a.sequence, a.created_at, a.updated_at, a.confirmed_at, a.completed_at, now() AS read_at,
    CASE WHEN l.lapsed THEN h.expires_at ELSE a.cancelled_at END AS cancelled_at,
    CASE WHEN l.lapsed THEN 'expired' ELSE a.cancellation_reason END AS cancellation_reason,
    p.id AS allocation_id, p.source AS order_source, CASE WHEN p.source <> 'bridge' THEN p.order_id END AS order_id,
    p.line_item_id
FROM appointment a
JOIN hold h ON h.id = a.hold_id
JOIN resource r ON r.id = a.staff_id
LEFT JOIN allocation p ON p.hold_id = a.hold_id
CROSS JOIN LATERAL (SELECT a.status = 'held' AND h.expires_at <= now() AS lapsed) l;
