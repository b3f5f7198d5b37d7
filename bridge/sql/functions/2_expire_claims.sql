-- Gives back what has lapsed on these slots, exactly once, except the claims of the holds in p_keep. Whoever waits for a
-- seat gets it in the same act.
-- The caller has locked the slots' capacity rows. Per claim, not per hold: a hold's other slots are not ours to lock.
CREATE OR REPLACE FUNCTION expire_claims(p_resources text[], p_slots bigint[], p_keep text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_resources text[];
    v_slots bigint[];
BEGIN
    WITH lapsed AS (
        UPDATE claim k SET state = 'expired', expires_at = NULL
        FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        WHERE k.resource_id = w.resource_id AND k.slot_no = w.slot_no
            AND k.state = 'held' AND k.expires_at <= now() AND k.hold_id <> ALL (p_keep)
        RETURNING k.hold_id, k.resource_id, k.slot_no, k.quantity
    ), freed AS (
        SELECT l.resource_id, l.slot_no, sum(l.quantity)::integer AS quantity FROM lapsed l GROUP BY 1, 2
    ), counted AS (
        UPDATE capacity c SET
            held = c.held - f.quantity,
            overbooked = least(c.overbooked, greatest(0, c.held - f.quantity + c.allocated - c.max_capacity))
        FROM freed f WHERE c.resource_id = f.resource_id AND c.slot_no = f.slot_no
    ), noted AS (
        INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
        SELECT l.hold_id, l.resource_id, l.slot_no, -l.quantity, 0, 'expire', 'clock' FROM lapsed l
    )
    SELECT array_agg(f.resource_id), array_agg(f.slot_no) INTO v_resources, v_slots FROM freed f;
    IF v_resources IS NOT NULL THEN
        PERFORM offer_places(v_resources, v_slots);
    END IF;
END $$;
