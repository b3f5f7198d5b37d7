-- name: recount_slots
-- See functions/5_recount_slots.sql.
SELECT recount_slots(%(resources)s, %(slots)s) AS changed;

-- name: find_hold
-- What a hold and its allocation are, unlocked: to know which locks to take, and in what order.
SELECT h.id, h.status::text AS status, a.status::text AS allocation_status, a.source, a.order_id,
    o.id IS NOT NULL AND (o.facts IS NOT NULL OR o.cancelled_at IS NOT NULL) AS order_is_known,
    o.cancelled_at IS NOT NULL AS order_is_cancelled
FROM hold h
LEFT JOIN allocation a ON a.hold_id = h.id
LEFT JOIN platform_order o ON o.source = a.source AND o.id = a.order_id
WHERE h.id = %(hold_id)s;

-- name: lock_hold
-- The hold, before its slots.
SELECT h.status::text AS status, h.expires_at, h.expires_at <= now() AS is_lapsed, a.status::text AS allocation_status
FROM hold h LEFT JOIN allocation a ON a.hold_id = h.id
WHERE h.id = %(hold_id)s FOR UPDATE OF h;

-- name: list_slots
-- Every slot that these holds have a claim on, or that the journal says they had.
SELECT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (%(hold_ids)s)
UNION
SELECT j.resource_id, j.slot_no FROM journal j
JOIN capacity c ON c.resource_id = j.resource_id AND c.slot_no = j.slot_no
WHERE j.hold_id = ANY (%(hold_ids)s)
ORDER BY 1, 2;

-- name: list_lost_claims
-- What the journal says these holds have, and they have no more. The caller has locked their slots.
SELECT j.hold_id, j.resource_id, j.slot_no, sum(j.held_change + j.allocated_change)::integer AS quantity
FROM journal j
JOIN hold h ON h.id = j.hold_id
JOIN capacity c ON c.resource_id = j.resource_id AND c.slot_no = j.slot_no
LEFT JOIN claim k ON k.hold_id = j.hold_id AND k.resource_id = j.resource_id AND k.slot_no = j.slot_no
WHERE j.hold_id = ANY (%(hold_ids)s) AND (k.state IS NULL OR k.state NOT IN ('held', 'allocated'))
GROUP BY 1, 2, 3 HAVING sum(j.held_change + j.allocated_change) > 0
ORDER BY 1, 2, 3;

-- name: remember_claims
-- Rows for claims that are gone: expired, so that they count nowhere and say what may be taken again where there is room.
INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state)
SELECT l.hold_id, l.resource_id, l.slot_no, l.quantity, 'expired'
FROM unnest(%(hold_ids)s::text[], %(resources)s::text[], %(slots)s::bigint[], %(quantities)s::integer[])
    AS l (hold_id, resource_id, slot_no, quantity)
ON CONFLICT (hold_id, resource_id, slot_no) DO UPDATE SET state = 'expired' WHERE claim.state = 'released';

-- name: balance_journal
-- A line for each claim of these holds that is not what the journal says. The caller has locked their slots.
INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
SELECT hold_id, resource_id, slot_no, coalesce(c.held, 0) - coalesce(n.held, 0), coalesce(c.allocated, 0) - coalesce(n.allocated, 0),
    'repair', %(actor)s
FROM (
    SELECT j.hold_id, j.resource_id, j.slot_no, sum(j.held_change) AS held, sum(j.allocated_change) AS allocated
    FROM journal j WHERE j.hold_id = ANY (%(hold_ids)s) GROUP BY 1, 2, 3
) n FULL JOIN (
    SELECT k.hold_id, k.resource_id, k.slot_no, CASE k.state WHEN 'held' THEN k.quantity ELSE 0 END AS held,
        CASE k.state WHEN 'allocated' THEN k.quantity ELSE 0 END AS allocated
    FROM claim k WHERE k.hold_id = ANY (%(hold_ids)s)
) c USING (hold_id, resource_id, slot_no)
WHERE coalesce(c.held, 0) <> coalesce(n.held, 0) OR coalesce(c.allocated, 0) <> coalesce(n.allocated, 0);

-- name: list_live_claims
SELECT k.resource_id, k.slot_no, k.quantity, k.state::text AS state FROM claim k
WHERE k.hold_id = %(hold_id)s AND k.state IN ('held', 'allocated') ORDER BY k.resource_id, k.slot_no;

-- name: align_claims
-- A held claim ends with its hold.
UPDATE claim k SET expires_at = h.expires_at FROM hold h
WHERE h.id = %(hold_id)s AND k.hold_id = h.id AND h.status = 'ACTIVE' AND k.state = 'held' AND k.expires_at <> h.expires_at;

-- name: confirm_holds
-- A hold whose allocation stands and whose claims are allocated is confirmed, whatever it says.
UPDATE hold h SET status = 'CONFIRMED', closed_at = coalesce(h.closed_at, clock_timestamp()), closed_reason = NULL
WHERE h.id = ANY (%(hold_ids)s) AND h.status <> 'CONFIRMED'
    AND EXISTS (SELECT FROM allocation a WHERE a.hold_id = h.id AND a.status = 'CONFIRMED')
    AND EXISTS (SELECT FROM claim k WHERE k.hold_id = h.id AND k.state = 'allocated')
    AND NOT EXISTS (SELECT FROM claim k WHERE k.hold_id = h.id AND k.state = 'held');

-- name: note_repair
INSERT INTO ops_action (actor, action, target, reason, details)
VALUES (%(actor)s, 'ledger.repair', %(target)s, %(reason)s, %(details)s);
