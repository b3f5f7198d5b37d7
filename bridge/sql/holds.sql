-- name: place_hold
-- One round trip. See functions/3_place_hold.sql.
SELECT * FROM place_hold(
    %(hold_id)s, 'store', %(idempotency_token)s, %(request_hash)s, 'cart', %(booking_number)s,
    %(resource_id)s, %(quantity)s, %(customer_email)s, %(metadata)s, %(term)s, %(hard_term)s,
    array_fill(%(resource_id)s::text, ARRAY[cardinality(%(slots)s::bigint[])]), %(slots)s,
    array_fill(%(quantity)s::integer, ARRAY[cardinality(%(slots)s::bigint[])]), 'store'
);

-- name: place_any_hold
-- One round trip, for any slots of any resources. A replay answers when the first was made and lapses.
WITH placed AS (
    SELECT * FROM place_hold(
        %(hold_id)s, %(scope)s, %(key)s, %(request_hash)s, %(kind)s, %(booking_number)s,
        %(resource_id)s, %(quantity)s, %(customer_email)s, %(metadata)s, %(term)s, %(hard_term)s,
        %(resources)s, %(slots)s, %(quantities)s, %(actor)s
    )
)
SELECT p.outcome, p.hold_id, p.details, coalesce(p.created_at, h.created_at) AS created_at,
    coalesce(p.expires_at, h.expires_at) AS expires_at
FROM placed p LEFT JOIN hold h ON h.id = p.hold_id AND p.outcome = 'replayed';

-- name: lock_ahead
-- Opens what is computed from rules, and locks all of it in the one order.
SELECT open_slots(%(resources)s, %(slots)s), lock_slots(%(resources)s, %(slots)s);

-- name: find_hold
-- A hold as it stands this second: an active one past its time is expired, swept or not.
SELECT h.id, h.resource_id, h.quantity, h.customer_email, h.idempotency_key AS idempotency_token, h.created_at,
    h.expires_at, h.hard_expires_at, h.metadata, h.booking_number, h.closed_reason,
    CASE WHEN h.status = 'ACTIVE' AND h.expires_at <= now() THEN 'EXPIRED' ELSE h.status::text END AS status,
    -- By the clock: a term that this transaction gave is not longer than it is.
    greatest(0, extract(epoch FROM h.expires_at - clock_timestamp()))::float8 AS seconds_left,
    ARRAY(
        SELECT DISTINCT c.on_date FROM claim k JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        WHERE k.hold_id = h.id AND k.resource_id = h.resource_id ORDER BY 1
    ) AS dates
FROM hold h WHERE h.id = %(hold_id)s;

-- name: confirm_hold
-- One round trip. See functions/5_confirm_hold.sql.
SELECT * FROM confirm_hold(
    %(hold_id)s, %(allocation_id)s, %(source)s, %(order_id)s, %(line_item_id)s, %(actor)s
);

-- name: release_hold
-- One round trip. See functions/5_release_hold.sql.
SELECT * FROM release_hold(%(hold_id)s, %(customer_email)s, %(reason)s, %(actor)s);

-- name: list_claims
-- What a hold takes, or took, of each slot.
SELECT k.resource_id, k.slot_no, k.quantity, k.state::text AS state FROM claim k
WHERE k.hold_id = %(hold_id)s ORDER BY k.resource_id, k.slot_no;

-- name: settle_claims
-- See functions/4_settle_claims.sql.
SELECT settle_claims(
    %(hold_ids)s, %(target_holds)s, %(resources)s, %(slots)s, %(quantities)s,
    CASE WHEN %(held_until)s::timestamptz IS NULL THEN 'allocated' ELSE 'held' END::claim_state, %(held_until)s,
    %(partial)s, %(excess)s, %(cause)s, %(actor)s
) AS answer;

-- name: expire_holds
-- See functions/4_expire_holds.sql.
SELECT expire_holds(%(limit)s) AS hold_id;

-- name: list_lapsed
-- The holds that lapsed longest ago, those of one resource and slot together. Locks nothing.
SELECT w.id
FROM (
    SELECT h.id FROM hold h WHERE h.status = 'ACTIVE' AND h.expires_at <= now() ORDER BY h.expires_at LIMIT %(limit)s
) w
LEFT JOIN LATERAL (
    SELECT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = w.id ORDER BY k.resource_id, k.slot_no LIMIT 1
) f ON true
ORDER BY f.resource_id, f.slot_no;

-- name: sweep_holds
-- See functions/3_expire_chosen_holds.sql. One sweep at a time: the lock, of a number that nobody else uses, is had until
-- the commit or not at all.
SELECT expire_chosen_holds(%(hold_ids)s) AS hold_id WHERE pg_try_advisory_xact_lock(7320118);

-- name: count_restored
-- Places, on each date or departure. What somebody's quarter hours weigh means nothing to people: an appointment is one.
SELECT coalesce(sum(CASE r.grain WHEN 'quarter_hour' THEN h.quantity ELSE k.places END), 0) AS restored
FROM hold h
JOIN resource r ON r.id = h.resource_id
JOIN LATERAL (
    SELECT sum(k.quantity) AS places FROM claim k WHERE k.hold_id = h.id AND k.state = 'expired'
) k ON k.places IS NOT NULL
WHERE h.id = ANY (%(hold_ids)s);

-- name: extend_hold
-- See functions/4_extend_hold.sql.
SELECT extend_hold(%(hold_id)s) AS outcome;
