-- name: find_holds_of_bookings
-- The holds of bookings that are named by id or by reference.
SELECT b.id, b.reference, b.hold_id FROM booking b WHERE b.id = ANY (%(names)s) OR b.reference = ANY (%(names)s);

-- name: find_slots
-- The departures of these ids, for what an order says it sold of them.
SELECT s.id, s.slot_no, s.resource_id, r.infants_take_seats FROM slot s JOIN resource r ON r.id = s.resource_id
WHERE s.id = ANY (%(slot_ids)s) AND r.deleted_at IS NULL;

-- name: find_bookings_of_lines
-- The bookings made for lines of an order that people have changed since.
SELECT h.idempotency_key AS key, b.resource_id, b.slot_no, b.seats FROM hold h JOIN booking b ON b.hold_id = h.id
WHERE h.idempotency_scope = 'order' AND h.idempotency_key = ANY (%(keys)s) AND b.modified_at IS NOT NULL;

-- name: list_unlisted
-- What these holds have on departures by an allocation that no booking stands for yet. Of an item of a reservation we
-- know the party ourselves.
SELECT a.hold_id, a.order_id, a.quantity, coalesce(a.customer_email, v.customer_email) AS customer_email, k.slot_no,
    r.infants_take_seats, i.details -> 'party' AS party, v.customer_name,
    v.customer_phone
FROM allocation a
LEFT JOIN reservation_item i ON i.hold_id = a.hold_id
LEFT JOIN reservation v ON v.booking_number = i.booking_number
JOIN resource r ON r.id = a.resource_id AND r.grain = 'departure'
CROSS JOIN LATERAL (
    SELECT k.slot_no FROM claim k JOIN slot s ON s.slot_no = k.slot_no
    WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id AND k.state = 'allocated' ORDER BY k.slot_no LIMIT 1
) k
WHERE a.hold_id = ANY (%(hold_ids)s) AND a.status = 'CONFIRMED'
    AND NOT EXISTS (SELECT FROM booking b WHERE b.hold_id = a.hold_id)
ORDER BY a.hold_id;

-- name: note_customer
-- Whoever the order is from, where there is nobody yet to be written to of the booking.
UPDATE booking b SET customer_email = %(email)s WHERE b.hold_id = ANY (%(hold_ids)s) AND b.customer_email IS NULL;

-- name: list_cancelled
-- The cancelled bookings of an order.
SELECT b.id FROM booking b JOIN allocation a ON a.hold_id = b.hold_id
WHERE a.source = %(source)s AND a.order_id = %(order_id)s AND b.status = 'cancelled' ORDER BY b.id;
