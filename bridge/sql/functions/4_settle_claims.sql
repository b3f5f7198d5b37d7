-- Makes the claims of the holds in p_hold_ids exactly the targets, and nothing else: what is not a target any more is
-- released, what is missing is taken, what was held becomes p_state. Confirming, cancelling (whole or part), releasing,
-- moving and reconciling an order are all this one act, so they share its locks: the union of old and new slots.
-- The caller has locked the holds.
-- p_state    what the targets become: 'allocated', or 'held' until p_expires_at.
-- p_partial  take what there is and report the rest; otherwise all targets or no change at all.
-- p_excess   'none', 'policy' (up to the resource's overbook_limit where that is its policy) or 'force'.
-- Answers {"settled": bool, "taken": n, "returned": n, "missing": [{hold_id, resource_id, slot_no, quantity, available,
-- reason}]}. A lapsed claim of these holds that nobody needed yet still counts as theirs.
CREATE OR REPLACE FUNCTION settle_claims(
    p_hold_ids text[], p_target_holds text[], p_resources text[], p_slots bigint[], p_quantities integer[],
    p_state claim_state, p_expires_at timestamptz, p_partial boolean, p_excess text, p_cause text, p_actor text
) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_resources text[];
    v_slots bigint[];
    v_answer jsonb;
    v_freed_resources text[];
    v_freed_slots bigint[];
BEGIN
    SELECT array_agg(u.resource_id), array_agg(u.slot_no) INTO v_resources, v_slots
    FROM (
        SELECT k.resource_id, k.slot_no FROM claim k
        WHERE k.hold_id = ANY (p_hold_ids) AND k.state IN ('held', 'allocated')
        UNION
        SELECT t.resource_id, t.slot_no FROM unnest(p_resources, p_slots) AS t (resource_id, slot_no)
    ) u;
    IF v_resources IS NULL THEN
        RETURN jsonb_build_object('settled', true, 'taken', 0, 'returned', 0, 'missing', '[]'::jsonb);
    END IF;

    PERFORM open_slots(v_resources, v_slots);
    IF p_excess = 'force' THEN
        INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)
        SELECT r.id, w.slot_no, DATE '1970-01-01' + w.slot_no::integer, 0
        FROM unnest(v_resources, v_slots) AS w (resource_id, slot_no)
        JOIN resource r ON r.id = w.resource_id AND r.grain = 'day'
        ORDER BY r.id, w.slot_no
        ON CONFLICT (resource_id, slot_no) DO NOTHING;
    END IF;
    PERFORM lock_slots(v_resources, v_slots);
    PERFORM expire_claims(v_resources, v_slots, p_hold_ids);

    WITH target AS (
        SELECT t.hold_id, t.resource_id, t.slot_no, sum(t.quantity)::integer AS quantity
        FROM unnest(p_target_holds, p_resources, p_slots, p_quantities) AS t (hold_id, resource_id, slot_no, quantity)
        GROUP BY 1, 2, 3
    ), present AS (
        SELECT k.hold_id, k.resource_id, k.slot_no, k.quantity, k.state FROM claim k
        WHERE k.hold_id = ANY (p_hold_ids) AND k.state IN ('held', 'allocated')
    ), change AS (
        SELECT hold_id, resource_id, slot_no, p.state AS state,
            coalesce(p.quantity, 0) AS had, coalesce(t.quantity, 0) AS wanted
        FROM present p FULL JOIN target t USING (hold_id, resource_id, slot_no)
    ), room AS (
        -- What is free now, plus what these very holds give back on the slot.
        SELECT c.resource_id, c.slot_no, f.free, f.reason,
            CASE WHEN p_excess = 'force' THEN 2147483647
                 WHEN f.reason IS NOT NULL THEN 0
                 ELSE greatest(0, c.max_capacity - c.held - c.allocated + own.given_back
                     + CASE WHEN p_excess = 'policy' AND r.shortfall_policy = 'overbook' THEN r.overbook_limit ELSE 0 END)
                 END::bigint AS growth
        FROM capacity c
        JOIN free_slots(v_resources, v_slots) f ON f.resource_id = c.resource_id AND f.slot_no = c.slot_no
        JOIN resource r ON r.id = c.resource_id
        JOIN (
            SELECT g.resource_id, g.slot_no, sum(greatest(0, g.had - g.wanted)) AS given_back
            FROM change g GROUP BY 1, 2
        ) own ON own.resource_id = c.resource_id AND own.slot_no = c.slot_no
    ), granted AS (
        -- Growth is granted hold by hold until the slot is full.
        SELECT g.*, r.free, r.reason,
            least(g.had, g.wanted) + least(
                greatest(0, g.wanted - g.had)::bigint,
                greatest(0, coalesce(r.growth, 0) - coalesce(sum(greatest(0, g.wanted - g.had)) OVER (
                    PARTITION BY g.resource_id, g.slot_no ORDER BY g.hold_id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))
            )::integer AS got
        FROM change g LEFT JOIN room r ON r.resource_id = g.resource_id AND r.slot_no = g.slot_no
    ), verdict AS MATERIALIZED (
        SELECT p_partial OR coalesce(bool_and(g.got >= g.wanted), true) AS settled FROM granted g
    ), moved AS MATERIALIZED (
        SELECT g.*,
            CASE WHEN p_state = 'held' THEN g.got ELSE 0 END - CASE WHEN g.state = 'held' THEN g.had ELSE 0 END AS held_change,
            CASE WHEN p_state = 'allocated' THEN g.got ELSE 0 END - CASE WHEN g.state = 'allocated' THEN g.had ELSE 0 END
                AS allocated_change
        FROM granted g, verdict v WHERE v.settled
    ), counted AS (
        UPDATE capacity c SET
            held = c.held + m.held_change,
            allocated = c.allocated + m.allocated_change,
            -- Only a decision may raise it; giving back always lowers it.
            overbooked = CASE WHEN p_excess = 'none'
                THEN least(c.overbooked, greatest(0, c.held + c.allocated + m.held_change + m.allocated_change - c.max_capacity))
                ELSE greatest(0, c.held + c.allocated + m.held_change + m.allocated_change - c.max_capacity) END
        FROM (
            SELECT m.resource_id, m.slot_no, sum(m.held_change)::integer AS held_change,
                sum(m.allocated_change)::integer AS allocated_change
            FROM moved m GROUP BY 1, 2
        ) m
        WHERE c.resource_id = m.resource_id AND c.slot_no = m.slot_no AND (m.held_change <> 0 OR m.allocated_change <> 0)
    ), kept AS (
        INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state, expires_at)
        SELECT m.hold_id, m.resource_id, m.slot_no, m.got, p_state, CASE WHEN p_state = 'held' THEN p_expires_at END
        FROM moved m WHERE m.got > 0
        ON CONFLICT (hold_id, resource_id, slot_no) DO UPDATE
            SET quantity = excluded.quantity, state = excluded.state, expires_at = excluded.expires_at
            WHERE (claim.quantity, claim.state, claim.expires_at)
                IS DISTINCT FROM (excluded.quantity, excluded.state, excluded.expires_at)
    ), dropped AS (
        UPDATE claim k SET state = 'released', expires_at = NULL
        FROM moved m WHERE m.got = 0 AND m.had > 0
            AND k.hold_id = m.hold_id AND k.resource_id = m.resource_id AND k.slot_no = m.slot_no
    ), noted AS (
        INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
        SELECT m.hold_id, m.resource_id, m.slot_no, m.held_change, m.allocated_change, p_cause, p_actor
        FROM moved m WHERE m.held_change <> 0 OR m.allocated_change <> 0
    )
    SELECT jsonb_build_object(
        'settled', (SELECT v.settled FROM verdict v),
        'taken', (SELECT coalesce(sum(greatest(0, m.got - m.had)), 0) FROM moved m),
        'returned', (SELECT coalesce(sum(greatest(0, m.had - m.got)), 0) FROM moved m),
        'missing', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'hold_id', g.hold_id, 'resource_id', g.resource_id, 'slot_no', g.slot_no, 'quantity', g.wanted - g.got,
                'available', coalesce(g.free, 0), 'reason', g.reason
            ) ORDER BY g.resource_id, g.slot_no)
            FROM granted g WHERE g.got < g.wanted), '[]'::jsonb)
    ), f.resources, f.slots INTO v_answer, v_freed_resources, v_freed_slots
    FROM (
        SELECT array_agg(n.resource_id) AS resources, array_agg(n.slot_no) AS slots FROM (
            SELECT m.resource_id, m.slot_no FROM moved m
            GROUP BY 1, 2 HAVING sum(m.held_change + m.allocated_change) < 0
        ) n
    ) f;
    -- What is given back is theirs who wait for it, before the public sees it.
    IF v_freed_resources IS NOT NULL THEN
        PERFORM offer_places(v_freed_resources, v_freed_slots);
    END IF;
    RETURN v_answer;
END $$;
