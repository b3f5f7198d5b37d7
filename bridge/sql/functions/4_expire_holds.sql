-- Tidies up the p_limit holds that lapsed longest ago, and answers which. Holds that somebody is working on are left
-- for the next time.
CREATE OR REPLACE FUNCTION expire_holds(p_limit integer) RETURNS SETOF text
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY SELECT expire_chosen_holds(ARRAY(
        SELECT h.id FROM hold h WHERE h.status = 'ACTIVE' AND h.expires_at <= now()
        ORDER BY h.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ));
END $$;
