-- name: lock_order
-- The order's row, made if need be, and locked: everything that changes an order's claims takes its turn here first.
INSERT INTO platform_order (source, id) VALUES (%(source)s, %(order_id)s)
ON CONFLICT (source, id) DO UPDATE SET id = excluded.id
RETURNING version, updated_at, cancelled_at, facts;

-- name: attach_reservation
-- The order that pays for a number takes its turn on it before any of its holds. The first to come keeps it.
UPDATE reservation SET source = %(source)s, order_id = %(order_id)s, ordered_at = clock_timestamp()
WHERE booking_number = %(booking_number)s AND (order_id IS NULL OR (source, order_id) = (%(source)s, %(order_id)s))
    AND (order_id IS NOT NULL OR NOT %(is_cancelled)s);

-- name: lock_holds_of_order
-- Every hold an order names or has, locked by id (the order of everybody), with what it takes and whose it is.
SELECT h.id, h.kind::text AS kind, h.status::text AS status, h.expires_at <= now() AS is_lapsed, h.resource_id, h.quantity,
    r.grain::text AS grain, h.customer_email, h.booking_number,
    CASE WHEN h.idempotency_scope = 'order' AND starts_with(h.idempotency_key, %(line_prefix)s)
        THEN substr(h.idempotency_key, length(%(line_prefix)s) + 1) END AS line_key,
    -- Ours to say: of a cart's hold it would be the browser's.
    CASE WHEN h.kind IN ('order', 'appointment') THEN coalesce(h.metadata -> 'slots', '[]') ELSE '[]' END AS made_for,
    -- Two platforms may use one id for two orders.
    -- What was to be paid in the shop is no order's yet: one that pays for it after all may have it.
    CASE WHEN a.source = %(source)s THEN a.order_id WHEN a.source <> 'bridge' THEN a.source || ':' || a.order_id END AS order_id,
    a.line_item_id, coalesce(a.cancelled_by_admin, 0) AS cancelled_by_admin,
    EXISTS (SELECT FROM shortfall s WHERE s.hold_id = h.id AND s.source = %(source)s AND s.order_id = %(order_id)s)
        AS is_short,
    (SELECT s.action::text FROM shortfall s WHERE s.hold_id = h.id AND s.action IN ('refund', 'dismiss')
        ORDER BY s.closed_at DESC LIMIT 1) AS given_up,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('resource_id', k.resource_id, 'slot_no', k.slot_no,
        'quantity', k.quantity, 'state', k.state) ORDER BY k.resource_id, k.slot_no), '[]')
        FROM claim k WHERE k.hold_id = h.id) AS claims
FROM hold h JOIN resource r ON r.id = h.resource_id LEFT JOIN allocation a ON a.hold_id = h.id
WHERE h.id IN (
    SELECT unnest(%(hold_ids)s::text[])
    UNION SELECT b.id FROM hold b WHERE b.booking_number = %(booking_number)s
    UNION SELECT p.hold_id FROM allocation p WHERE p.source = %(source)s AND p.order_id = %(order_id)s
    UNION SELECT o.id FROM hold o WHERE o.idempotency_scope = 'order'
        AND o.idempotency_key = ANY (%(line_keys)s::text[])
    UNION SELECT s.hold_id FROM shortfall s WHERE s.source = %(source)s AND s.order_id = %(order_id)s
)
ORDER BY h.id FOR UPDATE OF h;

-- name: list_grains
-- Which of these resources exist, and how they are sold.
SELECT r.id, r.grain::text AS grain FROM resource r WHERE r.id = ANY (%(resource_ids)s) AND r.deleted_at IS NULL;

-- name: insert_order_hold
-- A hold for an order's line that came without one. It takes nothing by itself: settling does.
INSERT INTO hold (id, idempotency_scope, idempotency_key, request_hash, kind, status, resource_id, quantity,
    customer_email, metadata, term, expires_at, hard_expires_at, closed_at, closed_reason)
VALUES (%(id)s, 'order', %(key)s, '\x', 'order', 'EXPIRED', %(resource_id)s, %(quantity)s,
    %(customer_email)s, jsonb_build_object('slots', %(slots)s::jsonb), INTERVAL '0', now(), now(), now(), 'nothing granted yet');

-- name: close_holds
-- What became of an order's holds.
UPDATE hold h SET status = n.status::hold_status, closed_at = coalesce(h.closed_at, clock_timestamp()), closed_reason = n.reason
FROM unnest(%(hold_ids)s::text[], %(statuses)s::text[], %(reasons)s::text[]) AS n (id, status, reason)
WHERE h.id = n.id AND h.status::text <> n.status;

-- name: post_allocations
-- What an order's lines have now. A hold is posted once: later calls change its allocation.
INSERT INTO allocation (id, hold_id, resource_id, source, order_id, line_item_id, customer_email, quantity, posted_late)
SELECT n.id, n.hold_id, n.resource_id, %(source)s, %(order_id)s, n.line_item_id, %(customer_email)s, n.quantity, n.posted_late
FROM unnest(%(ids)s::text[], %(hold_ids)s::text[], %(resource_ids)s::text[], %(line_item_ids)s::text[],
    %(quantities)s::integer[], %(late)s::boolean[]) AS n (id, hold_id, resource_id, line_item_id, quantity, posted_late)
ON CONFLICT (hold_id) DO UPDATE SET
    quantity = excluded.quantity, status = 'CONFIRMED', cancelled_at = NULL, cancel_reason = NULL,
    source = CASE allocation.source WHEN 'bridge' THEN excluded.source ELSE allocation.source END,
    order_id = CASE allocation.source WHEN 'bridge' THEN excluded.order_id ELSE allocation.order_id END,
    line_item_id = coalesce(allocation.line_item_id, excluded.line_item_id);

-- name: cancel_allocations
-- The lines that have nothing any more.
UPDATE allocation SET quantity = 0, status = 'CANCELLED', cancelled_at = clock_timestamp(), cancel_reason = %(reason)s
WHERE hold_id = ANY (%(hold_ids)s) AND status = 'CONFIRMED';

-- name: update_order
-- What was seen of the order, never going backwards.
UPDATE platform_order SET
    version = greatest(version, %(version)s),
    updated_at = greatest(updated_at, %(updated_at)s),
    cancelled_at = CASE WHEN %(is_cancelled)s THEN coalesce(cancelled_at, clock_timestamp()) ELSE cancelled_at END,
    facts = %(facts)s,
    reconciled_at = clock_timestamp()
WHERE source = %(source)s AND id = %(order_id)s;
