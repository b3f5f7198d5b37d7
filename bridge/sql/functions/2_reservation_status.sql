-- What a reservation is this second: its holds and allocations decide, swept or not, whichever door changed them.
-- open       every item is held until expires_at
-- paid       an order has it, or is owed it
-- cancelled  an order had it, and gave all of it up
-- released   given back before it was paid
-- expired    its time ran out
CREATE OR REPLACE FUNCTION reservation_status(p_reservation reservation) RETURNS text
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_had boolean;
    v_has boolean;
    v_live boolean;
    v_lapsed boolean;
BEGIN
    SELECT coalesce(bool_or(a.id IS NOT NULL), false),
        coalesce(bool_or(a.status = 'CONFIRMED' OR s.id IS NOT NULL), false),
        coalesce(bool_or(h.status = 'ACTIVE' AND h.expires_at > now()), false),
        coalesce(bool_or(h.status = 'EXPIRED' OR h.status = 'ACTIVE' AND h.expires_at <= now()), false)
    INTO v_had, v_has, v_live, v_lapsed
    FROM hold h
    LEFT JOIN allocation a ON a.hold_id = h.id
    LEFT JOIN shortfall s ON s.hold_id = h.id AND s.status = 'open'
    -- Without it the comparison would be in the collation of the reservation, which no index of holds is in.
    WHERE h.booking_number = p_reservation.booking_number COLLATE "default";
    IF NOT v_has AND p_reservation.order_id IS NOT NULL THEN
        -- What somebody had given back is had again, or owed, by a hold of the order's own.
        v_had := true;
        v_has := EXISTS (
            SELECT FROM allocation a WHERE a.order_id = p_reservation.order_id AND a.source = p_reservation.source
                AND a.status = 'CONFIRMED'
            UNION ALL
            SELECT FROM shortfall s WHERE s.order_id = p_reservation.order_id AND s.source = p_reservation.source
                AND s.status = 'open');
    END IF;
    RETURN CASE
        WHEN v_has THEN 'paid'
        WHEN v_had THEN 'cancelled'
        WHEN p_reservation.released_at IS NOT NULL THEN 'released'
        WHEN p_reservation.expires_at <= now() OR v_lapsed AND NOT v_live THEN 'expired'
        ELSE 'open' END;
END $$;
