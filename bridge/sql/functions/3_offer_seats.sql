-- Holds p_quantity seats of a slot for one entry of the waitlist, with what it has collected there before: an offer when
-- that is all its party needs, else a collection that waits for more. Answers the hold.
-- The caller has locked the slot's capacity row and then the entry, and knows that so much is free.
CREATE OR REPLACE FUNCTION offer_seats(
    p_entry waitlist_entry, p_slot_no bigint, p_collected integer, p_quantity integer, p_term interval, p_closes_at timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_is_whole boolean := p_collected + p_quantity >= p_entry.num_people;
    v_now timestamptz := clock_timestamp();
    v_until timestamptz := least(v_now + p_term, p_closes_at);
    v_hold_id text := p_entry.hold_id;
BEGIN
    IF NOT v_is_whole THEN
        -- A collection has one term, however often it grows.
        v_until := coalesce(p_entry.collects_until, v_until);
    END IF;
    IF p_collected > 0 THEN
        UPDATE hold SET quantity = p_collected + p_quantity, expires_at = v_until, hard_expires_at = v_until
        WHERE id = v_hold_id;
        UPDATE claim SET quantity = p_collected + p_quantity, expires_at = v_until
        WHERE hold_id = v_hold_id AND resource_id = p_entry.resource_id AND slot_no = p_slot_no;
    ELSE
        v_hold_id := new_id('hold');
        INSERT INTO hold (id, idempotency_scope, idempotency_key, request_hash, kind, resource_id, quantity, customer_email,
            term, created_at, expires_at, hard_expires_at)
        VALUES (v_hold_id, 'waitlist', v_hold_id, '\x', 'offer', p_entry.resource_id, p_quantity, p_entry.customer_email,
            v_until - v_now, v_now, v_until, v_until);
        INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state, expires_at)
        VALUES (v_hold_id, p_entry.resource_id, p_slot_no, p_quantity, 'held', v_until);
    END IF;
    UPDATE capacity SET held = held + p_quantity WHERE resource_id = p_entry.resource_id AND slot_no = p_slot_no;
    INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
    VALUES (v_hold_id, p_entry.resource_id, p_slot_no, p_quantity, 0, 'offer', 'waitlist');

    UPDATE waitlist_entry SET
        hold_id = v_hold_id,
        offered_slot_no = p_slot_no,
        status = CASE WHEN v_is_whole THEN 'notified' ELSE status END,
        notified_at = CASE WHEN v_is_whole THEN v_now END,
        notification_expires_at = CASE WHEN v_is_whole THEN v_until END,
        collects_until = CASE WHEN v_is_whole THEN collects_until ELSE v_until END
    WHERE id = p_entry.id;
    IF v_is_whole THEN
        PERFORM owe_waitlist_notice(p_entry.id, 'offered', v_hold_id);
    END IF;
    RETURN v_hold_id;
END $$;
