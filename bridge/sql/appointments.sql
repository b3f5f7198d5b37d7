-- name: place_appointment
-- One round trip. See functions/4_place_appointment.sql.
SELECT * FROM place_appointment(
    %(id)s, %(hold_id)s, %(booking_number)s, %(staff_id)s, %(staff_revision)s, %(time_zone)s, %(service_id)s, %(service_revision)s,
    %(start_at)s, %(slots)s, %(quantities)s, %(deposit)s, %(customer_id)s, %(name)s, %(email)s, %(phone)s, %(notes)s,
    %(internal_notes)s, %(metadata)s, %(hold_metadata)s, %(term)s, %(hard_term)s, %(actor)s
);

-- name: find_appointment
SELECT a.* FROM appointment_now a WHERE a.id = %(appointment_id)s;

-- name: list_appointments
-- By their start.
SELECT a.*, count(*) OVER () AS total FROM appointment_now a
WHERE (%(status)s::text IS NULL OR a.status = %(status)s)
    AND (%(staff_id)s::text IS NULL OR a.staff_id = %(staff_id)s)
    AND (%(service_id)s::text IS NULL OR a.service_id = %(service_id)s)
    AND (%(customer_id)s::text IS NULL OR a.customer_id = %(customer_id)s)
    AND (%(booking_number)s::text IS NULL OR a.booking_number = %(booking_number)s)
    AND (%(order_id)s::text IS NULL OR a.hold_id IN (
        SELECT o.hold_id FROM allocation o WHERE o.order_id = %(order_id)s AND o.source <> 'bridge'))
    -- Local dates of each member of staff. The plain comparison beside it is what the index goes by.
    AND (%(start_date)s::date IS NULL OR (a.start_at >= %(start_date)s::date::timestamp AT TIME ZONE 'UTC' - INTERVAL '15 hours'
        AND (a.start_at AT TIME ZONE a.time_zone)::date >= %(start_date)s))
    AND (%(end_date)s::date IS NULL OR (a.start_at < %(end_date)s::date::timestamp AT TIME ZONE 'UTC' + INTERVAL '39 hours'
        AND (a.start_at AT TIME ZONE a.time_zone)::date <= %(end_date)s))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(' ', a.customer_name, a.customer_email, a.customer_phone,
        a.booking_number, a.id, a.service_name, a.notes, a.display_id)), lower(%(q)s)) > 0)
ORDER BY a.start_at, a.id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: lock_order_of_appointment
-- The order of a paid one, first of all: cancelling, moving and reconciling take turns.
SELECT o.id FROM platform_order o
JOIN allocation p ON p.source = o.source AND p.order_id = o.id
JOIN appointment a ON a.hold_id = p.hold_id
WHERE a.id = %(appointment_id)s FOR UPDATE OF o;

-- name: find_order_of_appointment
-- The order it belongs to, if a platform's.
SELECT o.id FROM platform_order o
JOIN allocation p ON p.source = o.source AND p.order_id = o.id
JOIN appointment a ON a.hold_id = p.hold_id
WHERE a.id = %(appointment_id)s;

-- name: lock_hold_of_appointment
-- Its hold: whoever changes an appointment has locked it.
SELECT h.id FROM hold h JOIN appointment a ON a.hold_id = h.id WHERE a.id = %(appointment_id)s FOR UPDATE OF h;

-- name: set_status
UPDATE appointment SET status = %(status)s, changed_by = %(actor)s, payment_mode = coalesce(%(payment_mode)s, payment_mode)
WHERE id = %(appointment_id)s;

-- name: cancel_appointment
UPDATE appointment SET
    status = 'cancelled', changed_by = %(actor)s, cancelled_by = %(actor)s, cancellation_reason = %(reason)s,
    refund_amount = %(refund_amount)s
WHERE id = %(appointment_id)s;

-- name: update_details
UPDATE appointment SET
    customer_name = %(customer_name)s,
    customer_email = %(customer_email)s,
    customer_phone = %(customer_phone)s,
    customer_id = %(customer_id)s,
    notes = %(notes)s,
    internal_notes = %(internal_notes)s,
    metadata = %(metadata)s,
    updated_at = clock_timestamp()
WHERE id = %(appointment_id)s;

-- name: lock_revision
-- Whether the rules are still those of this revision; then they stay so until the transaction ends.
SELECT s.id FROM staff s WHERE s.id = %(staff_id)s AND s.revision = %(revision)s FOR SHARE;

-- name: move_appointment
-- With what stands on it: its hold and allocation are of the member of staff it is with, and the hold remembers the
-- slots it stands for, or reconciling would take it back.
WITH moved AS (
    UPDATE appointment SET start_at = %(start_at)s, end_at = %(end_at)s, staff_id = %(staff_id)s, changed_by = %(actor)s
    WHERE id = %(appointment_id)s RETURNING hold_id
), posted AS (
    UPDATE allocation p SET resource_id = %(staff_id)s FROM moved m WHERE p.hold_id = m.hold_id
)
UPDATE hold h SET
    resource_id = %(staff_id)s,
    metadata = jsonb_set(h.metadata, '{slots}', %(slots)s)
FROM moved m WHERE h.id = m.hold_id;

-- name: list_changes
SELECT c.n, c.at, c.what, c.actor, c.reason, c.old_value, c.new_value FROM appointment_change c
WHERE c.appointment_id = %(appointment_id)s ORDER BY c.n;
