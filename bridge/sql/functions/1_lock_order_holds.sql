-- Every hold an order names or has, locked by id (the order of everybody), with what it takes and whose it is.
-- A function for its plan: by itself it would be planned anew each time, which takes four times as long as it does.
CREATE OR REPLACE FUNCTION lock_order_holds(
    p_source text, p_order_id text, p_hold_ids text[], p_booking_number text, p_line_prefix text, p_line_keys text[]
) RETURNS TABLE (
    id text, kind text, status text, is_lapsed boolean, resource_id text, quantity integer, grain text,
    customer_email text, booking_number text, line_key text, made_for jsonb, order_id text, line_item_id text,
    cancelled_by_admin integer, is_short boolean, given_up text, claims jsonb
)
LANGUAGE plpgsql ROWS 3 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT h.id, h.kind::text AS kind, h.status::text AS status, h.expires_at <= now() AS is_lapsed, h.resource_id, h.quantity,
        r.grain::text AS grain, h.customer_email, h.booking_number,
        CASE WHEN h.idempotency_scope = 'order' AND starts_with(h.idempotency_key, p_line_prefix)
            THEN substr(h.idempotency_key, length(p_line_prefix) + 1) END AS line_key,
        -- Ours to say: of a cart's hold it would be the browser's.
        CASE WHEN h.kind IN ('order', 'appointment') THEN coalesce(h.metadata -> 'slots', '[]') ELSE '[]' END AS made_for,
        -- Two platforms may use one id for two orders.
        -- What was to be paid in the shop is no order's yet: one that pays for it after all may have it.
        CASE WHEN a.source = p_source THEN a.order_id WHEN a.source <> 'bridge' THEN a.source || ':' || a.order_id END AS order_id,
        a.line_item_id, coalesce(a.cancelled_by_admin, 0) AS cancelled_by_admin,
        EXISTS (SELECT FROM shortfall s WHERE s.hold_id = h.id AND s.source = p_source AND s.order_id = p_order_id)
            AS is_short,
        (SELECT s.action::text FROM shortfall s WHERE s.hold_id = h.id AND s.action IN ('refund', 'dismiss')
            ORDER BY s.closed_at DESC LIMIT 1) AS given_up,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('resource_id', k.resource_id, 'slot_no', k.slot_no,
            'quantity', k.quantity, 'state', k.state) ORDER BY k.resource_id, k.slot_no), '[]')
            FROM claim k WHERE k.hold_id = h.id) AS claims
    FROM hold h JOIN resource r ON r.id = h.resource_id LEFT JOIN allocation a ON a.hold_id = h.id
    WHERE h.id IN (
        SELECT unnest(p_hold_ids)
        UNION SELECT b.id FROM hold b WHERE b.booking_number = p_booking_number
        UNION SELECT p.hold_id FROM allocation p WHERE p.source = p_source AND p.order_id = p_order_id
        UNION SELECT o.id FROM hold o WHERE o.idempotency_scope = 'order'
            AND o.idempotency_key = ANY (p_line_keys)
        UNION SELECT s.hold_id FROM shortfall s WHERE s.source = p_source AND s.order_id = p_order_id
    )
    ORDER BY h.id FOR UPDATE OF h;
END $$;
