-- Takes every wanted slot for one hold, or none: one round trip, however many slots.
-- Locks the capacity rows in the one order (resource_id, slot_no), then decides on what it reads after the lock.
-- The wanted slots are distinct and ascending: the caller sums what it wants of each.
-- Outcomes: placed · replayed · token_reused · resource_not_found · past (details is today's date there) · short
-- (details describes each slot wanted).
-- Statements are what costs here, so the usual way has six; whatever is unusual goes by free_slots, which is the rule.
CREATE OR REPLACE FUNCTION place_hold(
    p_hold_id text, p_scope text, p_key text, p_request_hash bytea, p_kind hold_kind, p_booking_number text,
    p_resource_id text, p_quantity integer, p_email text, p_metadata jsonb, p_term interval, p_hard_term interval,
    p_resources text[], p_slots bigint[], p_quantities integer[], p_actor text,
    OUT outcome text, OUT hold_id text, OUT created_at timestamptz, OUT expires_at timestamptz, OUT details jsonb
)
-- Plans for arrays of unknown length are kept; PostgreSQL would plan each call anew, at three times the cost.
-- They always go by index: a plan made while a table was small is kept while it fills, and would read all of it.
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_resource record;
    v_short boolean;
    v_term interval;
BEGIN
    SELECT r.grain, r.time_zone, r.hold_minutes, r.is_active AND r.deleted_at IS NULL AS is_sold,
        h.id AS hold_id, h.request_hash, h.created_at, h.expires_at
    INTO v_resource
    FROM (SELECT) one
    LEFT JOIN resource r ON r.id = p_resource_id
    LEFT JOIN hold h ON h.idempotency_scope = p_scope AND h.idempotency_key = p_key;
    IF v_resource.hold_id IS NOT NULL THEN
        outcome := CASE WHEN v_resource.request_hash = p_request_hash THEN 'replayed' ELSE 'token_reused' END;
        hold_id := v_resource.hold_id;
        RETURN;
    END IF;
    IF v_resource.is_sold IS NOT TRUE THEN
        outcome := 'resource_not_found';
        RETURN;
    END IF;
    -- Of several resources the first need not be this one: then the caller sees to it.
    IF v_resource.grain = 'day' AND p_resources[1] = p_resource_id
        AND p_slots[1] < (now() AT TIME ZONE v_resource.time_zone)::date - DATE '1970-01-01' THEN
        outcome := 'past';
        details := to_jsonb((now() AT TIME ZONE v_resource.time_zone)::date);
        RETURN;
    END IF;
    -- Slots computed from rules have no row until somebody takes one.
    IF v_resource.grain = 'quarter_hour' THEN
        PERFORM open_slots(p_resources, p_slots);
    END IF;

    -- The unlocked glance: what is visibly full is refused without queueing for the row.
    PERFORM FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
    JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
    WHERE c.held + c.allocated + w.quantity > c.max_capacity;
    -- But what has lapsed where somebody waits is handed to them under the lock, though nobody sweeps.
    v_short := FOUND;
    IF v_short THEN
        -- Described once: what is gone is asked for by crowds.
        details := describe_slots(p_resources, p_slots, p_quantities);
        v_short := (details @> '[{"fits": false}]' OR NOT slots_fit(p_resources, p_slots, p_quantities))
            AND NOT (seats_waited_for(p_resources, p_slots) AND EXISTS (
                SELECT FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
                JOIN claim k ON k.resource_id = w.resource_id AND k.slot_no = w.slot_no
                WHERE k.state = 'held' AND k.expires_at <= now()));
    END IF;

    IF NOT v_short THEN
        details := NULL;
        PERFORM FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
        ORDER BY c.resource_id, c.slot_no FOR UPDATE OF c;

        -- The decision. Each statement reads afresh, so all of this is what the lock protects: counters, blackouts
        -- (made under the same locks) and the resource (switched off under the same locks).
        SELECT count(*) < cardinality(p_slots) OR NOT bool_and(
                r.is_active AND r.deleted_at IS NULL AND NOT c.closed AND c.held + c.allocated + w.quantity <= c.max_capacity
                AND NOT EXISTS (
                    SELECT FROM blackout b
                    WHERE b.deleted_at IS NULL AND b.is_active AND (b.resource_id = c.resource_id OR b.resource_id IS NULL)
                        AND c.on_date BETWEEN b.starts_on AND b.ends_on))
        INTO v_short
        FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
        JOIN resource r ON r.id = w.resource_id
        JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no;
        IF v_short THEN
            PERFORM expire_claims(p_resources, p_slots);
            v_short := NOT slots_fit(p_resources, p_slots, p_quantities);
        END IF;
    END IF;
    IF v_short THEN
        -- The same request may have won since this one looked for it: then its seats are why there is no room. Nor may
        -- the resource still be for sale: it was when this began.
        SELECT h.id, CASE WHEN h.request_hash = p_request_hash THEN 'replayed' WHEN h.id IS NOT NULL THEN 'token_reused'
            WHEN r.is_active AND r.deleted_at IS NULL THEN 'short' ELSE 'resource_not_found' END
        INTO hold_id, outcome
        FROM (SELECT) one
        LEFT JOIN resource r ON r.id = p_resource_id
        LEFT JOIN hold h ON h.idempotency_scope = p_scope AND h.idempotency_key = p_key;
        details := CASE WHEN hold_id IS NULL THEN coalesce(details, describe_slots(p_resources, p_slots, p_quantities)) END;
        RETURN;
    END IF;

    v_term := least(coalesce(v_resource.hold_minutes * INTERVAL '1 minute', p_term), p_hard_term);
    -- The term starts when the seat is taken, not when the wait for it began.
    created_at := clock_timestamp();
    INSERT INTO hold (id, idempotency_scope, idempotency_key, request_hash, kind, booking_number, resource_id, quantity,
        customer_email, metadata, term, created_at, expires_at, hard_expires_at)
    VALUES (p_hold_id, p_scope, p_key, p_request_hash, p_kind, p_booking_number, p_resource_id, p_quantity,
        p_email, p_metadata, v_term, place_hold.created_at, place_hold.created_at + v_term,
        place_hold.created_at + p_hard_term)
    ON CONFLICT (idempotency_scope, idempotency_key) DO NOTHING
    RETURNING hold.id, hold.expires_at INTO hold_id, expires_at;
    IF NOT FOUND THEN
        -- The same request, for other slots, won at this instant.
        SELECT h.id, CASE WHEN h.request_hash = p_request_hash THEN 'replayed' ELSE 'token_reused' END
        INTO hold_id, outcome
        FROM hold h WHERE h.idempotency_scope = p_scope AND h.idempotency_key = p_key;
        RETURN;
    END IF;

    WITH counted AS (
        UPDATE capacity c SET held = c.held + w.quantity
        FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
        WHERE c.resource_id = w.resource_id AND c.slot_no = w.slot_no
    ), noted AS (
        INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
        SELECT p_hold_id, w.resource_id, w.slot_no, w.quantity, 0, 'place', p_actor
        FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
    )
    INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state, expires_at)
    SELECT p_hold_id, w.resource_id, w.slot_no, w.quantity, 'held', place_hold.expires_at
    FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity);
    outcome := 'placed';
END $$;
