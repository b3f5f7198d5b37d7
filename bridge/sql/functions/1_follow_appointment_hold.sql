-- What stands on a hold goes where it goes: confirmed, or cancelled while it was only held.
-- Confirmed again after its hold had lapsed, or its order had given it up, it stands again; never after people cancelled it.
CREATE OR REPLACE FUNCTION follow_appointment_hold() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF new.status = 'CONFIRMED' THEN
        UPDATE appointment a SET status = 'confirmed', changed_by = 'order'
        WHERE a.hold_id = new.id AND (a.status = 'held' OR (a.status = 'cancelled' AND a.cancelled_by IN ('clock', 'ledger')));
    ELSIF new.status IN ('RELEASED', 'EXPIRED') THEN
        UPDATE appointment a SET
            status = 'cancelled',
            changed_by = CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'ledger' END,
            cancelled_by = CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'ledger' END,
            cancelled_at = CASE new.status WHEN 'EXPIRED' THEN new.expires_at ELSE clock_timestamp() END,
            cancellation_reason = CASE new.status WHEN 'EXPIRED' THEN 'expired' ELSE coalesce(new.closed_reason, 'released') END
        WHERE a.hold_id = new.id AND a.status = 'held';
    END IF;
    RETURN NULL;
END $$;
