-- Makes an offer the hold of a booking that is to be paid: the same seats, held for a new term, never let go meanwhile.
-- Outcomes: accepted · expired. The caller has locked the hold.
CREATE OR REPLACE FUNCTION accept_offer(p_hold_id text, p_term interval, p_hard_term interval) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_hold hold;
    v_resources text[];
    v_slots bigint[];
    v_term interval;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id;
    IF v_hold.kind <> 'offer' OR v_hold.status <> 'ACTIVE' OR v_hold.expires_at <= clock_timestamp() THEN
        RETURN 'expired';
    END IF;
    SELECT array_agg(k.resource_id), array_agg(k.slot_no) INTO v_resources, v_slots FROM claim k WHERE k.hold_id = p_hold_id;
    PERFORM lock_slots(v_resources, v_slots);
    -- The last second may have passed while this waited for the lock, and somebody else have the seats.
    IF EXISTS (SELECT FROM claim k WHERE k.hold_id = p_hold_id AND k.state <> 'held') THEN RETURN 'expired'; END IF;

    SELECT least(coalesce(r.hold_minutes * INTERVAL '1 minute', p_term), p_hard_term) INTO v_term
    FROM resource r WHERE r.id = v_hold.resource_id;
    UPDATE hold SET kind = 'booking', term = v_term, expires_at = clock_timestamp() + v_term,
        hard_expires_at = clock_timestamp() + p_hard_term
    WHERE id = p_hold_id RETURNING expires_at INTO v_hold.expires_at;
    UPDATE claim SET expires_at = v_hold.expires_at WHERE hold_id = p_hold_id;
    RETURN 'accepted';
END $$;
