-- The one lock order: every writer of counters locks its capacity rows in it, all of them, before it reads.
-- place_hold has this statement in itself, where another call is felt.
CREATE OR REPLACE FUNCTION lock_slots(p_resources text[], p_slots bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM capacity c
    JOIN unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
    ORDER BY c.resource_id, c.slot_no
    FOR UPDATE OF c;
END $$;
