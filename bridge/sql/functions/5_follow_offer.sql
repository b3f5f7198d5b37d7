-- Entries of the waitlist follow the holds that were made for them, whichever door closes those. Lapsed, an offer is
-- expired; a collection is over, and its party waits on. Declined, the entry is closed. Taken away by others (a blackout,
-- say), it waits on in its old place. Posted by an order that names the hold, it is converted.
-- An offer that was accepted is no offer any more: see accept_offer.
-- All whose holds were closed in this date's queue at once, and then what lies free is offered: else the order of the
-- rows would decide, and not that of the queue.
CREATE OR REPLACE FUNCTION follow_offer() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_queue record;
    v_entry record;
    v_waits_on boolean := false;
BEGIN
    SELECT e.resource_id, e.requested_date INTO v_queue FROM waitlist_entry e
    WHERE e.hold_id = new.id AND e.status IN ('active', 'notified');
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- In the order in which offer_places locks them: who comes from another departure holds the first and wants the next.
    PERFORM FROM waitlist_entry e
    WHERE e.resource_id = v_queue.resource_id AND e.requested_date = v_queue.requested_date AND e.status = 'active'
    ORDER BY e.priority DESC, e.created_at, e.id
    FOR UPDATE;

    FOR v_entry IN
        SELECT e.id, h.id AS hold_id, CASE
            WHEN h.status = 'CONFIRMED' THEN 'converted'
            WHEN h.status = 'RELEASED' AND h.closed_reason = 'declined' THEN 'cancelled'
            WHEN h.status = 'EXPIRED' AND e.status = 'notified' THEN 'expired'
            ELSE 'active' END::waitlist_status AS status
        FROM waitlist_entry e JOIN hold h ON h.id = e.hold_id AND h.kind = 'offer' AND h.status <> 'ACTIVE'
        WHERE e.resource_id = v_queue.resource_id AND e.requested_date = v_queue.requested_date
            AND e.status IN ('active', 'notified')
        ORDER BY e.priority DESC, e.created_at, e.id
        FOR UPDATE OF e
    LOOP
        UPDATE waitlist_entry SET
            status = v_entry.status,
            hold_id = CASE WHEN v_entry.status <> 'active' THEN v_entry.hold_id END,
            converted_at = CASE WHEN v_entry.status = 'converted' THEN clock_timestamp() END,
            closed_at = CASE WHEN v_entry.status <> 'active' THEN clock_timestamp() END
        WHERE id = v_entry.id;
        IF v_entry.status IN ('converted', 'expired') THEN
            PERFORM owe_waitlist_notice(v_entry.id, v_entry.status::text, v_entry.hold_id);
        END IF;
        v_waits_on := v_waits_on OR v_entry.status = 'active';
    END LOOP;
    IF v_waits_on THEN
        -- Departures that others are at this moment are left to them, and to tend_waitlist: to wait for one now would
        -- turn the lock order round.
        PERFORM offer_places(array_agg(f.resource_id), array_agg(f.slot_no), false) FROM (
            SELECT c.resource_id, c.slot_no FROM capacity c
            WHERE c.resource_id = v_queue.resource_id AND c.on_date = v_queue.requested_date
            FOR UPDATE SKIP LOCKED
        ) f;
    END IF;
    RETURN NULL;
END $$;
