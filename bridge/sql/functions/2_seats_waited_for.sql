-- Whether somebody waits for a seat on one of these slots. The one cheap check that giving seats back costs when
-- nobody does; and while somebody does, what has lapsed is not for the public (see free_slots).
CREATE OR REPLACE FUNCTION seats_waited_for(p_resources text[], p_slots bigint[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
        JOIN waitlist_entry e ON e.resource_id = c.resource_id AND e.requested_date = c.on_date AND e.status = 'active'
        WHERE e.slot_no IS NULL OR e.slot_no = c.slot_no
    );
END $$;
