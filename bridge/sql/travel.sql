-- name: owe_reminders
-- One reminder for each departure of a confirmed booking that is near, and was booked before it was. The answer: how many.
WITH near AS (
    SELECT s.slot_no FROM slot s
    WHERE s.starts_at > now() AND s.starts_at <= now() + %(before)s::interval AND s.cancelled_at IS NULL
), due AS (
    SELECT b.id, b.slot_no, 'booking.remind:' || b.id || ':' || b.slot_no AS dedupe_key
    FROM near n JOIN slot s ON s.slot_no = n.slot_no
    JOIN booking b ON b.slot_no = n.slot_no AND b.status = 'confirmed'
    WHERE b.customer_email IS NOT NULL AND coalesce(b.modified_at, b.confirmed_at) < s.starts_at - %(before)s::interval
        AND NOT EXISTS (
            SELECT FROM event e WHERE e.source = 'bridge' AND e.dedupe_key = 'booking.remind:' || b.id || ':' || b.slot_no)
    LIMIT %(limit)s
)
INSERT INTO event (id, source, dedupe_key, type, queue, raw)
SELECT new_id('evt'), 'bridge', d.dedupe_key, 'booking.remind', 'bridge.outgoing',
    convert_to(jsonb_build_object('booking_id', d.id, 'slot_no', d.slot_no)::text, 'UTF8')
FROM due d
ON CONFLICT (source, dedupe_key) DO NOTHING;

-- name: complete_bookings
-- Confirmed bookings whose day of travel is over where the tour is, and what came of them in the log. Those that
-- somebody works on are left for the next time.
WITH travelled AS (
    SELECT b.id FROM booking b JOIN slot s ON s.slot_no = b.slot_no
    WHERE b.status = 'confirmed' AND s.ends_at <= now() AND s.slot_date < (now() AT TIME ZONE s.time_zone)::date
    LIMIT %(limit)s
    FOR UPDATE OF b SKIP LOCKED
), completed AS (
    UPDATE booking b SET status = 'completed' FROM travelled t WHERE b.id = t.id RETURNING b.id
)
INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
SELECT c.id, 'clock', 'status_change', '{"status": "confirmed"}', '{"status": "completed"}' FROM completed c;
