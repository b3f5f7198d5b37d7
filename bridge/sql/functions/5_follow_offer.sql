-- An entry of the waitlist follows the hold that was made for it, whichever door closes that. Lapsed, an offer is
-- expired; a collection is over, and its party waits on. Declined, the entry is closed. Taken away by others (a blackout,
-- say), it waits on in its old place. Posted by an order that names the hold, it is converted.
-- An offer that was accepted is no offer any more: see accept_offer.
CREATE OR REPLACE FUNCTION follow_offer() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_entry waitlist_entry;
    v_status waitlist_status;
BEGIN
    SELECT * INTO v_entry FROM waitlist_entry e
    WHERE e.hold_id = new.id AND e.status IN ('active', 'notified') FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    v_status := CASE
        WHEN new.status = 'CONFIRMED' THEN 'converted'
        WHEN new.status = 'RELEASED' AND new.closed_reason = 'declined' THEN 'cancelled'
        WHEN new.status = 'EXPIRED' AND v_entry.status = 'notified' THEN 'expired'
        ELSE 'active' END;
    UPDATE waitlist_entry SET
        status = v_status,
        hold_id = CASE WHEN v_status <> 'active' THEN new.id END,
        converted_at = CASE WHEN v_status = 'converted' THEN clock_timestamp() END,
        closed_at = CASE WHEN v_status <> 'active' THEN clock_timestamp() END
    WHERE id = v_entry.id;
    IF v_status IN ('converted', 'expired') THEN
        PERFORM owe_waitlist_notice(v_entry.id, v_status::text, new.id);
    END IF;
    RETURN NULL;
END $$;
