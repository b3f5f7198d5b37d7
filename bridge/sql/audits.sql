-- name: find_counter_drift
-- Slots whose counters are not the sums of their claims. One statement, so one snapshot: sales go on meanwhile.
SELECT c.resource_id, c.slot_no, c.held, c.allocated, coalesce(k.held, 0) AS claims_held, coalesce(k.allocated, 0) AS claims_allocated
FROM capacity c
LEFT JOIN (
    SELECT k.resource_id, k.slot_no, sum(k.quantity) FILTER (WHERE k.state = 'held') AS held,
        sum(k.quantity) FILTER (WHERE k.state = 'allocated') AS allocated
    FROM claim k WHERE k.state IN ('held', 'allocated') GROUP BY 1, 2
) k ON k.resource_id = c.resource_id AND k.slot_no = c.slot_no
WHERE (c.held <> 0 OR c.allocated <> 0 OR k.slot_no IS NOT NULL)
    AND (c.held <> coalesce(k.held, 0) OR c.allocated <> coalesce(k.allocated, 0))
ORDER BY 1, 2 LIMIT 100;

-- name: find_overbooked_drift
-- Slots whose `overbooked` is not exactly what is sold above their capacity.
SELECT c.resource_id, c.slot_no, c.overbooked, greatest(0, c.held + c.allocated - c.max_capacity) AS excess
FROM capacity c WHERE c.overbooked <> greatest(0, c.held + c.allocated - c.max_capacity)
    AND (c.overbooked > 0 OR c.held + c.allocated > c.max_capacity)
ORDER BY 1, 2 LIMIT 100;

-- name: find_claim_drift
-- Claims whose state does not fit their hold, and allocations whose quantity is not what their claims have.
SELECT 'claim of a hold that is not confirmed' AS what, k.hold_id, k.resource_id, k.slot_no
FROM claim k JOIN hold h ON h.id = k.hold_id WHERE k.state = 'allocated' AND h.status <> 'CONFIRMED'
UNION ALL
SELECT 'live claim of a closed hold', k.hold_id, k.resource_id, k.slot_no
FROM claim k JOIN hold h ON h.id = k.hold_id WHERE k.state = 'held' AND h.status <> 'ACTIVE'
UNION ALL
SELECT 'allocated claim without an allocation', k.hold_id, k.resource_id, k.slot_no
FROM claim k LEFT JOIN allocation a ON a.hold_id = k.hold_id AND a.status = 'CONFIRMED'
WHERE k.state = 'allocated' AND a.id IS NULL
UNION ALL
SELECT 'allocation whose claims say otherwise', a.hold_id, a.resource_id, NULL
FROM allocation a JOIN resource r ON r.id = a.resource_id
WHERE a.status = 'CONFIRMED' AND a.quantity <> coalesce((
    -- An appointment is one, whatever its quarter hours weigh.
    SELECT max(CASE r.grain WHEN 'quarter_hour' THEN 1 ELSE k.quantity END)
    FROM claim k WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id AND k.state = 'allocated'), 0)
LIMIT 100;

-- name: find_order_drift
-- Orders that were cancelled and still have something.
SELECT a.order_id, a.id AS allocation_id, a.hold_id FROM platform_order o
JOIN allocation a ON a.source = o.source AND a.order_id = o.id AND a.status = 'CONFIRMED'
WHERE o.cancelled_at IS NOT NULL LIMIT 100;

-- name: find_forgotten_orders
-- Orders of the last week that name a booking, have nothing, and nobody was told.
SELECT o.id AS order_id, o.source FROM platform_order o
WHERE o.reconciled_at > now() - INTERVAL '7 days' AND o.cancelled_at IS NULL
    AND EXISTS (
        SELECT FROM jsonb_to_recordset(o.facts -> 'lines') AS l (quantity integer, hold_ids jsonb, resource_id text)
        WHERE l.quantity > 0 AND (l.hold_ids <> '[]' OR l.resource_id IS NOT NULL))
    AND NOT EXISTS (SELECT FROM allocation a WHERE a.source = o.source AND a.order_id = o.id)
    AND NOT EXISTS (SELECT FROM shortfall s WHERE s.source = o.source AND s.order_id = o.id)
    AND NOT EXISTS (SELECT FROM event e WHERE e.order_id = o.id AND e.status IN ('pending', 'failed', 'discarded'))
LIMIT 100;

-- name: keep_findings
INSERT INTO audit (seconds, drift, findings)
VALUES (extract(epoch FROM clock_timestamp() - now()), %(drift)s, %(findings)s)
ON CONFLICT (only_row) DO UPDATE SET
    checked_at = clock_timestamp(), seconds = excluded.seconds, drift = excluded.drift, findings = excluded.findings;

-- name: last_audit
SELECT checked_at, seconds, drift, findings FROM audit;

-- name: is_due
-- Whether auditing again would keep it to a twentieth of the time, however large the ledger has grown.
SELECT NOT EXISTS (
    SELECT FROM audit WHERE checked_at > clock_timestamp() - seconds * 20 * INTERVAL '1 second'
) AS is_due;
