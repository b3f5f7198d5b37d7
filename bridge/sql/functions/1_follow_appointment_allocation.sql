-- An appointment whose allocation is cancelled is cancelled, and stands again with it. See follow_appointment_hold.
CREATE OR REPLACE FUNCTION follow_appointment_allocation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF new.status = 'CONFIRMED' THEN
        UPDATE appointment a SET status = 'confirmed', changed_by = 'order'
        WHERE a.hold_id = new.hold_id AND a.status = 'cancelled' AND a.cancelled_by IN ('clock', 'ledger');
    ELSE
        UPDATE appointment a SET
            status = 'cancelled', changed_by = 'ledger', cancelled_by = 'ledger',
            cancellation_reason = coalesce(new.cancel_reason, 'cancelled')
        WHERE a.hold_id = new.hold_id AND a.status = 'confirmed';
    END IF;
    RETURN NULL;
END $$;
