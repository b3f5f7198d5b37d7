-- name: find_allocation
-- With the dates it has; of a cancelled one, the dates it had. A chair's quarter hours weigh what claims say; it is one.
SELECT a.id, a.hold_id, a.resource_id, a.order_id, a.line_item_id,
    CASE a.status WHEN 'CANCELLED' THEN coalesce((
        SELECT max(CASE r.grain WHEN 'quarter_hour' THEN 1 ELSE k.quantity END)
        FROM claim k WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id
    ), 0) ELSE a.quantity END AS quantity, a.status::text AS status, a.created_at,
    a.posted_late, r.grain::text AS grain,
    ARRAY(
        SELECT DISTINCT c.on_date FROM claim k JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id
            AND (k.state = 'allocated' OR a.status = 'CANCELLED')
        ORDER BY 1
    ) AS dates
FROM allocation a JOIN resource r ON r.id = a.resource_id WHERE a.id = %(allocation_id)s;

-- name: lock_allocation_order
-- The order of an allocation, locked first: cancelling by hand and reconciling take turns.
SELECT o.id FROM platform_order o JOIN allocation a ON a.source = o.source AND a.order_id = o.id
WHERE a.id = %(allocation_id)s FOR UPDATE OF o;

-- name: lock_allocation_hold
SELECT h.id FROM hold h JOIN allocation a ON a.hold_id = h.id WHERE a.id = %(allocation_id)s FOR UPDATE OF h;

-- name: cancel_quantity
-- What a person gave back by hand; an order never takes it again.
UPDATE allocation SET
    quantity = quantity - %(quantity)s,
    cancelled_by_admin = cancelled_by_admin + %(quantity)s,
    status = CASE WHEN quantity = %(quantity)s THEN 'CANCELLED'::allocation_status ELSE status END,
    cancelled_at = CASE WHEN quantity = %(quantity)s THEN clock_timestamp() END,
    cancel_reason = %(reason)s
WHERE id = %(allocation_id)s;
