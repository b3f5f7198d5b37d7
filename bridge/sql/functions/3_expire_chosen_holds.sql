-- Tidies up those of p_hold_ids that have lapsed, and answers which. Holds that somebody is working on are left alone.
-- Locks holds, then slots: the order of everybody who changes a hold.
CREATE OR REPLACE FUNCTION expire_chosen_holds(p_hold_ids text[]) RETURNS SETOF text
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_holds text[];
    v_resources text[];
    v_slots bigint[];
BEGIN
    v_holds := ARRAY(
        SELECT h.id FROM hold h WHERE h.id = ANY (p_hold_ids) AND h.status = 'ACTIVE' AND h.expires_at <= now()
        FOR UPDATE SKIP LOCKED
    );
    SELECT array_agg(s.resource_id), array_agg(s.slot_no) INTO v_resources, v_slots
    FROM (
        SELECT DISTINCT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (v_holds) AND k.state = 'held'
    ) s;
    PERFORM lock_slots(v_resources, v_slots);
    PERFORM expire_claims(v_resources, v_slots);
    RETURN QUERY
    UPDATE hold h SET status = 'EXPIRED', closed_at = clock_timestamp(), closed_reason = 'expired'
    WHERE h.id = ANY (v_holds) RETURNING h.id;
END $$;
