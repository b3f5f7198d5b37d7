-- name: list_next_orders
-- The next orders of a platform that have something here, and which of them have it on days to come: old ones are passed
-- over. A window of bounded size, so that years of old orders cost no more than a moment.
SELECT a.order_id, bool_or(EXISTS (
    SELECT FROM claim k JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
    WHERE k.hold_id = a.hold_id AND k.state = 'allocated' AND c.on_date >= current_date - 1
)) AS is_ahead
FROM allocation a
WHERE a.order_id > (SELECT coalesce(max(p.compared_to), '') FROM platform_cursor p WHERE p.source = %(source)s)
    AND a.source = %(source)s AND a.status = 'CONFIRMED'
GROUP BY a.order_id ORDER BY a.order_id LIMIT %(window)s;

-- name: list_standing
-- Which of these orders still have something here.
SELECT DISTINCT a.order_id FROM allocation a
WHERE a.source = %(source)s AND a.order_id = ANY (%(order_ids)s) AND a.status = 'CONFIRMED' ORDER BY a.order_id;

-- name: remember_comparison
-- Without a row the reconciler has not looked yet, and there is little to compare.
UPDATE platform_cursor SET compared_to = %(compared_to)s WHERE source = %(source)s;

-- name: find_order
-- What was last seen of an order.
SELECT o.version, o.updated_at, o.cancelled_at, o.facts FROM platform_order o WHERE o.source = %(source)s AND o.id = %(order_id)s;
