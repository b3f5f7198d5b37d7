-- What a hold has of which slots, for people elsewhere; of one that has nothing any more, what it had.
-- Not in SQL: its plan would be made anew with each sale.
CREATE OR REPLACE FUNCTION claimed_slots(p_hold_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'resource_id', k.resource_id, 'date', c.on_date, 'quantity', k.quantity,
            'slot_id', CASE r.grain WHEN 'departure' THEN (SELECT s.id FROM slot s WHERE s.slot_no = k.slot_no) END,
            'start_at', CASE r.grain WHEN 'quarter_hour' THEN to_timestamp(k.slot_no * 900) END
        ) ORDER BY k.resource_id, k.slot_no), '[]')
        FROM claim k
        JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        JOIN resource r ON r.id = k.resource_id
        WHERE k.hold_id = p_hold_id AND (
            k.state IN ('held', 'allocated')
            OR NOT EXISTS (SELECT FROM claim l WHERE l.hold_id = p_hold_id AND l.state IN ('held', 'allocated'))
        )
    );
END $$;
