-- Makes the rows of slots that are computed from rules, where nobody has touched them yet. In lock order, so that two
-- who make the same rows wait for each other and never in a ring. Whoever closes the resource's days has locked the
-- resource: a row made meanwhile would escape them, so it is made after them, and then found closed.
CREATE OR REPLACE FUNCTION open_slots(p_resources text[], p_slots bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
    JOIN resource r ON r.id = w.resource_id AND r.grain = 'quarter_hour' AND r.default_capacity IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM capacity c WHERE c.resource_id = w.resource_id AND c.slot_no = w.slot_no);
    IF NOT FOUND THEN RETURN; END IF;

    PERFORM FROM resource r WHERE r.id = ANY (p_resources) ORDER BY r.id FOR SHARE;
    INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)
    SELECT r.id, w.slot_no, (to_timestamp(w.slot_no * 900) AT TIME ZONE r.time_zone)::date, r.default_capacity
    FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
    JOIN resource r ON r.id = w.resource_id
    WHERE r.grain = 'quarter_hour' AND r.default_capacity IS NOT NULL
    ORDER BY r.id, w.slot_no
    ON CONFLICT (resource_id, slot_no) DO NOTHING;
END $$;
