-- name: lock_order
-- The order's row, made if need be, and locked: everything that changes an order's claims takes its turn here first.
INSERT INTO platform_order (source, id) VALUES (%(source)s, %(order_id)s)
ON CONFLICT (source, id) DO UPDATE SET id = excluded.id
RETURNING version, updated_at, cancelled_at, facts;

-- name: attach_reservation
-- The order that pays for a number is noted. The first to come keeps it. One whose lines name holds, and none of the number's,
-- is for those: it has nothing of the number, whose items go on being held.
UPDATE reservation SET source = %(source)s, order_id = %(order_id)s, ordered_at = clock_timestamp(),
    customer_email = coalesce(customer_email, %(customer_email)s), customer_name = coalesce(customer_name, %(customer_name)s)
WHERE booking_number = %(booking_number)s AND (order_id IS NULL OR (source, order_id) = (%(source)s, %(order_id)s))
    AND (order_id IS NOT NULL OR NOT %(is_cancelled)s)
    AND (%(names_none)s OR EXISTS (
        SELECT FROM hold h WHERE h.id = ANY (%(hold_ids)s) AND h.booking_number = reservation.booking_number COLLATE "default"));

-- name: lock_holds_of_order
-- See functions/1_lock_order_holds.sql.
SELECT * FROM lock_order_holds(
    %(source)s, %(order_id)s, %(hold_ids)s, %(booking_number)s, %(line_prefix)s, %(line_keys)s
);

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
