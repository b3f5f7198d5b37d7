-- How much of each wanted slot may still be sold, and why not more. The one rule: availability is shown, holds are
-- glanced at and decided, and late orders are served by it. A held claim that has lapsed counts as free the second it
-- lapses; but where somebody waits for a seat it is theirs, and not for sale until it has been offered to them.
-- Reads only; whoever decides on the answer has locked the capacity rows before.
CREATE OR REPLACE FUNCTION free_slots(p_resources text[], p_slots bigint[])
RETURNS TABLE (resource_id text, slot_no bigint, on_date date, max_capacity integer, free integer, reason text)
LANGUAGE plpgsql ROWS 3 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT w.resource_id, w.slot_no, d.on_date, coalesce(c.max_capacity, 0),
        CASE WHEN c.slot_no IS NULL OR c.closed OR b.closes THEN 0
             ELSE greatest(0, c.max_capacity - c.held - c.allocated + coalesce(k.lapsed, 0)::integer) END,
        CASE WHEN b.closes THEN 'blackout' WHEN c.slot_no IS NULL THEN 'not_open' WHEN c.closed THEN 'closed' END
    FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
    JOIN resource r ON r.id = w.resource_id
    LEFT JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
    CROSS JOIN LATERAL (
        SELECT CASE r.grain WHEN 'day' THEN DATE '1970-01-01' + w.slot_no::integer ELSE c.on_date END AS on_date
    ) d
    LEFT JOIN LATERAL (
        SELECT sum(k.quantity) AS lapsed FROM claim k
        WHERE c.held > 0 AND k.resource_id = w.resource_id AND k.slot_no = w.slot_no
            AND k.state = 'held' AND k.expires_at <= now()
        HAVING count(*) > 0 AND NOT seats_waited_for(ARRAY[w.resource_id], ARRAY[w.slot_no])
    ) k ON c.held > 0
    LEFT JOIN LATERAL (
        SELECT true AS closes FROM blackout b
        WHERE b.deleted_at IS NULL AND b.is_active AND (b.resource_id = w.resource_id OR b.resource_id IS NULL)
            AND d.on_date BETWEEN b.starts_on AND b.ends_on
        LIMIT 1
    ) b ON true;
END $$;
