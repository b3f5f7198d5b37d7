-- Lets a hold that its caller has locked last p_grace from now while it is paid for: never past its hard cap, and never
-- shorter than it lasts anyway.
CREATE OR REPLACE FUNCTION grace_hold(p_hold_id text, p_grace interval) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_resources text[];
    v_slots bigint[];
    v_expires_at timestamptz;
BEGIN
    SELECT array_agg(k.resource_id), array_agg(k.slot_no) INTO v_resources, v_slots
    FROM claim k WHERE k.hold_id = p_hold_id AND k.state = 'held';
    PERFORM lock_slots(v_resources, v_slots);
    UPDATE hold h SET expires_at = greatest(h.expires_at, least(clock_timestamp() + p_grace, h.hard_expires_at))
    WHERE h.id = p_hold_id AND h.status = 'ACTIVE' RETURNING h.expires_at INTO v_expires_at;
    -- What somebody took over while this waited for the slots is not held any more.
    UPDATE claim k SET expires_at = v_expires_at WHERE k.hold_id = p_hold_id AND k.state = 'held';
END $$;
