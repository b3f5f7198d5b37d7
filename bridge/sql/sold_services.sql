-- name: list_taken
-- What was taken for lines that came without a hold: what their holds stand for now, moved or not.
SELECT h.idempotency_key AS key, h.resource_id, h.metadata -> 'slots' AS slots
FROM hold h JOIN resource r ON r.id = h.resource_id AND r.grain = 'quarter_hour'
WHERE h.idempotency_scope = 'order' AND h.idempotency_key = ANY (%(keys)s);

-- name: list_posted
-- The quarter hours an order has, by allocation, with the appointment that stands on them, where one does.
SELECT p.hold_id, p.resource_id, p.line_item_id, a.id AS appointment_id,
    (SELECT jsonb_agg(jsonb_build_array(k.slot_no, k.quantity)) FROM claim k
        WHERE k.hold_id = p.hold_id AND k.state = 'allocated') AS slots
FROM allocation p
JOIN staff s ON s.id = p.resource_id
LEFT JOIN appointment a ON a.hold_id = p.hold_id
WHERE p.source = %(source)s AND p.order_id = %(order_id)s AND p.status = 'CONFIRMED';

-- name: note_payment
UPDATE appointment SET
    amount_paid = %(amount)s,
    payment_mode = CASE
        WHEN payment_mode IS NULL OR payment_mode = 'pay_in_store'
            THEN CASE WHEN %(amount)s::numeric >= price_amount THEN 'full' ELSE 'deposit' END
        ELSE payment_mode END,
    updated_at = clock_timestamp()
WHERE id = %(id)s AND amount_paid IS DISTINCT FROM %(amount)s::numeric;

-- name: note_customer
-- Whoever the order is from, where nobody is named yet to whom it could be told what becomes of the appointment.
UPDATE appointment a SET
    customer_email = coalesce(a.customer_email, %(email)s),
    customer_name = coalesce(a.customer_name, %(name)s),
    updated_at = clock_timestamp()
FROM allocation p
WHERE p.source = %(source)s AND p.order_id = %(order_id)s AND a.hold_id = p.hold_id
    AND (a.customer_email IS NULL AND %(email)s::text IS NOT NULL OR a.customer_name IS NULL AND %(name)s::text IS NOT NULL);

-- name: find_named
-- The appointment that a hold the line names was for.
SELECT a.service_id, a.customer_id, a.customer_name, a.customer_phone, a.customer_email FROM appointment a
WHERE a.hold_id = ANY (%(hold_ids)s) ORDER BY a.id LIMIT 1;

-- name: insert_sold
-- An appointment for a hold that has its time already.
INSERT INTO appointment (id, booking_number, hold_id, staff_id, service_id, customer_id, start_at, end_at, service_name,
    buffer_before_minutes, buffer_minutes, price_amount, currency_code, deposit_amount, free_cancellation_minutes,
    late_refund_percent, customer_name, customer_email, customer_phone, changed_by)
SELECT %(id)s, %(booking_number)s, %(hold_id)s, %(staff_id)s, v.id, %(customer_id)s, %(start_at)s, %(end_at)s, v.name,
    v.buffer_before_minutes, v.buffer_minutes, v.price, v.currency_code, %(deposit)s, v.free_cancellation_minutes,
    v.late_refund_percent, %(name)s, %(email)s, %(phone)s, %(actor)s
FROM service v WHERE v.id = %(service_id)s
RETURNING id;

-- name: confirm_sold
UPDATE appointment SET status = 'confirmed', changed_by = %(actor)s WHERE id = %(id)s;
