-- Whether every wanted quantity may be sold now, by the rule of free_slots, of resources that are for sale.
CREATE OR REPLACE FUNCTION slots_fit(p_resources text[], p_slots bigint[], p_quantities integer[]) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
        LEFT JOIN free_slots(p_resources, p_slots) f ON f.resource_id = w.resource_id AND f.slot_no = w.slot_no
        LEFT JOIN resource r ON r.id = w.resource_id AND r.is_active AND r.deleted_at IS NULL
        WHERE f.free IS NULL OR f.free < w.quantity OR r.id IS NULL
    );
END $$;
