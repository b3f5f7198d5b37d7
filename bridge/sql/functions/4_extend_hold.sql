-- Gives an active hold one more full term from now, never past its hard cap and never shorter than it was.
-- An item of a reservation has no timer of its own: adding to the reservation moves that of all.
-- Outcomes: extended · not_found · not_active · expired · limit · shared.
CREATE OR REPLACE FUNCTION extend_hold(p_hold_id text) RETURNS text
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_hold hold;
    v_resources text[];
    v_slots bigint[];
    v_expires_at timestamptz;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'not_found'; END IF;
    IF v_hold.status = 'EXPIRED' OR (v_hold.status = 'ACTIVE' AND v_hold.expires_at <= now()) THEN RETURN 'expired'; END IF;
    IF v_hold.status <> 'ACTIVE' THEN RETURN 'not_active'; END IF;
    IF EXISTS (SELECT FROM reservation_item i WHERE i.hold_id = p_hold_id) THEN RETURN 'shared'; END IF;
    IF v_hold.expires_at >= v_hold.hard_expires_at THEN RETURN 'limit'; END IF;

    SELECT array_agg(k.resource_id), array_agg(k.slot_no) INTO v_resources, v_slots
    FROM claim k WHERE k.hold_id = p_hold_id;
    PERFORM lock_slots(v_resources, v_slots);
    -- Somebody may have taken a slot over while this waited for the lock and the last second passed.
    IF EXISTS (SELECT FROM claim k WHERE k.hold_id = p_hold_id AND k.state = 'expired') THEN RETURN 'expired'; END IF;

    v_expires_at := greatest(v_hold.expires_at, least(clock_timestamp() + v_hold.term, v_hold.hard_expires_at));
    UPDATE hold SET expires_at = v_expires_at WHERE id = p_hold_id;
    UPDATE claim SET expires_at = v_expires_at WHERE hold_id = p_hold_id AND state = 'held';
    RETURN 'extended';
END $$;
