-- Posts a hold: its capacity is the order's from now on, once. One round trip; locks the hold, then its slots.
-- A hold that lapsed is taken again where there is room.
-- Outcomes: confirmed (allocation_id says as what; the same order's second word is answered so too) · not_found ·
-- released · already_confirmed (order_id says for which) · no_room.
CREATE OR REPLACE FUNCTION confirm_hold(
    p_hold_id text, p_allocation_id text, p_source text, p_order_id text, p_line_item_id text, p_actor text,
    OUT outcome text, OUT allocation_id text, OUT order_id text
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_hold hold;
    v_holds text[];
    v_resources text[];
    v_slots bigint[];
    v_quantities integer[];
    v_settled boolean;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id FOR UPDATE;
    IF NOT FOUND THEN outcome := 'not_found'; RETURN; END IF;
    IF v_hold.status = 'RELEASED' THEN outcome := 'released'; RETURN; END IF;
    IF v_hold.status = 'CONFIRMED' THEN
        -- A statement of its own: joined to the lock it would not see what was made while that was waited for.
        SELECT a.id, a.order_id INTO allocation_id, order_id FROM allocation a WHERE a.hold_id = p_hold_id;
        outcome := CASE WHEN order_id = p_order_id THEN 'confirmed' ELSE 'already_confirmed' END;
        RETURN;
    END IF;

    SELECT array_agg(k.hold_id), array_agg(k.resource_id), array_agg(k.slot_no), array_agg(k.quantity)
    INTO v_holds, v_resources, v_slots, v_quantities
    FROM claim k WHERE k.hold_id = p_hold_id
        -- What it was moved away from it does not want again.
        AND k.state IN ('held', 'expired');
    v_settled := (settle_claims(ARRAY[p_hold_id], v_holds, v_resources, v_slots, v_quantities, 'allocated', NULL, false,
        'none', 'confirm', p_actor) ->> 'settled')::boolean;
    IF NOT v_settled THEN outcome := 'no_room'; RETURN; END IF;

    UPDATE hold SET status = 'CONFIRMED', closed_at = clock_timestamp(), closed_reason = NULL WHERE id = p_hold_id;
    INSERT INTO allocation (id, hold_id, resource_id, source, order_id, line_item_id, customer_email, quantity, posted_late)
    VALUES (p_allocation_id, p_hold_id, v_hold.resource_id, p_source, p_order_id, p_line_item_id, v_hold.customer_email,
        v_hold.quantity, v_hold.expires_at <= now())
    ON CONFLICT (hold_id) DO UPDATE
        SET quantity = excluded.quantity, status = 'CONFIRMED', cancelled_at = NULL, cancel_reason = NULL
    RETURNING id INTO allocation_id;
    outcome := 'confirmed';
END $$;
