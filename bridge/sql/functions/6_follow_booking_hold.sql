-- A booking goes with its hold. Confirmed: so is the booking, even when it had lapsed and its seats were had again.
-- Released or expired: a booking that is still pending is cancelled. Who cancels a booking by hand sets its own status
-- first, and this finds nothing to do.
CREATE OR REPLACE FUNCTION follow_booking_hold() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_booking booking;
BEGIN
    SELECT * INTO v_booking FROM booking b WHERE b.hold_id = new.id FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF new.status = 'CONFIRMED' THEN
        UPDATE booking SET status = 'confirmed', confirmed_at = coalesce(confirmed_at, clock_timestamp()),
            cancelled_at = NULL, cancellation_reason = NULL, cancelled_by = NULL
        WHERE id = v_booking.id AND (status = 'pending' OR (status = 'cancelled' AND cancelled_by IN ('clock', 'order')));
        IF NOT FOUND THEN RETURN NULL; END IF;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
        VALUES (v_booking.id, coalesce((SELECT 'order:' || a.order_id FROM allocation a WHERE a.hold_id = new.id), 'system'),
            'status_change', jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'confirmed'));
    ELSIF v_booking.status = 'pending' THEN
        UPDATE booking SET status = 'cancelled', cancelled_at = clock_timestamp(),
            cancellation_reason = coalesce(new.closed_reason, lower(new.status::text)),
            cancelled_by = CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'system' END
        WHERE id = v_booking.id;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason)
        VALUES (v_booking.id, CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'system' END, 'cancellation',
            jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'cancelled'),
            coalesce(new.closed_reason, lower(new.status::text)));
    END IF;
    RETURN NULL;
END $$;
