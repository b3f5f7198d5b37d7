-- Moves the one timer of a reservation, with that of each of its holds: to a full term from now (the longest of its
-- items'), or by p_grace from where it stands. Never past the hard cap, never back. Answers the new time; null when it
-- lapsed while this waited for a lock, and then nothing has changed. The caller has locked the reservation.
-- Locks holds by id, then slots: the order of everybody. An empty reservation only moves its own timer.
CREATE OR REPLACE FUNCTION extend_reservation(p_booking_number text, p_grace interval DEFAULT NULL)
RETURNS timestamptz
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_holds text[];
    v_resources text[];
    v_slots bigint[];
    v_term interval;
    v_until timestamptz;
BEGIN
    v_holds := ARRAY(
        SELECT h.id FROM hold h WHERE h.booking_number = p_booking_number AND h.status = 'ACTIVE' ORDER BY h.id FOR UPDATE
    );
    SELECT array_agg(s.resource_id), array_agg(s.slot_no) INTO v_resources, v_slots
    FROM (SELECT DISTINCT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (v_holds)) s;
    PERFORM lock_slots(v_resources, v_slots);
    -- Somebody may have taken a slot over while this waited, and the last second passed.
    IF EXISTS (SELECT FROM claim k WHERE k.hold_id = ANY (v_holds) AND k.state = 'expired') THEN RETURN NULL; END IF;

    SELECT max(i.term) INTO v_term FROM reservation_item i WHERE i.hold_id = ANY (v_holds);
    UPDATE reservation r SET
        grace_given_at = CASE WHEN p_grace IS NULL THEN r.grace_given_at ELSE clock_timestamp() END,
        expires_at = greatest(r.expires_at, least(r.hard_expires_at,
            CASE WHEN p_grace IS NULL THEN clock_timestamp() + v_term ELSE r.expires_at + p_grace END))
    WHERE r.booking_number = p_booking_number
    RETURNING r.expires_at INTO v_until;
    UPDATE hold h SET expires_at = r.expires_at, hard_expires_at = r.hard_expires_at
    FROM reservation r WHERE r.booking_number = p_booking_number AND h.id = ANY (v_holds);
    UPDATE claim SET expires_at = v_until WHERE hold_id = ANY (v_holds) AND state = 'held';
    RETURN v_until;
END $$;
