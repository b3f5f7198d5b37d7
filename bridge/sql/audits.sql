-- name: end_of_slots
-- The last of the next so many slots; no row when there are fewer.
SELECT c.resource_id, c.slot_no FROM capacity c
WHERE (c.resource_id, c.slot_no) > (%(after_resource_id)s, %(after_slot_no)s::bigint)
ORDER BY c.resource_id, c.slot_no OFFSET %(size)s - 1 LIMIT 1;

-- name: find_counter_drift
-- Slots whose counters are not the sums of their claims. One statement, so one snapshot: sales go on meanwhile.
WITH live AS (
    -- Each by its own index.
    SELECT k.resource_id, k.slot_no, k.quantity AS held, 0 AS allocated FROM claim k
    WHERE k.state = 'held' AND (k.resource_id, k.slot_no) > (%(after_resource_id)s, %(after_slot_no)s::bigint)
        AND (k.resource_id, k.slot_no) <= (%(until_resource_id)s, %(until_slot_no)s::bigint)
    UNION ALL
    SELECT k.resource_id, k.slot_no, 0, k.quantity FROM claim k
    WHERE k.state = 'allocated' AND (k.resource_id, k.slot_no) > (%(after_resource_id)s, %(after_slot_no)s::bigint)
        AND (k.resource_id, k.slot_no) <= (%(until_resource_id)s, %(until_slot_no)s::bigint)
), counted AS (
    SELECT l.resource_id, l.slot_no, sum(l.held) AS held, sum(l.allocated) AS allocated FROM live l GROUP BY 1, 2
)
SELECT c.resource_id, c.slot_no, c.on_date, c.held, c.allocated,
    coalesce(k.held, 0) AS claims_held, coalesce(k.allocated, 0) AS claims_allocated
FROM capacity c LEFT JOIN counted k ON k.resource_id = c.resource_id AND k.slot_no = c.slot_no
WHERE (c.resource_id, c.slot_no) > (%(after_resource_id)s, %(after_slot_no)s::bigint)
    AND (c.resource_id, c.slot_no) <= (%(until_resource_id)s, %(until_slot_no)s::bigint)
    AND (c.held <> 0 OR c.allocated <> 0 OR k.slot_no IS NOT NULL)
    AND (c.held <> coalesce(k.held, 0) OR c.allocated <> coalesce(k.allocated, 0))
ORDER BY 1, 2 LIMIT 100;

-- name: find_overbooked_drift
-- Slots whose `overbooked` is not exactly what is sold above their capacity.
SELECT c.resource_id, c.slot_no, c.on_date, c.overbooked, greatest(0, c.held + c.allocated - c.max_capacity) AS excess
FROM capacity c
WHERE (c.resource_id, c.slot_no) > (%(after_resource_id)s, %(after_slot_no)s::bigint)
    AND (c.resource_id, c.slot_no) <= (%(until_resource_id)s, %(until_slot_no)s::bigint)
    AND c.overbooked <> greatest(0, c.held + c.allocated - c.max_capacity)
ORDER BY 1, 2 LIMIT 100;

-- name: end_of_holds
-- The last of the next so many holds; no row when there are fewer.
SELECT h.id AS hold_id FROM hold h WHERE h.id > %(after_hold_id)s ORDER BY h.id OFFSET %(size)s - 1 LIMIT 1;

-- name: find_claim_drift
-- Claims that do not fit their hold, and holds and allocations that do not fit their claims.
WITH part AS (
    SELECT k.hold_id, k.resource_id, k.slot_no, c.on_date, k.quantity, k.state, k.expires_at, h.status,
        h.expires_at AS ends_at, a.id AS allocation_id
    FROM claim k
    JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
    JOIN hold h ON h.id = k.hold_id
    LEFT JOIN allocation a ON a.hold_id = k.hold_id AND a.status = 'CONFIRMED'
    WHERE k.hold_id > %(after_hold_id)s AND k.hold_id <= %(until_hold_id)s AND k.state IN ('held', 'allocated')
)
SELECT 'claim of a hold that is not confirmed' AS what, p.hold_id, p.resource_id, p.slot_no, p.on_date, p.quantity
FROM part p WHERE p.state = 'allocated' AND p.status <> 'CONFIRMED'
UNION ALL
SELECT 'live claim of a closed hold', p.hold_id, p.resource_id, p.slot_no, p.on_date, p.quantity
FROM part p WHERE p.state = 'held' AND p.status <> 'ACTIVE'
UNION ALL
SELECT 'claim that ends at another time than its hold', p.hold_id, p.resource_id, p.slot_no, p.on_date, p.quantity
FROM part p WHERE p.state = 'held' AND p.status = 'ACTIVE' AND p.expires_at <> p.ends_at
UNION ALL
SELECT 'allocated claim without an allocation', p.hold_id, p.resource_id, p.slot_no, p.on_date, p.quantity
FROM part p WHERE p.state = 'allocated' AND p.status = 'CONFIRMED' AND p.allocation_id IS NULL
LIMIT 100;

