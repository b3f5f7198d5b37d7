-- name: list_live_holds
-- Holds that have something on these days this second; with `booked`, also those that are allocations by now.
SELECT k.hold_id FROM claim k
JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
WHERE k.state = 'held' AND k.expires_at > now()
    AND (%(resource_id)s::text IS NULL OR k.resource_id = %(resource_id)s)
    AND c.on_date BETWEEN %(starts_on)s AND %(ends_on)s
UNION
SELECT k.hold_id FROM claim k
JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
WHERE %(booked)s AND k.state = 'allocated'
    AND (%(resource_id)s::text IS NULL OR k.resource_id = %(resource_id)s)
    AND c.on_date BETWEEN %(starts_on)s AND %(ends_on)s
ORDER BY 1;

-- name: list_live_allocations
-- Allocations that have something on these days, with all their dates; how many there are in all on every row.
SELECT a.id, a.order_id, a.customer_email, a.quantity, count(*) OVER () AS total,
    ARRAY(
        SELECT DISTINCT c.on_date FROM claim k
        JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id AND k.state = 'allocated'
        ORDER BY 1
    ) AS dates
FROM allocation a
WHERE a.status = 'CONFIRMED' AND a.hold_id IN (
    SELECT k.hold_id FROM claim k
    JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
    WHERE k.state = 'allocated'
        AND (%(resource_id)s::text IS NULL OR k.resource_id = %(resource_id)s)
        AND c.on_date BETWEEN %(starts_on)s AND %(ends_on)s
)
ORDER BY a.id
LIMIT %(limit)s;

-- name: lock_resources
-- The resources whose days change, before anything of theirs: closing them, opening days and deleting take turns.
-- Not FOR UPDATE: every new hold points at its resource, and placing one must not wait here.
SELECT r.id FROM resource r
WHERE (%(resource_id)s::text IS NULL OR r.id = %(resource_id)s) AND r.deleted_at IS NULL
ORDER BY r.id
FOR NO KEY UPDATE;

-- name: lock_orders
-- The orders of these holds' allocations, first of all: cancelling and reconciling take turns.
SELECT o.id FROM platform_order o
WHERE (o.source, o.id) IN (SELECT a.source, a.order_id FROM allocation a WHERE a.hold_id = ANY (%(hold_ids)s))
ORDER BY o.source, o.id
FOR UPDATE;

-- name: lock_holds
-- Before any capacity row, by id: the order of everybody who changes holds.
SELECT h.id FROM hold h WHERE h.id = ANY (%(hold_ids)s) ORDER BY h.id FOR UPDATE;

-- name: lock_slots
-- Every slot of these days and every slot of these holds, together: the holds' other slots may come before these days.
-- From here to the end of the transaction nobody can take or give back anything on them.
SELECT lock_slots(array_agg(s.resource_id), array_agg(s.slot_no))
FROM (
    SELECT c.resource_id, c.slot_no FROM resource r JOIN capacity c ON c.resource_id = r.id
    WHERE r.grain = 'day' AND (%(resource_id)s::text IS NULL OR r.id = %(resource_id)s)
        AND c.slot_no BETWEEN %(starts_on)s::date - DATE '1970-01-01' AND %(ends_on)s::date - DATE '1970-01-01'
    UNION
    SELECT c.resource_id, c.slot_no FROM resource r JOIN capacity c ON c.resource_id = r.id
    WHERE r.grain <> 'day' AND (%(resource_id)s::text IS NULL OR r.id = %(resource_id)s)
        AND c.on_date BETWEEN %(starts_on)s AND %(ends_on)s
    UNION
    SELECT k.resource_id, k.slot_no FROM claim k
    WHERE k.hold_id = ANY (%(hold_ids)s) AND k.state IN ('held', 'allocated')
) s;

-- name: lock_late_holds
-- Holds placed while the slots were waited for, where nobody else works on them: to wait for a hold with slots locked
-- would turn the lock order round.
SELECT h.id FROM hold h WHERE h.id = ANY (%(hold_ids)s) AND h.status = 'ACTIVE' FOR UPDATE SKIP LOCKED;

-- name: lock_late_slots
-- The slots of those holds, without waiting; whether that got all of them.
SELECT (
    SELECT count(*) FROM (
        SELECT c.slot_no FROM capacity c
        WHERE (c.resource_id, c.slot_no) IN (
            SELECT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (%(hold_ids)s) AND k.state = 'held'
        )
        FOR UPDATE OF c SKIP LOCKED
    ) locked
) = (
    SELECT count(DISTINCT (k.resource_id, k.slot_no)) FROM claim k
    WHERE k.hold_id = ANY (%(hold_ids)s) AND k.state = 'held'
) AS got_all;

-- name: release_holds
UPDATE hold SET status = 'RELEASED', closed_at = clock_timestamp(), closed_reason = %(reason)s
WHERE id = ANY (%(hold_ids)s) AND status = 'ACTIVE';

-- name: cancel_allocations
-- Given up by a person: an order never takes it again.
UPDATE allocation SET
    status = 'CANCELLED',
    cancelled_by_admin = cancelled_by_admin + quantity,
    quantity = 0,
    cancelled_at = clock_timestamp(),
    cancel_reason = %(reason)s
WHERE hold_id = ANY (%(hold_ids)s) AND status = 'CONFIRMED';
