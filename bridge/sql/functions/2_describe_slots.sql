-- Every wanted slot with what is free of it and why not more, for an answer to people.
CREATE OR REPLACE FUNCTION describe_slots(p_resources text[], p_slots bigint[], p_quantities integer[]) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT jsonb_agg(jsonb_build_object(
            'resource_id', f.resource_id, 'slot_no', f.slot_no, 'requested', w.quantity,
            'available', f.free, 'reason', f.reason, 'fits', f.free >= w.quantity
        ) ORDER BY f.resource_id, f.slot_no)
        FROM free_slots(p_resources, p_slots) f
        JOIN unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
            ON w.resource_id = f.resource_id AND w.slot_no = f.slot_no
    );
END $$;
