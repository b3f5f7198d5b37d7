-- name: close_slot
-- From here on nothing of the departure is sold. The caller has locked its capacity.
UPDATE slot SET cancelled_at = clock_timestamp(), cancellation_reason = %(reason)s
WHERE slot_no = %(slot_no)s AND cancelled_at IS NULL
RETURNING slot_no;

-- name: close_capacity
UPDATE capacity SET closed = true WHERE resource_id = %(tour_id)s AND slot_no = %(slot_no)s;

-- name: insert_cancellation
INSERT INTO slot_cancellation (slot_no, reason, alternative_slot_no, actor, bookings)
SELECT %(slot_no)s, %(reason)s, %(alternative_slot_no)s, %(actor)s, count(*)
FROM booking b JOIN hold h ON h.id = b.hold_id
WHERE b.slot_no = %(slot_no)s AND (b.status = 'confirmed' OR (b.status = 'pending' AND h.expires_at > now()));

-- name: find_cancellation
SELECT c.slot_no, s.id AS slot_id, c.reason, a.id AS alternative_slot_id, c.actor, c.bookings, c.cancelled, c.moved, c.holds_released,
    c.refunds, c.waitlist_closed, c.started_at, c.finished_at
FROM slot_cancellation c
JOIN slot s ON s.slot_no = c.slot_no
LEFT JOIN slot a ON a.slot_no = c.alternative_slot_no
WHERE s.id = %(slot_id)s;

-- name: lock_cancellation
-- Whoever deals with the departure's bookings takes turns here, before any other lock.
SELECT c.slot_no, s.resource_id, c.reason, c.alternative_slot_no, c.actor, c.finished_at IS NOT NULL AS is_finished
FROM slot_cancellation c JOIN slot s ON s.slot_no = c.slot_no
WHERE c.slot_no = %(slot_no)s
FOR UPDATE OF c;

-- name: list_live_holds
-- Holds that still have seats of the departure, those who booked first first. A lapsed one is the sweeper's.
SELECT k.hold_id FROM claim k LEFT JOIN booking b ON b.hold_id = k.hold_id
WHERE k.resource_id = %(tour_id)s AND k.slot_no = %(slot_no)s
    AND (k.state = 'allocated' OR (k.state = 'held' AND k.expires_at > now()))
ORDER BY b.created_at NULLS LAST, k.hold_id
LIMIT %(limit)s;

-- name: lock_slots
-- Every slot these holds have anything on, and the alternative, in the one order.
SELECT lock_slots(array_agg(s.resource_id), array_agg(s.slot_no))
FROM (
    SELECT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (%(hold_ids)s) AND k.state IN ('held', 'allocated')
    UNION
    SELECT %(tour_id)s, n FROM unnest(%(slots)s::bigint[]) AS n
) s;

-- name: list_parties
-- What stands on the departure by these holds, now that they are locked.
SELECT h.id AS hold_id, h.kind::text AS kind, h.expires_at, k.state::text AS state, k.quantity AS seats, b.id AS booking_id, b.reference,
    b.status::text AS status, b.customer_email, b.total_amount, b.currency_code,
    a.source, a.order_id, a.line_item_id
FROM hold h
JOIN claim k ON k.hold_id = h.id AND k.resource_id = %(tour_id)s AND k.slot_no = %(slot_no)s
LEFT JOIN booking b ON b.hold_id = h.id AND b.status IN ('pending', 'confirmed')
LEFT JOIN allocation a ON a.hold_id = h.id AND a.status = 'CONFIRMED'
WHERE h.id = ANY (%(hold_ids)s) AND (k.state = 'allocated' OR (k.state = 'held' AND k.expires_at > now()))
ORDER BY b.created_at NULLS LAST, h.id;

-- name: move_bookings
-- To the other departure, at the price they were booked for; the log says why, and so does the letter.
WITH moved AS (
    UPDATE booking SET slot_no = %(to_slot_no)s, modified_at = clock_timestamp()
    WHERE id = ANY (%(booking_ids)s) RETURNING id
)
INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason)
SELECT m.id, %(actor)s, 'date_change', jsonb_build_object('slot_id', o.id, 'starts_at', o.starts_at),
    jsonb_build_object('slot_id', n.id, 'starts_at', n.starts_at, 'because', 'departure_cancelled'), %(reason)s
FROM moved m, slot o, slot n
WHERE o.slot_no = %(slot_no)s AND n.slot_no = %(to_slot_no)s;

-- name: cancel_bookings
-- Without a fee: it is not the customers' doing. What was paid is to be paid back.
WITH known AS (
    SELECT b.id, b.status FROM booking b WHERE b.id = ANY (%(booking_ids)s)
), cancelled AS (
    UPDATE booking b SET status = 'cancelled', cancelled_at = clock_timestamp(), cancellation_reason = %(reason)s,
        cancelled_by = 'staff', refund_amount = CASE WHEN EXISTS (
            SELECT FROM allocation a WHERE a.hold_id = b.hold_id AND a.status = 'CONFIRMED' AND a.source <> %(ours)s
        ) THEN b.total_amount END
    WHERE b.id = ANY (%(booking_ids)s) RETURNING b.id
)
INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason)
SELECT k.id, %(actor)s, 'cancellation', jsonb_build_object('status', k.status),
    jsonb_build_object('status', 'cancelled', 'because', 'departure_cancelled'), %(reason)s
FROM known k JOIN cancelled c ON c.id = k.id;

-- name: count_on
UPDATE slot_cancellation SET
    cancelled = cancelled + %(cancelled)s,
    moved = moved + %(moved)s,
    holds_released = holds_released + %(holds_released)s,
    refunds = refunds + %(refunds)s
WHERE slot_no = %(slot_no)s;

-- name: finish_cancellation
-- The queue of the departure is closed: who waits for it alone, or for a date on which nothing else departs.
WITH closed AS (
    UPDATE waitlist_entry e SET status = 'cancelled', closed_at = clock_timestamp()
    FROM slot s
    WHERE s.slot_no = %(slot_no)s AND e.resource_id = s.resource_id AND e.requested_date = s.slot_date AND e.status = 'active'
        AND (e.slot_no = s.slot_no OR (e.slot_no IS NULL AND NOT EXISTS (
            SELECT FROM slot o
            WHERE o.resource_id = s.resource_id AND o.slot_date = s.slot_date AND o.cancelled_at IS NULL AND o.withdrawn_at IS NULL)))
    RETURNING e.id, owe_waitlist_notice(e.id, 'closed', e.id)
)
UPDATE slot_cancellation SET finished_at = clock_timestamp(), waitlist_closed = (SELECT count(*) FROM closed)
WHERE slot_no = %(slot_no)s AND finished_at IS NULL;

-- name: count_waiting
-- How many finish_cancellation would close.
SELECT count(*) AS count FROM waitlist_entry e JOIN slot s ON s.resource_id = e.resource_id AND s.slot_date = e.requested_date
WHERE s.slot_no = %(slot_no)s AND e.status IN ('active', 'notified')
    AND (e.slot_no = s.slot_no OR (e.slot_no IS NULL AND NOT EXISTS (
        SELECT FROM slot o WHERE o.resource_id = s.resource_id AND o.slot_date = s.slot_date AND o.slot_no <> s.slot_no
            AND o.cancelled_at IS NULL AND o.withdrawn_at IS NULL)));
