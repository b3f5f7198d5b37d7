-- Sets the counters of these slots to what their claims say, and `overbooked` to what exceeds the capacity then. Answers
-- what was changed: [{resource_id, slot_no, held, allocated, overbooked, was_held, was_allocated, was_overbooked}].
-- Locks the slots, so that no claim of theirs changes meanwhile. For repairs alone: counters go with their claims.
CREATE OR REPLACE FUNCTION recount_slots(p_resources text[], p_slots bigint[]) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_changed jsonb;
    v_resources text[];
    v_slots bigint[];
BEGIN
    PERFORM lock_slots(p_resources, p_slots);
    WITH counted AS (
        SELECT c.resource_id, c.slot_no, c.held AS was_held, c.allocated AS was_allocated, c.overbooked AS was_overbooked,
            coalesce(k.held, 0) AS held, coalesce(k.allocated, 0) AS allocated,
            greatest(0, coalesce(k.held, 0) + coalesce(k.allocated, 0) - c.max_capacity) AS overbooked
        FROM (SELECT DISTINCT w.resource_id, w.slot_no FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)) w
        JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
        CROSS JOIN LATERAL (
            SELECT (sum(k.quantity) FILTER (WHERE k.state = 'held'))::integer AS held,
                (sum(k.quantity) FILTER (WHERE k.state = 'allocated'))::integer AS allocated
            FROM claim k WHERE k.resource_id = c.resource_id AND k.slot_no = c.slot_no AND k.state IN ('held', 'allocated')
        ) k
    ), changed AS (
        UPDATE capacity c SET held = n.held, allocated = n.allocated, overbooked = n.overbooked
        FROM counted n
        WHERE c.resource_id = n.resource_id AND c.slot_no = n.slot_no
            AND (n.held, n.allocated, n.overbooked) IS DISTINCT FROM (n.was_held, n.was_allocated, n.was_overbooked)
        RETURNING n.*
    )
    SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.resource_id, n.slot_no), '[]'),
        array_agg(n.resource_id) FILTER (WHERE n.held + n.allocated < n.was_held + n.was_allocated),
        array_agg(n.slot_no) FILTER (WHERE n.held + n.allocated < n.was_held + n.was_allocated)
    INTO v_changed, v_resources, v_slots
    FROM changed n;
    -- What turns out to be free is theirs who wait for it.
    IF v_resources IS NOT NULL THEN
        PERFORM offer_places(v_resources, v_slots);
    END IF;
    RETURN v_changed;
END $$;