-- name: find_hold_drift
-- Holds and allocations whose claims say otherwise.
SELECT 'live hold that has nothing' AS what, h.id AS hold_id, h.resource_id, NULL AS allocation_id, NULL AS order_id, h.quantity
FROM hold h
WHERE h.id > %(after_hold_id)s AND h.id <= %(until_hold_id)s AND h.status = 'ACTIVE' AND h.expires_at > now()
    AND NOT EXISTS (SELECT FROM claim k WHERE k.hold_id = h.id AND k.state IN ('held', 'allocated'))
UNION ALL
SELECT 'confirmed hold without an allocation', h.id, h.resource_id, NULL, NULL, h.quantity
FROM hold h
WHERE h.id > %(after_hold_id)s AND h.id <= %(until_hold_id)s AND h.status = 'CONFIRMED'
    AND NOT EXISTS (SELECT FROM allocation a WHERE a.hold_id = h.id)
UNION ALL
SELECT 'allocation whose claims say otherwise', a.hold_id, a.resource_id, a.id, a.order_id, a.quantity
FROM allocation a JOIN resource r ON r.id = a.resource_id
WHERE a.hold_id > %(after_hold_id)s AND a.hold_id <= %(until_hold_id)s AND a.status = 'CONFIRMED'
    AND a.quantity <> coalesce((
        -- An appointment is one, whatever its quarter hours weigh.
        SELECT max(CASE r.grain WHEN 'quarter_hour' THEN 1 ELSE k.quantity END)
        FROM claim k WHERE k.hold_id = a.hold_id AND k.resource_id = a.resource_id AND k.state = 'allocated'), 0)
LIMIT 100;

-- name: find_order_drift
-- Orders that were cancelled and still have something.
SELECT a.hold_id, a.source, a.order_id, a.id AS allocation_id FROM allocation a
JOIN platform_order o ON o.source = a.source AND o.id = a.order_id
WHERE a.hold_id > %(after_hold_id)s AND a.hold_id <= %(until_hold_id)s
    AND a.status = 'CONFIRMED' AND o.cancelled_at IS NOT NULL
LIMIT 100;

-- name: find_history_drift
-- Claims that are not what the journal says became of them: it is never edited, so it is the witness.
WITH noted AS (
    SELECT j.hold_id, j.resource_id, j.slot_no, sum(j.held_change) AS held, sum(j.allocated_change) AS allocated FROM journal j
    WHERE j.hold_id > %(after_hold_id)s AND j.hold_id <= %(until_hold_id)s GROUP BY 1, 2, 3
), counted AS (
    SELECT k.hold_id, k.resource_id, k.slot_no, CASE k.state WHEN 'held' THEN k.quantity ELSE 0 END AS held,
        CASE k.state WHEN 'allocated' THEN k.quantity ELSE 0 END AS allocated
    FROM claim k WHERE k.hold_id > %(after_hold_id)s AND k.hold_id <= %(until_hold_id)s
)
SELECT hold_id, resource_id, slot_no, s.on_date, coalesce(c.held, 0) AS held, coalesce(c.allocated, 0) AS allocated,
    coalesce(n.held, 0) AS noted_held, coalesce(n.allocated, 0) AS noted_allocated
FROM noted n FULL JOIN counted c USING (hold_id, resource_id, slot_no) LEFT JOIN capacity s USING (resource_id, slot_no)
WHERE coalesce(c.held, 0) <> coalesce(n.held, 0) OR coalesce(c.allocated, 0) <> coalesce(n.allocated, 0)
ORDER BY 1, 2, 3 LIMIT 100;

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

-- name: lock_findings
-- The last run, locked: of two that keep their findings at once the second sees those of the first.
SELECT a.findings FROM audit a FOR UPDATE;

-- name: keep_findings
-- What is known by now. A run that ended a round has no place to go on at.
INSERT INTO audit (checked_at, seconds, drift, findings, goes_on_at, round_ended_at)
VALUES (clock_timestamp(), %(seconds)s, %(drift)s, %(findings)s, %(goes_on_at)s,
    CASE WHEN %(goes_on_at)s::jsonb IS NULL THEN clock_timestamp() END)
ON CONFLICT (only_row) DO UPDATE SET
    checked_at = excluded.checked_at, seconds = excluded.seconds, drift = excluded.drift, findings = excluded.findings,
    goes_on_at = excluded.goes_on_at, round_ended_at = coalesce(excluded.round_ended_at, audit.round_ended_at);

-- name: keep_comparison
-- What comparing with the platform found, beside what the last run did.
UPDATE audit SET drift = %(drift)s, findings = %(findings)s;

-- name: last_audit
SELECT a.checked_at, a.seconds, a.drift, a.findings, a.goes_on_at, a.goes_on_at IS NOT NULL AS is_partial, a.round_ended_at
FROM audit a;

-- name: is_due
-- Whether auditing again would keep it to a twentieth of the time, however large the ledger has grown.
SELECT NOT EXISTS (
    SELECT FROM audit WHERE checked_at > clock_timestamp() - seconds * 20 * INTERVAL '1 second'
) AS is_due;
