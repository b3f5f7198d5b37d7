-- Gives an active hold back, once. One round trip; locks the hold, then its slots.
-- p_email is whose the caller says it is; null: it need not say.
-- Outcomes: released (returned is the sum of what that freed) · not_found · not_active · wrong_customer.
CREATE OR REPLACE FUNCTION release_hold(
    p_hold_id text, p_email text, p_reason text, p_actor text, OUT outcome text, OUT returned integer
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_hold hold;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id FOR UPDATE;
    IF NOT FOUND THEN outcome := 'not_found'; RETURN; END IF;
    IF v_hold.status <> 'ACTIVE' OR v_hold.expires_at <= now() THEN outcome := 'not_active'; RETURN; END IF;
    IF p_email <> lower(coalesce(v_hold.customer_email, '')) THEN outcome := 'wrong_customer'; RETURN; END IF;

    returned := settle_claims(ARRAY[p_hold_id], '{}', '{}', '{}', '{}', 'allocated', NULL, false, 'none', 'release',
        p_actor) ->> 'returned';
    UPDATE hold SET status = 'RELEASED', closed_at = clock_timestamp(), closed_reason = p_reason WHERE id = p_hold_id;
    outcome := 'released';
END $$;
