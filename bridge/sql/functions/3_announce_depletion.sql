-- Announces that nothing is left of a slot: not while some of what is counted as held has lapsed.
CREATE OR REPLACE FUNCTION announce_depletion() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook) THEN RETURN NULL; END IF;
    PERFORM announce(
        'resource_booking.capacity.depleted',
        jsonb_build_object(
            'resource_id', c.resource_id, 'date', c.on_date, 'max_capacity', c.max_capacity,
            'held', c.held, 'allocated', c.allocated,
            'slot_id', CASE r.grain WHEN 'departure' THEN (SELECT s.id FROM slot s WHERE s.slot_no = c.slot_no) END,
            'start_at', CASE r.grain WHEN 'quarter_hour' THEN to_timestamp(c.slot_no * 900) END
        ),
        -- Once in a transaction, however often it came and went there.
        c.resource_id || ':' || c.slot_no || ':' || pg_current_xact_id()
    )
    FROM capacity c
    JOIN resource r ON r.id = c.resource_id
    JOIN free_slots(ARRAY[new.resource_id], ARRAY[new.slot_no]) f ON true
    WHERE c.resource_id = new.resource_id AND c.slot_no = new.slot_no AND f.free = 0;
    RETURN NULL;
END $$;
