-- What the migrations make. Generated, never edited: .venv/bin/python -m tests.sql.schema > bridge/schema.sql

CREATE TYPE public.allocation_status AS ENUM (
    'CONFIRMED',
    'CANCELLED'
);

CREATE TYPE public.appointment_status AS ENUM (
    'held',
    'confirmed',
    'cancelled',
    'completed',
    'no_show'
);

CREATE TYPE public.blackout_type AS ENUM (
    'holiday',
    'maintenance',
    'weather',
    'custom'
);

CREATE TYPE public.booking_status AS ENUM (
    'pending',
    'confirmed',
    'cancelled',
    'completed',
    'no_show',
    'refunded'
);

CREATE TYPE public.claim_state AS ENUM (
    'held',
    'allocated',
    'released',
    'expired'
);

CREATE TYPE public.deposit_type AS ENUM (
    'none',
    'fixed',
    'percent'
);

CREATE TYPE public.event_status AS ENUM (
    'pending',
    'applied',
    'ignored',
    'failed',
    'discarded'
);

CREATE TYPE public.grain AS ENUM (
    'day',
    'departure',
    'quarter_hour'
);

CREATE TYPE public.hold_kind AS ENUM (
    'cart',
    'offer',
    'booking',
    'appointment',
    'order'
);

CREATE TYPE public.hold_status AS ENUM (
    'ACTIVE',
    'CONFIRMED',
    'RELEASED',
    'EXPIRED'
);

CREATE TYPE public.recurrence AS ENUM (
    'none',
    'daily',
    'weekly',
    'biweekly',
    'monthly',
    'custom'
);

CREATE TYPE public.resource_type AS ENUM (
    'VEHICLE',
    'TOUR',
    'GUIDE',
    'STAFF'
);

CREATE TYPE public.rule_type AS ENUM (
    'recurring',
    'exception',
    'blocked'
);

CREATE TYPE public.shortfall_action AS ENUM (
    'retry',
    'force',
    'refund',
    'dismiss',
    'cancel'
);

CREATE TYPE public.shortfall_policy AS ENUM (
    'flag',
    'refund',
    'overbook',
    'alternatives'
);

CREATE TYPE public.shortfall_status AS ENUM (
    'open',
    'resolved',
    'dismissed'
);

CREATE TYPE public.waitlist_status AS ENUM (
    'active',
    'notified',
    'converted',
    'expired',
    'cancelled'
);

CREATE FUNCTION public.accept_offer(p_hold_id text, p_term interval, p_hard_term interval) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_hold hold;
    v_resources text[];
    v_slots bigint[];
    v_term interval;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id;
    IF v_hold.kind <> 'offer' OR v_hold.status <> 'ACTIVE' OR v_hold.expires_at <= clock_timestamp() THEN
        RETURN 'expired';
    END IF;
    SELECT array_agg(k.resource_id), array_agg(k.slot_no) INTO v_resources, v_slots FROM claim k WHERE k.hold_id = p_hold_id;
    PERFORM lock_slots(v_resources, v_slots);
    -- The last second may have passed while this waited for the lock, and somebody else have the seats.
    IF EXISTS (SELECT FROM claim k WHERE k.hold_id = p_hold_id AND k.state <> 'held') THEN RETURN 'expired'; END IF;

    SELECT least(coalesce(r.hold_minutes * INTERVAL '1 minute', p_term), p_hard_term) INTO v_term
    FROM resource r WHERE r.id = v_hold.resource_id;
    UPDATE hold SET kind = 'booking', term = v_term, expires_at = clock_timestamp() + v_term,
        hard_expires_at = clock_timestamp() + p_hard_term
    WHERE id = p_hold_id RETURNING expires_at INTO v_hold.expires_at;
    UPDATE claim SET expires_at = v_hold.expires_at WHERE hold_id = p_hold_id;
    RETURN 'accepted';
END $$;

CREATE FUNCTION public.announce(p_type text, p_data jsonb, p_key text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO announcement (key, type, data)
    SELECT p_key, p_type, p_data
    WHERE EXISTS (SELECT FROM webhook w WHERE w.disabled_at IS NULL AND wants_type(w.types, p_type))
    ON CONFLICT (key) DO NOTHING;
    RETURN FOUND;
END $$;

CREATE FUNCTION public.announce_allocation() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_before allocation := CASE TG_OP WHEN 'UPDATE' THEN old END;
    v_what text := CASE
        WHEN new.status = 'CANCELLED' THEN 'cancelled' WHEN v_before.status = 'CONFIRMED' THEN 'changed' ELSE 'created'
    END;
BEGIN
    -- What was cancelled already is not cancelled more.
    IF (new.status = 'CANCELLED' AND v_before.status = 'CANCELLED') OR NOT EXISTS (SELECT FROM webhook) THEN
        RETURN NULL;
    END IF;
    PERFORM announce(
        'resource_booking.allocation.' || v_what,
        jsonb_build_object(
            'id', new.id, 'hold_id', new.hold_id, 'resource_id', new.resource_id, 'source', new.source,
            'order_id', new.order_id, 'line_item_id', new.line_item_id, 'customer_email', new.customer_email,
            'status', new.status, 'slots', claimed_slots(new.hold_id), 'created_at', new.created_at,
            'quantity', CASE v_what WHEN 'cancelled' THEN v_before.quantity ELSE new.quantity END,
            'previous_quantity', CASE v_what WHEN 'changed' THEN v_before.quantity END,
            'posted_late', new.posted_late, 'cancelled_at', new.cancelled_at, 'reason', new.cancel_reason
        ),
        new.id || ':' || v_what || ':' || pg_current_xact_id()
    );
    RETURN NULL;
END $$;

CREATE FUNCTION public.announce_depletion() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook) THEN RETURN NULL; END IF;
    PERFORM announce(
        'resource_booking.capacity.depleted',
        jsonb_build_object(
            'resource_id', c.resource_id, 'date', c.on_date, 'max_capacity', c.max_capacity,
            'held', c.held, 'allocated', c.allocated,
            'slot_id', CASE r.grain WHEN 'departure' THEN (SELECT s.id FROM slot s WHERE s.slot_no = c.slot_no) END,
            'start_at', CASE r.grain WHEN 'quarter_hour' THEN to_timestamp(c.slot_no * 900) END
        ),
        -- Once in a transaction, however often it came and went there.
        c.resource_id || ':' || c.slot_no || ':' || pg_current_xact_id()
    )
    FROM capacity c
    JOIN resource r ON r.id = c.resource_id
    JOIN free_slots(ARRAY[new.resource_id], ARRAY[new.slot_no]) f ON true
    WHERE c.resource_id = new.resource_id AND c.slot_no = new.slot_no AND f.free = 0;
    RETURN NULL;
END $$;

CREATE FUNCTION public.announce_hold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook) THEN RETURN NULL; END IF;
    PERFORM announce(
        'resource_booking.hold.' || CASE new.status WHEN 'ACTIVE' THEN 'created' ELSE lower(new.status::text) END,
        jsonb_build_object(
            'id', new.id, 'resource_id', new.resource_id, 'kind', new.kind, 'status', new.status, 'quantity', new.quantity,
            'slots', claimed_slots(new.id), 'booking_number', new.booking_number, 'customer_email', new.customer_email,
            'created_at', new.created_at, 'expires_at', new.expires_at, 'closed_at', new.closed_at, 'reason', new.closed_reason
        ),
        -- A hold comes to a status once in a transaction.
        new.id || ':' || new.status || ':' || pg_current_xact_id()
    );
    RETURN NULL;
END $$;

CREATE FUNCTION public.booking_window(p_starts_at timestamp with time zone, p_slot_date date, p_time_zone text, p_cutoff interval, p_advance_days integer) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN p_starts_at < now() + p_cutoff THEN 'too_late'
        WHEN p_slot_date > (now() AT TIME ZONE p_time_zone)::date + p_advance_days THEN 'too_far_ahead' END
$$;

CREATE FUNCTION public.check_appointment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF new.status <> old.status THEN
        PERFORM FROM appointment_transition t WHERE t.from_status = old.status AND t.to_status = new.status;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'an appointment that is % cannot become %', old.status, new.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'appointment_transition_known';
        END IF;
        new.confirmed_at := CASE new.status WHEN 'confirmed' THEN clock_timestamp() ELSE new.confirmed_at END;
        new.completed_at := CASE new.status WHEN 'completed' THEN clock_timestamp() ELSE new.completed_at END;
        new.cancelled_at := CASE new.status WHEN 'cancelled' THEN coalesce(new.cancelled_at, clock_timestamp()) END;
        IF new.status <> 'cancelled' THEN
            new.cancellation_reason := NULL;
            new.cancelled_by := NULL;
        END IF;
    END IF;
    new.sequence := old.sequence + 1;
    new.settled_at := clock_timestamp();
    new.updated_at := clock_timestamp();
    RETURN new;
END $$;

CREATE FUNCTION public.check_booking_transition() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM booking_transition t WHERE t.from_status = old.status AND t.to_status = new.status
    ) OR (old.status = 'cancelled' AND new.status = 'confirmed' AND old.cancelled_by NOT IN ('clock', 'order')) THEN
        RAISE EXCEPTION 'a % booking cannot become %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'booking_transition_is_allowed';
    END IF;
    RETURN new;
END $$;

CREATE FUNCTION public.claimed_slots(p_hold_id text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'resource_id', k.resource_id, 'date', c.on_date, 'quantity', k.quantity,
            'slot_id', CASE r.grain WHEN 'departure' THEN (SELECT s.id FROM slot s WHERE s.slot_no = k.slot_no) END,
            'start_at', CASE r.grain WHEN 'quarter_hour' THEN to_timestamp(k.slot_no * 900) END
        ) ORDER BY k.resource_id, k.slot_no), '[]')
        FROM claim k
        JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        JOIN resource r ON r.id = k.resource_id
        WHERE k.hold_id = p_hold_id AND (
            k.state IN ('held', 'allocated')
            OR NOT EXISTS (SELECT FROM claim l WHERE l.hold_id = p_hold_id AND l.state IN ('held', 'allocated'))
        )
    );
END $$;

CREATE FUNCTION public.confirm_hold(p_hold_id text, p_allocation_id text, p_source text, p_order_id text, p_line_item_id text, p_actor text, OUT outcome text, OUT allocation_id text, OUT order_id text) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    v_hold hold;
    v_holds text[];
    v_resources text[];
    v_slots bigint[];
    v_quantities integer[];
    v_settled boolean;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id FOR UPDATE;
    IF NOT FOUND THEN outcome := 'not_found'; RETURN; END IF;
    IF v_hold.status = 'RELEASED' THEN outcome := 'released'; RETURN; END IF;
    IF v_hold.status = 'CONFIRMED' THEN
        -- A statement of its own: joined to the lock it would not see what was made while that was waited for.
        SELECT a.id, a.order_id INTO allocation_id, order_id FROM allocation a WHERE a.hold_id = p_hold_id;
        outcome := CASE WHEN order_id = p_order_id THEN 'confirmed' ELSE 'already_confirmed' END;
        RETURN;
    END IF;

    SELECT array_agg(k.hold_id), array_agg(k.resource_id), array_agg(k.slot_no), array_agg(k.quantity)
    INTO v_holds, v_resources, v_slots, v_quantities
    FROM claim k WHERE k.hold_id = p_hold_id
        -- What it was moved away from it does not want again.
        AND k.state IN ('held', 'expired');
    v_settled := (settle_claims(ARRAY[p_hold_id], v_holds, v_resources, v_slots, v_quantities, 'allocated', NULL, false,
        'none', 'confirm', p_actor) ->> 'settled')::boolean;
    IF NOT v_settled THEN outcome := 'no_room'; RETURN; END IF;

    UPDATE hold SET status = 'CONFIRMED', closed_at = clock_timestamp(), closed_reason = NULL WHERE id = p_hold_id;
    INSERT INTO allocation (id, hold_id, resource_id, source, order_id, line_item_id, customer_email, quantity, posted_late)
    VALUES (p_allocation_id, p_hold_id, v_hold.resource_id, p_source, p_order_id, p_line_item_id, v_hold.customer_email,
        v_hold.quantity, v_hold.expires_at <= now())
    ON CONFLICT (hold_id) DO UPDATE
        SET quantity = excluded.quantity, status = 'CONFIRMED', cancelled_at = NULL, cancel_reason = NULL
    RETURNING id INTO allocation_id;
    outcome := 'confirmed';
END $$;

CREATE FUNCTION public.describe_slots(p_resources text[], p_slots bigint[], p_quantities integer[]) RETURNS jsonb
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN (
        SELECT jsonb_agg(jsonb_build_object(
            'resource_id', f.resource_id, 'slot_no', f.slot_no, 'requested', w.quantity,
            'available', f.free, 'reason', f.reason, 'fits', f.free >= w.quantity
        ) ORDER BY f.resource_id, f.slot_no)
        FROM free_slots(p_resources, p_slots) f
        JOIN unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
            ON w.resource_id = f.resource_id AND w.slot_no = f.slot_no
    );
END $$;

CREATE FUNCTION public.expire_chosen_holds(p_hold_ids text[]) RETURNS SETOF text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_holds text[];
    v_resources text[];
    v_slots bigint[];
BEGIN
    v_holds := ARRAY(
        SELECT h.id FROM hold h WHERE h.id = ANY (p_hold_ids) AND h.status = 'ACTIVE' AND h.expires_at <= now()
        FOR UPDATE SKIP LOCKED
    );
    SELECT array_agg(s.resource_id), array_agg(s.slot_no) INTO v_resources, v_slots
    FROM (
        SELECT DISTINCT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (v_holds) AND k.state = 'held'
    ) s;
    PERFORM lock_slots(v_resources, v_slots);
    PERFORM expire_claims(v_resources, v_slots);
    RETURN QUERY
    UPDATE hold h SET status = 'EXPIRED', closed_at = clock_timestamp(), closed_reason = 'expired'
    WHERE h.id = ANY (v_holds) RETURNING h.id;
END $$;

CREATE FUNCTION public.expire_claims(p_resources text[], p_slots bigint[], p_keep text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_resources text[];
    v_slots bigint[];
BEGIN
    WITH lapsed AS (
        UPDATE claim k SET state = 'expired', expires_at = NULL
        FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        WHERE k.resource_id = w.resource_id AND k.slot_no = w.slot_no
            AND k.state = 'held' AND k.expires_at <= now() AND k.hold_id <> ALL (p_keep)
        RETURNING k.hold_id, k.resource_id, k.slot_no, k.quantity
    ), freed AS (
        SELECT l.resource_id, l.slot_no, sum(l.quantity)::integer AS quantity FROM lapsed l GROUP BY 1, 2
    ), counted AS (
        UPDATE capacity c SET
            held = c.held - f.quantity,
            overbooked = least(c.overbooked, greatest(0, c.held - f.quantity + c.allocated - c.max_capacity))
        FROM freed f WHERE c.resource_id = f.resource_id AND c.slot_no = f.slot_no
    ), noted AS (
        INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
        SELECT l.hold_id, l.resource_id, l.slot_no, -l.quantity, 0, 'expire', 'clock' FROM lapsed l
    )
    SELECT array_agg(f.resource_id), array_agg(f.slot_no) INTO v_resources, v_slots FROM freed f;
    IF v_resources IS NOT NULL THEN
        PERFORM offer_places(v_resources, v_slots);
    END IF;
END $$;

CREATE FUNCTION public.expire_holds(p_limit integer) RETURNS SETOF text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN QUERY SELECT expire_chosen_holds(ARRAY(
        SELECT h.id FROM hold h WHERE h.status = 'ACTIVE' AND h.expires_at <= now()
        ORDER BY h.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ));
END $$;

CREATE FUNCTION public.extend_hold(p_hold_id text) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_hold hold;
    v_resources text[];
    v_slots bigint[];
    v_expires_at timestamptz;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'not_found'; END IF;
    IF v_hold.status = 'EXPIRED' OR (v_hold.status = 'ACTIVE' AND v_hold.expires_at <= now()) THEN RETURN 'expired'; END IF;
    IF v_hold.status <> 'ACTIVE' THEN RETURN 'not_active'; END IF;
    IF EXISTS (SELECT FROM reservation_item i WHERE i.hold_id = p_hold_id) THEN RETURN 'shared'; END IF;
    IF v_hold.expires_at >= v_hold.hard_expires_at THEN RETURN 'limit'; END IF;

    SELECT array_agg(k.resource_id), array_agg(k.slot_no) INTO v_resources, v_slots
    FROM claim k WHERE k.hold_id = p_hold_id;
    PERFORM lock_slots(v_resources, v_slots);
    -- Somebody may have taken a slot over while this waited for the lock and the last second passed.
    IF EXISTS (SELECT FROM claim k WHERE k.hold_id = p_hold_id AND k.state = 'expired') THEN RETURN 'expired'; END IF;

    v_expires_at := greatest(v_hold.expires_at, least(clock_timestamp() + v_hold.term, v_hold.hard_expires_at));
    UPDATE hold SET expires_at = v_expires_at WHERE id = p_hold_id;
    UPDATE claim SET expires_at = v_expires_at WHERE hold_id = p_hold_id AND state = 'held';
    RETURN 'extended';
END $$;

CREATE FUNCTION public.extend_reservation(p_booking_number text, p_grace interval DEFAULT NULL::interval) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_holds text[];
    v_resources text[];
    v_slots bigint[];
    v_term interval;
    v_until timestamptz;
BEGIN
    v_holds := ARRAY(
        SELECT h.id FROM hold h WHERE h.booking_number = p_booking_number AND h.status = 'ACTIVE' ORDER BY h.id FOR UPDATE
    );
    SELECT array_agg(s.resource_id), array_agg(s.slot_no) INTO v_resources, v_slots
    FROM (SELECT DISTINCT k.resource_id, k.slot_no FROM claim k WHERE k.hold_id = ANY (v_holds)) s;
    PERFORM lock_slots(v_resources, v_slots);
    -- Somebody may have taken a slot over while this waited, and the last second passed.
    IF EXISTS (SELECT FROM claim k WHERE k.hold_id = ANY (v_holds) AND k.state = 'expired') THEN RETURN NULL; END IF;

    SELECT max(i.term) INTO v_term FROM reservation_item i WHERE i.hold_id = ANY (v_holds);
    UPDATE reservation r SET
        grace_given_at = CASE WHEN p_grace IS NULL THEN r.grace_given_at ELSE clock_timestamp() END,
        expires_at = greatest(r.expires_at, least(r.hard_expires_at,
            CASE WHEN p_grace IS NULL THEN clock_timestamp() + v_term ELSE r.expires_at + p_grace END))
    WHERE r.booking_number = p_booking_number
    RETURNING r.expires_at INTO v_until;
    UPDATE hold h SET expires_at = r.expires_at, hard_expires_at = r.hard_expires_at
    FROM reservation r WHERE r.booking_number = p_booking_number AND h.id = ANY (v_holds);
    UPDATE claim SET expires_at = v_until WHERE hold_id = ANY (v_holds) AND state = 'held';
    RETURN v_until;
END $$;

CREATE FUNCTION public.follow_appointment_allocation() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF new.status = 'CONFIRMED' THEN
        UPDATE appointment a SET status = 'confirmed', changed_by = 'order'
        WHERE a.hold_id = new.hold_id AND a.status = 'cancelled' AND a.cancelled_by IN ('clock', 'ledger');
    ELSE
        UPDATE appointment a SET
            status = 'cancelled', changed_by = 'ledger', cancelled_by = 'ledger',
            cancellation_reason = coalesce(new.cancel_reason, 'cancelled')
        WHERE a.hold_id = new.hold_id AND a.status = 'confirmed';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.follow_appointment_hold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF new.status = 'CONFIRMED' THEN
        UPDATE appointment a SET status = 'confirmed', changed_by = 'order'
        WHERE a.hold_id = new.id AND (a.status = 'held' OR (a.status = 'cancelled' AND a.cancelled_by IN ('clock', 'ledger')));
    ELSIF new.status IN ('RELEASED', 'EXPIRED') THEN
        UPDATE appointment a SET
            status = 'cancelled',
            changed_by = CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'ledger' END,
            cancelled_by = CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'ledger' END,
            cancelled_at = CASE new.status WHEN 'EXPIRED' THEN new.expires_at ELSE clock_timestamp() END,
            cancellation_reason = CASE new.status WHEN 'EXPIRED' THEN 'expired' ELSE coalesce(new.closed_reason, 'released') END
        WHERE a.hold_id = new.id AND a.status = 'held';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.follow_booking_allocation() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_booking booking;
    v_by text := CASE WHEN new.cancelled_by_admin > old.cancelled_by_admin THEN 'staff' ELSE 'order' END;
    v_rest integer;
    v_adults integer;
    v_children integer;
    v_heads numeric;
    v_discount numeric;
    v_tax numeric;
BEGIN
    SELECT * INTO v_booking FROM booking b WHERE b.hold_id = new.hold_id FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF new.status = 'CANCELLED' THEN
        UPDATE booking SET status = 'cancelled', cancelled_at = clock_timestamp(),
            cancellation_reason = coalesce(new.cancel_reason, 'cancelled'), cancelled_by = v_by
        WHERE id = v_booking.id AND status IN ('pending', 'confirmed');
        IF NOT FOUND THEN RETURN NULL; END IF;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason)
        VALUES (v_booking.id, CASE v_by WHEN 'order' THEN 'order:' || new.order_id ELSE v_by END, 'cancellation',
            jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'cancelled'), new.cancel_reason);
        RETURN NULL;
    END IF;
    IF old.status = 'CANCELLED' THEN
        UPDATE booking SET status = 'confirmed', cancelled_at = NULL, cancellation_reason = NULL, cancelled_by = NULL,
            refund_amount = NULL
        WHERE id = v_booking.id AND status = 'cancelled' AND cancelled_by IN ('clock', 'order');
        IF FOUND THEN
            INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
            VALUES (v_booking.id, 'order:' || new.order_id, 'status_change',
                jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'confirmed'));
        END IF;
    END IF;
    IF new.quantity <> v_booking.seats AND new.quantity > 0 THEN
        -- Somebody grown up stays while a child does.
        v_rest := v_booking.num_adults + new.quantity - v_booking.seats - 1;
        v_adults := 1 + greatest(0, v_rest);
        v_children := greatest(0, v_booking.num_children + least(0, v_rest));
        v_heads := v_adults * v_booking.price_per_adult + v_children * v_booking.price_per_child
            + v_booking.num_infants * v_booking.price_per_infant;
        v_discount := least(v_booking.discount_amount, v_heads);
        v_tax := round((v_heads - v_discount) * v_booking.tax_rate, scale(v_booking.price_per_adult));
        UPDATE booking SET seats = new.quantity, num_adults = v_adults, num_children = v_children,
            modified_at = clock_timestamp(), subtotal = v_heads, discount_amount = v_discount, tax_amount = v_tax,
            total_amount = v_heads - v_discount + v_tax
        WHERE id = v_booking.id;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
        VALUES (v_booking.id, CASE v_by WHEN 'order' THEN 'order:' || new.order_id ELSE v_by END, 'party_change',
            jsonb_build_object('num_adults', v_booking.num_adults, 'num_children', v_booking.num_children),
            jsonb_build_object('num_adults', v_adults, 'num_children', v_children));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.follow_booking_hold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_booking booking;
BEGIN
    SELECT * INTO v_booking FROM booking b WHERE b.hold_id = new.id FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF new.status = 'CONFIRMED' THEN
        UPDATE booking SET status = 'confirmed', confirmed_at = coalesce(confirmed_at, clock_timestamp()),
            cancelled_at = NULL, cancellation_reason = NULL, cancelled_by = NULL
        WHERE id = v_booking.id AND (status = 'pending' OR (status = 'cancelled' AND cancelled_by IN ('clock', 'order')));
        IF NOT FOUND THEN RETURN NULL; END IF;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
        VALUES (v_booking.id, coalesce((SELECT 'order:' || a.order_id FROM allocation a WHERE a.hold_id = new.id), 'system'),
            'status_change', jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'confirmed'));
    ELSIF v_booking.status = 'pending' THEN
        UPDATE booking SET status = 'cancelled', cancelled_at = clock_timestamp(),
            cancellation_reason = coalesce(new.closed_reason, lower(new.status::text)),
            cancelled_by = CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'system' END
        WHERE id = v_booking.id;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason)
        VALUES (v_booking.id, CASE new.status WHEN 'EXPIRED' THEN 'clock' ELSE 'system' END, 'cancellation',
            jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'cancelled'),
            coalesce(new.closed_reason, lower(new.status::text)));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.follow_offer() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_queue record;
    v_entry record;
    v_waits_on boolean := false;
BEGIN
    SELECT e.resource_id, e.requested_date INTO v_queue FROM waitlist_entry e
    WHERE e.hold_id = new.id AND e.status IN ('active', 'notified');
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- In the order in which offer_places locks them: who comes from another departure holds the first and wants the next.
    PERFORM FROM waitlist_entry e
    WHERE e.resource_id = v_queue.resource_id AND e.requested_date = v_queue.requested_date AND e.status = 'active'
    ORDER BY e.priority DESC, e.created_at, e.id
    FOR UPDATE;

    FOR v_entry IN
        SELECT e.id, h.id AS hold_id, CASE
            WHEN h.status = 'CONFIRMED' THEN 'converted'
            WHEN h.status = 'RELEASED' AND h.closed_reason = 'declined' THEN 'cancelled'
            WHEN h.status = 'EXPIRED' AND e.status = 'notified' THEN 'expired'
            ELSE 'active' END::waitlist_status AS status
        FROM waitlist_entry e JOIN hold h ON h.id = e.hold_id AND h.kind = 'offer' AND h.status <> 'ACTIVE'
        WHERE e.resource_id = v_queue.resource_id AND e.requested_date = v_queue.requested_date
            AND e.status IN ('active', 'notified')
        ORDER BY e.priority DESC, e.created_at, e.id
        FOR UPDATE OF e
    LOOP
        UPDATE waitlist_entry SET
            status = v_entry.status,
            hold_id = CASE WHEN v_entry.status <> 'active' THEN v_entry.hold_id END,
            converted_at = CASE WHEN v_entry.status = 'converted' THEN clock_timestamp() END,
            closed_at = CASE WHEN v_entry.status <> 'active' THEN clock_timestamp() END
        WHERE id = v_entry.id;
        IF v_entry.status IN ('converted', 'expired') THEN
            PERFORM owe_waitlist_notice(v_entry.id, v_entry.status::text, v_entry.hold_id);
        END IF;
        v_waits_on := v_waits_on OR v_entry.status = 'active';
    END LOOP;
    IF v_waits_on THEN
        -- Departures that others are at this moment are left to them, and to tend_waitlist: to wait for one now would
        -- turn the lock order round.
        PERFORM offer_places(array_agg(f.resource_id), array_agg(f.slot_no), false) FROM (
            SELECT c.resource_id, c.slot_no FROM capacity c
            WHERE c.resource_id = v_queue.resource_id AND c.on_date = v_queue.requested_date
            FOR UPDATE SKIP LOCKED
        ) f;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.free_slots(p_resources text[], p_slots bigint[]) RETURNS TABLE(resource_id text, slot_no bigint, on_date date, max_capacity integer, free integer, reason text)
    LANGUAGE plpgsql ROWS 3
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT w.resource_id, w.slot_no, d.on_date, coalesce(c.max_capacity, 0),
        CASE WHEN c.slot_no IS NULL OR c.closed OR b.closes THEN 0
             ELSE greatest(0, c.max_capacity - c.held - c.allocated + coalesce(k.lapsed, 0)::integer) END,
        CASE WHEN b.closes THEN 'blackout' WHEN c.slot_no IS NULL THEN 'not_open' WHEN c.closed THEN 'closed' END
    FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
    JOIN resource r ON r.id = w.resource_id
    LEFT JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
    CROSS JOIN LATERAL (
        SELECT CASE r.grain WHEN 'day' THEN DATE '1970-01-01' + w.slot_no::integer ELSE c.on_date END AS on_date
    ) d
    LEFT JOIN LATERAL (
        SELECT sum(k.quantity) AS lapsed FROM claim k
        WHERE c.held > 0 AND k.resource_id = w.resource_id AND k.slot_no = w.slot_no
            AND k.state = 'held' AND k.expires_at <= now()
        HAVING count(*) > 0 AND NOT seats_waited_for(ARRAY[w.resource_id], ARRAY[w.slot_no])
    ) k ON c.held > 0
    LEFT JOIN LATERAL (
        SELECT true AS closes FROM blackout b
        WHERE b.deleted_at IS NULL AND b.is_active AND (b.resource_id = w.resource_id OR b.resource_id IS NULL)
            AND d.on_date BETWEEN b.starts_on AND b.ends_on
        LIMIT 1
    ) b ON true;
END $$;

CREATE FUNCTION public.grace_hold(p_hold_id text, p_grace interval) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_resources text[];
    v_slots bigint[];
    v_expires_at timestamptz;
BEGIN
    SELECT array_agg(k.resource_id), array_agg(k.slot_no) INTO v_resources, v_slots
    FROM claim k WHERE k.hold_id = p_hold_id AND k.state = 'held';
    PERFORM lock_slots(v_resources, v_slots);
    UPDATE hold h SET expires_at = greatest(h.expires_at, least(clock_timestamp() + p_grace, h.hard_expires_at))
    WHERE h.id = p_hold_id AND h.status = 'ACTIVE' RETURNING h.expires_at INTO v_expires_at;
    -- What somebody took over while this waited for the slots is not held any more.
    UPDATE claim k SET expires_at = v_expires_at WHERE k.hold_id = p_hold_id AND k.state = 'held';
END $$;

CREATE FUNCTION public.lock_order_holds(p_source text, p_order_id text, p_hold_ids text[], p_booking_number text, p_line_prefix text, p_line_keys text[]) RETURNS TABLE(id text, kind text, status text, is_lapsed boolean, resource_id text, quantity integer, grain text, customer_email text, booking_number text, line_key text, made_for jsonb, order_id text, line_item_id text, cancelled_by_admin integer, is_short boolean, given_up text, claims jsonb)
    LANGUAGE plpgsql ROWS 3
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT h.id, h.kind::text AS kind, h.status::text AS status, h.expires_at <= now() AS is_lapsed, h.resource_id, h.quantity,
        r.grain::text AS grain, h.customer_email, h.booking_number,
        CASE WHEN h.idempotency_scope = 'order' AND starts_with(h.idempotency_key, p_line_prefix)
            THEN substr(h.idempotency_key, length(p_line_prefix) + 1) END AS line_key,
        -- Ours to say: of a cart's hold it would be the browser's.
        CASE WHEN h.kind IN ('order', 'appointment') THEN coalesce(h.metadata -> 'slots', '[]') ELSE '[]' END AS made_for,
        -- Two platforms may use one id for two orders.
        -- What was to be paid in the shop is no order's yet: one that pays for it after all may have it.
        CASE WHEN a.source = p_source THEN a.order_id WHEN a.source <> 'bridge' THEN a.source || ':' || a.order_id END AS order_id,
        a.line_item_id, coalesce(a.cancelled_by_admin, 0) AS cancelled_by_admin,
        EXISTS (SELECT FROM shortfall s WHERE s.hold_id = h.id AND s.source = p_source AND s.order_id = p_order_id)
            AS is_short,
        (SELECT s.action::text FROM shortfall s WHERE s.hold_id = h.id AND s.action IN ('refund', 'dismiss')
            ORDER BY s.closed_at DESC LIMIT 1) AS given_up,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('resource_id', k.resource_id, 'slot_no', k.slot_no,
            'quantity', k.quantity, 'state', k.state) ORDER BY k.resource_id, k.slot_no), '[]')
            FROM claim k WHERE k.hold_id = h.id) AS claims
    FROM hold h JOIN resource r ON r.id = h.resource_id LEFT JOIN allocation a ON a.hold_id = h.id
    WHERE h.id IN (
        SELECT unnest(p_hold_ids)
        UNION SELECT b.id FROM hold b WHERE b.booking_number = p_booking_number
        UNION SELECT p.hold_id FROM allocation p WHERE p.source = p_source AND p.order_id = p_order_id
        UNION SELECT o.id FROM hold o WHERE o.idempotency_scope = 'order'
            AND o.idempotency_key = ANY (p_line_keys)
        UNION SELECT s.hold_id FROM shortfall s WHERE s.source = p_source AND s.order_id = p_order_id
    )
    ORDER BY h.id FOR UPDATE OF h;
END $$;

CREATE FUNCTION public.lock_slots(p_resources text[], p_slots bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM capacity c
    JOIN unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
    ORDER BY c.resource_id, c.slot_no
    FOR UPDATE OF c;
END $$;

CREATE FUNCTION public.new_id(p_prefix text) RETURNS text
    LANGUAGE sql
    AS $$
    SELECT p_prefix || '_' || string_agg(
        substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(b.bits FROM 5 * n + 1 FOR 5)::bit(5)::integer + 1, 1), '' ORDER BY n
    )
    FROM (
        SELECT B'00' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint::bit(48)
            -- The ends of two UUIDs: in between stand bits that are always the same.
            || ('x' || left(gen_random_uuid()::text, 8) || right(gen_random_uuid()::text, 12))::bit(80) AS bits
    ) b, generate_series(0, 25) AS n;
$$;

CREATE FUNCTION public.note_appointment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_before appointment := CASE TG_OP WHEN 'UPDATE' THEN old END;
    v_what text := CASE
        WHEN v_before.id IS NULL THEN 'created'
        WHEN new.status <> v_before.status THEN new.status::text
        ELSE 'rescheduled'
    END;
    v_n bigint;
BEGIN
    INSERT INTO appointment_change (appointment_id, what, actor, reason, old_value, new_value)
    VALUES (
        new.id, v_what, new.changed_by, new.cancellation_reason,
        CASE WHEN v_before.id IS NOT NULL THEN jsonb_build_object(
            'status', v_before.status, 'start_at', v_before.start_at, 'staff_id', v_before.staff_id) END,
        jsonb_build_object('status', new.status, 'start_at', new.start_at, 'staff_id', new.staff_id)
    ) RETURNING n INTO v_n;
    -- Nobody is written to about what is only held, and announcing it is news to subscribers alone.
    IF v_what = 'created' AND NOT EXISTS (SELECT FROM webhook) THEN RETURN NULL; END IF;
    INSERT INTO event (id, source, dedupe_key, type, queue, raw)
    VALUES (
        new_id('evt'), 'bridge', 'appointment:' || v_n, 'appointment.news',
        'bridge.outgoing', convert_to(jsonb_build_object('appointment_id', new.id, 'change', v_n)::text, 'UTF8')
    );
    RETURN NULL;
END $$;

CREATE FUNCTION public.offer_places(p_resources text[], p_slots bigint[], p_is_release boolean DEFAULT true) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_rule waitlist_rule;
    v_slot record;
    v_entry waitlist_entry;
    v_free integer;
    v_collected_at bigint;
    v_collected integer;
    v_is_over boolean;
    v_head_passed boolean;
    v_offers integer := 0;
BEGIN
    IF NOT seats_waited_for(p_resources, p_slots) THEN RETURN 0; END IF;
    SELECT * INTO v_rule FROM waitlist_rule;
    IF NOT v_rule.is_automatic THEN RETURN 0; END IF;

    FOR v_slot IN
        SELECT c.resource_id, c.slot_no, c.on_date, c.max_capacity, d.starts_at - v_rule.cutoff AS closes_at,
            -- What has lapsed and is still counted is nobody's to give yet.
            least(f.free, c.max_capacity - c.held - c.allocated) AS free
        FROM free_slots(p_resources, p_slots) f
        JOIN capacity c ON c.resource_id = f.resource_id AND c.slot_no = f.slot_no
        JOIN slot d ON d.slot_no = c.slot_no
        JOIN resource r ON r.id = c.resource_id AND r.is_active AND r.deleted_at IS NULL
        WHERE d.starts_at - v_rule.cutoff > clock_timestamp()
        -- By date before number: two that give back on several dates lock the queues of these in one order.
        ORDER BY c.resource_id, c.on_date, c.slot_no
    LOOP
        CONTINUE WHEN v_slot.free <= 0;
        v_free := v_slot.free;
        v_head_passed := false;
        FOR v_entry IN
            SELECT e.* FROM waitlist_entry e
            WHERE e.resource_id = v_slot.resource_id AND e.requested_date = v_slot.on_date AND e.status = 'active'
                AND (e.slot_no IS NULL OR e.slot_no = v_slot.slot_no)
                -- However many large parties wait: only the first of those that do not fit has a claim to what is left.
                -- One that has collected had its turn.
                AND (e.num_people <= v_free OR e.hold_id IS NOT NULL OR e.id = (
                    SELECT h.id FROM waitlist_entry h
                    WHERE h.resource_id = v_slot.resource_id AND h.requested_date = v_slot.on_date AND h.status = 'active'
                        AND (h.slot_no IS NULL OR h.slot_no = v_slot.slot_no)
                        AND h.num_people > v_free AND h.num_people <= v_slot.max_capacity AND h.collects_until IS NULL
                    ORDER BY h.priority DESC, h.created_at, h.id LIMIT 1))
            ORDER BY e.priority DESC, e.created_at, e.id
            FOR UPDATE
        LOOP
            EXIT WHEN v_free <= 0;
            v_collected := 0;
            v_collected_at := NULL;
            IF v_entry.hold_id IS NOT NULL THEN
                SELECT k.slot_no, k.quantity, k.state = 'expired' OR k.expires_at <= clock_timestamp()
                INTO v_collected_at, v_collected, v_is_over
                FROM claim k WHERE k.hold_id = v_entry.hold_id AND k.state IN ('held', 'expired');
                -- Somebody closes it this very moment, and not the clock.
                CONTINUE WHEN NOT FOUND;
                IF v_is_over THEN
                    v_collected_at := NULL;
                ELSE
                    PERFORM FROM hold h WHERE h.id = v_entry.hold_id AND h.status = 'ACTIVE' FOR UPDATE SKIP LOCKED;
                    CONTINUE WHEN NOT FOUND;
                END IF;
                v_collected := CASE v_collected_at WHEN v_slot.slot_no THEN v_collected ELSE 0 END;
            END IF;
            IF v_entry.num_people - v_collected <= v_free THEN
                IF v_collected_at <> v_slot.slot_no THEN
                    -- Its departure may be locked by others, so its seats are not given back here: they lapse.
                    UPDATE hold SET expires_at = now() WHERE id = v_entry.hold_id;
                    UPDATE claim SET expires_at = now() WHERE hold_id = v_entry.hold_id;
                END IF;
                PERFORM offer_seats(v_entry, v_slot.slot_no, v_collected, v_entry.num_people - v_collected,
                    v_rule.offer_term, v_slot.closes_at);
                v_free := v_free - (v_entry.num_people - v_collected);
                v_offers := v_offers + 1;
            ELSIF v_entry.num_people > v_slot.max_capacity THEN
                CONTINUE;
            ELSIF v_collected > 0 OR (v_entry.collects_until IS NULL AND NOT v_head_passed
                    AND v_rule.patience > 0 AND v_entry.passed_over >= v_rule.patience) THEN
                PERFORM offer_seats(v_entry, v_slot.slot_no, v_collected, v_free, v_rule.offer_term, v_slot.closes_at);
                v_free := 0;
            ELSIF v_entry.collects_until IS NULL AND NOT v_head_passed THEN
                v_head_passed := true;
                IF p_is_release THEN
                    UPDATE waitlist_entry SET passed_over = passed_over + 1 WHERE id = v_entry.id;
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    RETURN v_offers;
END $$;

CREATE TABLE public.waitlist_entry (
    id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    requested_date date NOT NULL,
    slot_no bigint,
    num_people integer NOT NULL,
    customer_id text,
    customer_name text NOT NULL,
    customer_email text NOT NULL,
    customer_phone text,
    notes text,
    status public.waitlist_status DEFAULT 'active'::public.waitlist_status NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    closes_at timestamp with time zone NOT NULL,
    hold_id text COLLATE pg_catalog."C",
    offered_slot_no bigint,
    passed_over integer DEFAULT 0 NOT NULL,
    collects_until timestamp with time zone,
    notified_at timestamp with time zone,
    notification_expires_at timestamp with time zone,
    converted_at timestamp with time zone,
    booking_id text,
    closed_at timestamp with time zone,
    CONSTRAINT waitlist_entry_closed_once CHECK (((status = ANY (ARRAY['active'::public.waitlist_status, 'notified'::public.waitlist_status])) = (closed_at IS NULL))),
    CONSTRAINT waitlist_entry_notified_has_a_hold CHECK (((status <> 'notified'::public.waitlist_status) OR ((hold_id IS NOT NULL) AND (notification_expires_at IS NOT NULL)))),
    CONSTRAINT waitlist_entry_party CHECK ((num_people > 0))
);

CREATE FUNCTION public.offer_seats(p_entry public.waitlist_entry, p_slot_no bigint, p_collected integer, p_quantity integer, p_term interval, p_closes_at timestamp with time zone) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_is_whole boolean := p_collected + p_quantity >= p_entry.num_people;
    v_now timestamptz := clock_timestamp();
    v_until timestamptz := least(v_now + p_term, p_closes_at);
    v_hold_id text := p_entry.hold_id;
BEGIN
    IF NOT v_is_whole THEN
        -- A collection has one term, however often it grows.
        v_until := coalesce(p_entry.collects_until, v_until);
    END IF;
    IF p_collected > 0 THEN
        UPDATE hold SET quantity = p_collected + p_quantity, expires_at = v_until, hard_expires_at = v_until
        WHERE id = v_hold_id;
        UPDATE claim SET quantity = p_collected + p_quantity, expires_at = v_until
        WHERE hold_id = v_hold_id AND resource_id = p_entry.resource_id AND slot_no = p_slot_no;
    ELSE
        v_hold_id := new_id('hold');
        INSERT INTO hold (id, idempotency_scope, idempotency_key, request_hash, kind, resource_id, quantity, customer_email,
            term, created_at, expires_at, hard_expires_at)
        VALUES (v_hold_id, 'waitlist', v_hold_id, '\x', 'offer', p_entry.resource_id, p_quantity, p_entry.customer_email,
            v_until - v_now, v_now, v_until, v_until);
        INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state, expires_at)
        VALUES (v_hold_id, p_entry.resource_id, p_slot_no, p_quantity, 'held', v_until);
    END IF;
    UPDATE capacity SET held = held + p_quantity WHERE resource_id = p_entry.resource_id AND slot_no = p_slot_no;
    INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
    VALUES (v_hold_id, p_entry.resource_id, p_slot_no, p_quantity, 0, 'offer', 'waitlist');

    UPDATE waitlist_entry SET
        hold_id = v_hold_id,
        offered_slot_no = p_slot_no,
        status = CASE WHEN v_is_whole THEN 'notified' ELSE status END,
        notified_at = CASE WHEN v_is_whole THEN v_now END,
        notification_expires_at = CASE WHEN v_is_whole THEN v_until END,
        collects_until = CASE WHEN v_is_whole THEN collects_until ELSE v_until END
    WHERE id = p_entry.id;
    IF v_is_whole THEN
        PERFORM owe_waitlist_notice(p_entry.id, 'offered', v_hold_id);
    END IF;
    RETURN v_hold_id;
END $$;

CREATE FUNCTION public.open_slots(p_resources text[], p_slots bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
    JOIN resource r ON r.id = w.resource_id AND r.grain = 'quarter_hour' AND r.default_capacity IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM capacity c WHERE c.resource_id = w.resource_id AND c.slot_no = w.slot_no);
    IF NOT FOUND THEN RETURN; END IF;

    PERFORM FROM resource r WHERE r.id = ANY (p_resources) ORDER BY r.id FOR SHARE;
    INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)
    SELECT r.id, w.slot_no, (to_timestamp(w.slot_no * 900) AT TIME ZONE r.time_zone)::date, r.default_capacity
    FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
    JOIN resource r ON r.id = w.resource_id
    WHERE r.grain = 'quarter_hour' AND r.default_capacity IS NOT NULL
    ORDER BY r.id, w.slot_no
    ON CONFLICT (resource_id, slot_no) DO NOTHING;
END $$;

CREATE FUNCTION public.owe_booking_news() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO event (id, source, dedupe_key, type, queue, order_id, raw)
    SELECT new_id('evt'), 'bridge', 'booking.notify:' || new.n, 'booking.notify',
        'bridge.outgoing', a.order_id,
        convert_to(jsonb_build_object('booking_id', new.booking_id, 'change', new.n)::text, 'UTF8')
    FROM booking b LEFT JOIN allocation a ON a.hold_id = b.hold_id
    WHERE b.id = new.booking_id
    ON CONFLICT (source, dedupe_key) DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION public.owe_reservation_news() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO event (id, source, dedupe_key, type, queue, order_id, raw)
    SELECT new_id('evt'), 'bridge', 'reservation.notify:' || i.booking_number || ':' || pg_current_xact_id(),
        'reservation.notify', 'bridge.outgoing', new.order_id,
        convert_to(jsonb_build_object('booking_number', i.booking_number)::text, 'UTF8')
    FROM reservation_item i WHERE i.hold_id = new.hold_id
    ON CONFLICT (source, dedupe_key) DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION public.owe_waitlist_notice(p_entry_id text, p_what text, p_once text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO event (id, source, dedupe_key, type, queue, raw)
    VALUES (
        new_id('evt'), 'bridge', 'waitlist:' || p_entry_id || ':' || p_what || ':' || p_once, 'waitlist.notify',
        'bridge.outgoing', convert_to(jsonb_build_object('entry_id', p_entry_id, 'what', p_what, 'hold_id', p_once)::text, 'UTF8')
    )
    ON CONFLICT (source, dedupe_key) DO NOTHING;
END $$;

CREATE FUNCTION public.place_appointment(p_id text, p_hold_id text, p_booking_number text, p_staff_id text, p_staff_revision bigint, p_time_zone text, p_service_id text, p_service_revision bigint, p_start_at timestamp with time zone, p_slots bigint[], p_quantities integer[], p_deposit numeric, p_customer_id text, p_name text, p_email text, p_phone text, p_notes text, p_internal_notes text, p_metadata jsonb, p_hold_metadata jsonb, p_term interval, p_hard_term interval, p_actor text, OUT outcome text, OUT details jsonb, OUT display_id bigint, OUT created_at timestamp with time zone, OUT expires_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    v_service service;
    v_taken record;
BEGIN
    PERFORM FROM staff s JOIN resource r ON r.id = s.id
    WHERE s.id = p_staff_id AND s.revision = p_staff_revision AND r.time_zone = p_time_zone FOR SHARE OF s;
    IF NOT FOUND THEN outcome := 'stale'; RETURN; END IF;
    SELECT * INTO v_service FROM service v
    WHERE v.id = p_service_id AND v.revision = p_service_revision AND v.is_active AND v.deleted_at IS NULL;
    IF NOT FOUND THEN outcome := 'stale'; RETURN; END IF;
    outcome := CASE
        WHEN p_start_at <= now() THEN 'past'
        WHEN p_start_at < now() + v_service.notice_minutes * INTERVAL '1 minute' THEN 'too_late'
        WHEN (p_start_at AT TIME ZONE p_time_zone)::date > (now() AT TIME ZONE p_time_zone)::date + v_service.advance_days
            THEN 'too_far'
    END;
    IF outcome IS NOT NULL THEN RETURN; END IF;

    SELECT * INTO v_taken FROM place_hold(
        p_hold_id, 'appointment', p_id, '\x', 'appointment', p_booking_number, p_staff_id, 1, p_email, p_hold_metadata,
        p_term, p_hard_term, array_fill(p_staff_id, ARRAY[cardinality(p_slots)]), p_slots, p_quantities, p_actor
    );
    IF v_taken.outcome <> 'placed' THEN
        outcome := v_taken.outcome;
        details := v_taken.details;
        RETURN;
    END IF;

    INSERT INTO appointment (id, booking_number, hold_id, staff_id, service_id, customer_id, start_at, end_at,
        service_name, buffer_before_minutes, buffer_minutes, price_amount, currency_code, deposit_amount,
        free_cancellation_minutes, late_refund_percent, customer_name, customer_email, customer_phone, notes,
        internal_notes, metadata, changed_by, created_at)
    VALUES (p_id, p_booking_number, p_hold_id, p_staff_id, p_service_id, p_customer_id, p_start_at,
        p_start_at + v_service.duration_minutes * INTERVAL '1 minute', v_service.name, v_service.buffer_before_minutes,
        v_service.buffer_minutes, v_service.price, v_service.currency_code, p_deposit,
        v_service.free_cancellation_minutes, v_service.late_refund_percent, p_name, p_email, p_phone, p_notes,
        p_internal_notes, p_metadata, p_actor, v_taken.created_at)
    RETURNING appointment.display_id INTO display_id;
    created_at := v_taken.created_at;
    expires_at := v_taken.expires_at;
    outcome := 'placed';
END $$;

CREATE FUNCTION public.place_hold(p_hold_id text, p_scope text, p_key text, p_request_hash bytea, p_kind public.hold_kind, p_booking_number text, p_resource_id text, p_quantity integer, p_email text, p_metadata jsonb, p_term interval, p_hard_term interval, p_resources text[], p_slots bigint[], p_quantities integer[], p_actor text, OUT outcome text, OUT hold_id text, OUT created_at timestamp with time zone, OUT expires_at timestamp with time zone, OUT details jsonb) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.recount_slots(p_resources text[], p_slots bigint[]) RETURNS jsonb
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_changed jsonb;
    v_resources text[];
    v_slots bigint[];
BEGIN
    PERFORM lock_slots(p_resources, p_slots);
    WITH counted AS (
        SELECT c.resource_id, c.slot_no, c.held AS was_held, c.allocated AS was_allocated, c.overbooked AS was_overbooked,
            coalesce(k.held, 0) AS held, coalesce(k.allocated, 0) AS allocated,
            greatest(0, coalesce(k.held, 0) + coalesce(k.allocated, 0) - c.max_capacity) AS overbooked
        FROM (SELECT DISTINCT w.resource_id, w.slot_no FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)) w
        JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
        CROSS JOIN LATERAL (
            SELECT (sum(k.quantity) FILTER (WHERE k.state = 'held'))::integer AS held,
                (sum(k.quantity) FILTER (WHERE k.state = 'allocated'))::integer AS allocated
            FROM claim k WHERE k.resource_id = c.resource_id AND k.slot_no = c.slot_no AND k.state IN ('held', 'allocated')
        ) k
    ), changed AS (
        UPDATE capacity c SET held = n.held, allocated = n.allocated, overbooked = n.overbooked
        FROM counted n
        WHERE c.resource_id = n.resource_id AND c.slot_no = n.slot_no
            AND (n.held, n.allocated, n.overbooked) IS DISTINCT FROM (n.was_held, n.was_allocated, n.was_overbooked)
        RETURNING n.*
    )
    SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.resource_id, n.slot_no), '[]'),
        array_agg(n.resource_id) FILTER (WHERE n.held + n.allocated < n.was_held + n.was_allocated),
        array_agg(n.slot_no) FILTER (WHERE n.held + n.allocated < n.was_held + n.was_allocated)
    INTO v_changed, v_resources, v_slots
    FROM changed n;
    -- What turns out to be free is theirs who wait for it.
    IF v_resources IS NOT NULL THEN
        PERFORM offer_places(v_resources, v_slots);
    END IF;
    RETURN v_changed;
END $$;

CREATE FUNCTION public.release_hold(p_hold_id text, p_email text, p_reason text, p_actor text, OUT outcome text, OUT returned integer) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_hold hold;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.id = p_hold_id FOR UPDATE;
    IF NOT FOUND THEN outcome := 'not_found'; RETURN; END IF;
    IF v_hold.status <> 'ACTIVE' OR v_hold.expires_at <= now() THEN outcome := 'not_active'; RETURN; END IF;
    IF p_email <> lower(coalesce(v_hold.customer_email, '')) THEN outcome := 'wrong_customer'; RETURN; END IF;

    returned := settle_claims(ARRAY[p_hold_id], '{}', '{}', '{}', '{}', 'allocated', NULL, false, 'none', 'release',
        p_actor) ->> 'returned';
    UPDATE hold SET status = 'RELEASED', closed_at = clock_timestamp(), closed_reason = p_reason WHERE id = p_hold_id;
    outcome := 'released';
END $$;

CREATE FUNCTION public.reservation_fates(p_from timestamp with time zone, p_until timestamp with time zone, p_by_resource boolean) RETURNS TABLE(booking_number text, resource_id text, began_at timestamp with time zone, status text, fate text, paid_at timestamp with time zone, items bigint, items_paid bigint, items_left_unpaid bigint, is_late boolean, is_given_up boolean)
    LANGUAGE sql STABLE
    AS $$
    SELECT r.booking_number, CASE WHEN p_by_resource THEN coalesce(i.details ->> 'staff_id', h.resource_id) END,
        r.created_at,
        CASE WHEN bool_or(a.status = 'CONFIRMED' OR s.is_open OR o.has) THEN 'paid'
            WHEN bool_or(a.id IS NOT NULL OR r.order_id IS NOT NULL) THEN 'cancelled'
            WHEN r.released_at IS NOT NULL THEN 'released'
            WHEN r.expires_at <= now() THEN 'expired'
            WHEN bool_or(h.status = 'ACTIVE' AND h.expires_at > now()) THEN 'open'
            WHEN bool_or(h.status IN ('ACTIVE', 'EXPIRED')) THEN 'expired'
            ELSE 'open' END,
        CASE WHEN bool_or(coalesce(a.id, s.hold_id) IS NOT NULL OR o.at IS NOT NULL) THEN 'paid'
            WHEN bool_or(h.status = 'ACTIVE' AND h.expires_at > now()) THEN 'open'
            WHEN bool_or(h.status IN ('ACTIVE', 'EXPIRED')) THEN 'lapsed'
            WHEN bool_and(coalesce(h.closed_reason, '') IN ('blackout', 'delete', 'the departure was cancelled')) THEN 'withdrawn'
            ELSE 'abandoned' END,
        min(coalesce(a.created_at, s.at, o.at)),
        count(*),
        count(*) FILTER (WHERE a.id IS NOT NULL OR o.is_here),
        count(*) FILTER (WHERE a.id IS NULL AND o.is_here IS NOT TRUE AND i.dropped_at IS NULL),
        coalesce(bool_or(a.posted_late), false),
        bool_or(a.status = 'CONFIRMED' OR s.is_open OR o.has) IS NOT TRUE
    FROM reservation r
    JOIN reservation_item i ON i.booking_number = r.booking_number
    JOIN hold h ON h.id = i.hold_id
    LEFT JOIN allocation a ON a.hold_id = h.id
    LEFT JOIN (
        SELECT s.hold_id, min(s.created_at) AS at, bool_or(s.status = 'open') AS is_open FROM shortfall s GROUP BY s.hold_id
    ) s ON s.hold_id = h.id
    -- What was given back and is paid for all the same, is had or owed by a hold of the order's own.
    LEFT JOIN LATERAL (
        SELECT min(b.at) AS at, bool_or(b.stands) AS has, bool_or(b.is_had AND b.resource_id = h.resource_id) AS is_here
        FROM (
            SELECT p.created_at AS at, p.status = 'CONFIRMED' AS stands, true AS is_had, p.resource_id, p.hold_id
            FROM allocation p WHERE p.order_id = r.order_id AND p.source = r.source
            UNION ALL
            SELECT p.created_at, p.status = 'open', false, p.resource_id, p.hold_id
            FROM shortfall p WHERE p.order_id = r.order_id AND p.source = r.source
        ) b
        WHERE r.order_id IS NOT NULL AND (a.id IS NULL OR a.status = 'CANCELLED')
            AND (NOT p_by_resource OR b.resource_id = h.resource_id)
            AND NOT EXISTS (
                SELECT FROM reservation_item x WHERE x.hold_id = b.hold_id AND x.booking_number = r.booking_number)
    ) o ON true
    WHERE r.created_at >= p_from AND r.created_at < p_until
    GROUP BY 1, 2
$$;

CREATE TABLE public.reservation (
    booking_number text NOT NULL COLLATE pg_catalog."C",
    customer_email text,
    customer_name text,
    customer_phone text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    hard_expires_at timestamp with time zone NOT NULL,
    grace_given_at timestamp with time zone,
    released_at timestamp with time zone,
    source text,
    order_id text,
    ordered_at timestamp with time zone,
    CONSTRAINT reservation_ordered_once CHECK ((((order_id IS NULL) = (source IS NULL)) AND ((order_id IS NULL) = (ordered_at IS NULL)))),
    CONSTRAINT reservation_within_hard_cap CHECK ((expires_at <= hard_expires_at))
);

CREATE FUNCTION public.reservation_status(p_reservation public.reservation) RETURNS text
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_had boolean;
    v_has boolean;
    v_live boolean;
    v_lapsed boolean;
BEGIN
    SELECT coalesce(bool_or(a.id IS NOT NULL), false),
        coalesce(bool_or(a.status = 'CONFIRMED' OR s.id IS NOT NULL), false),
        coalesce(bool_or(h.status = 'ACTIVE' AND h.expires_at > now()), false),
        coalesce(bool_or(h.status = 'EXPIRED' OR h.status = 'ACTIVE' AND h.expires_at <= now()), false)
    INTO v_had, v_has, v_live, v_lapsed
    FROM hold h
    LEFT JOIN allocation a ON a.hold_id = h.id
    LEFT JOIN shortfall s ON s.hold_id = h.id AND s.status = 'open'
    -- Without it the comparison would be in the collation of the reservation, which no index of holds is in.
    WHERE h.booking_number = p_reservation.booking_number COLLATE "default";
    IF NOT v_has AND p_reservation.order_id IS NOT NULL THEN
        -- What somebody had given back is had again, or owed, by a hold of the order's own.
        v_had := true;
        v_has := EXISTS (
            SELECT FROM allocation a WHERE a.order_id = p_reservation.order_id AND a.source = p_reservation.source
                AND a.status = 'CONFIRMED'
            UNION ALL
            SELECT FROM shortfall s WHERE s.order_id = p_reservation.order_id AND s.source = p_reservation.source
                AND s.status = 'open');
    END IF;
    RETURN CASE
        WHEN v_has THEN 'paid'
        WHEN v_had THEN 'cancelled'
        WHEN p_reservation.released_at IS NOT NULL THEN 'released'
        WHEN p_reservation.expires_at <= now() OR v_lapsed AND NOT v_live THEN 'expired'
        ELSE 'open' END;
END $$;

CREATE FUNCTION public.seats_waited_for(p_resources text[], p_slots bigint[]) RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM unnest(p_resources, p_slots) AS w (resource_id, slot_no)
        JOIN capacity c ON c.resource_id = w.resource_id AND c.slot_no = w.slot_no
        JOIN waitlist_entry e ON e.resource_id = c.resource_id AND e.requested_date = c.on_date AND e.status = 'active'
        WHERE e.slot_no IS NULL OR e.slot_no = c.slot_no
    );
END $$;

CREATE FUNCTION public.settle_claims(p_hold_ids text[], p_target_holds text[], p_resources text[], p_slots bigint[], p_quantities integer[], p_state public.claim_state, p_expires_at timestamp with time zone, p_partial boolean, p_excess text, p_cause text, p_actor text) RETURNS jsonb
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    v_resources text[];
    v_slots bigint[];
    v_answer jsonb;
    v_freed_resources text[];
    v_freed_slots bigint[];
BEGIN
    SELECT array_agg(u.resource_id), array_agg(u.slot_no) INTO v_resources, v_slots
    FROM (
        SELECT k.resource_id, k.slot_no FROM claim k
        WHERE k.hold_id = ANY (p_hold_ids) AND k.state IN ('held', 'allocated')
        UNION
        SELECT t.resource_id, t.slot_no FROM unnest(p_resources, p_slots) AS t (resource_id, slot_no)
    ) u;
    IF v_resources IS NULL THEN
        RETURN jsonb_build_object('settled', true, 'taken', 0, 'returned', 0, 'missing', '[]'::jsonb);
    END IF;

    PERFORM open_slots(v_resources, v_slots);
    IF p_excess = 'force' THEN
        INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)
        SELECT r.id, w.slot_no, DATE '1970-01-01' + w.slot_no::integer, 0
        FROM unnest(v_resources, v_slots) AS w (resource_id, slot_no)
        JOIN resource r ON r.id = w.resource_id AND r.grain = 'day'
        ORDER BY r.id, w.slot_no
        ON CONFLICT (resource_id, slot_no) DO NOTHING;
    END IF;
    PERFORM lock_slots(v_resources, v_slots);
    PERFORM expire_claims(v_resources, v_slots, p_hold_ids);

    WITH target AS (
        SELECT t.hold_id, t.resource_id, t.slot_no, sum(t.quantity)::integer AS quantity
        FROM unnest(p_target_holds, p_resources, p_slots, p_quantities) AS t (hold_id, resource_id, slot_no, quantity)
        GROUP BY 1, 2, 3
    ), present AS (
        SELECT k.hold_id, k.resource_id, k.slot_no, k.quantity, k.state FROM claim k
        WHERE k.hold_id = ANY (p_hold_ids) AND k.state IN ('held', 'allocated')
    ), change AS (
        SELECT hold_id, resource_id, slot_no, p.state AS state,
            coalesce(p.quantity, 0) AS had, coalesce(t.quantity, 0) AS wanted
        FROM present p FULL JOIN target t USING (hold_id, resource_id, slot_no)
    ), room AS (
        -- What is free now, plus what these very holds give back on the slot.
        SELECT c.resource_id, c.slot_no, f.free, f.reason,
            CASE WHEN p_excess = 'force' THEN 2147483647
                 WHEN f.reason IS NOT NULL THEN 0
                 ELSE greatest(0, c.max_capacity - c.held - c.allocated + own.given_back
                     + CASE WHEN p_excess = 'policy' AND r.shortfall_policy = 'overbook' THEN r.overbook_limit ELSE 0 END)
                 END::bigint AS growth
        FROM capacity c
        JOIN free_slots(v_resources, v_slots) f ON f.resource_id = c.resource_id AND f.slot_no = c.slot_no
        JOIN resource r ON r.id = c.resource_id
        JOIN (
            SELECT g.resource_id, g.slot_no, sum(greatest(0, g.had - g.wanted)) AS given_back
            FROM change g GROUP BY 1, 2
        ) own ON own.resource_id = c.resource_id AND own.slot_no = c.slot_no
    ), granted AS (
        -- Growth is granted hold by hold until the slot is full.
        SELECT g.*, r.free, r.reason,
            least(g.had, g.wanted) + least(
                greatest(0, g.wanted - g.had)::bigint,
                greatest(0, coalesce(r.growth, 0) - coalesce(sum(greatest(0, g.wanted - g.had)) OVER (
                    PARTITION BY g.resource_id, g.slot_no ORDER BY g.hold_id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))
            )::integer AS got
        FROM change g LEFT JOIN room r ON r.resource_id = g.resource_id AND r.slot_no = g.slot_no
    ), verdict AS MATERIALIZED (
        SELECT p_partial OR coalesce(bool_and(g.got >= g.wanted), true) AS settled FROM granted g
    ), moved AS MATERIALIZED (
        SELECT g.*,
            CASE WHEN p_state = 'held' THEN g.got ELSE 0 END - CASE WHEN g.state = 'held' THEN g.had ELSE 0 END AS held_change,
            CASE WHEN p_state = 'allocated' THEN g.got ELSE 0 END - CASE WHEN g.state = 'allocated' THEN g.had ELSE 0 END
                AS allocated_change
        FROM granted g, verdict v WHERE v.settled
    ), counted AS (
        UPDATE capacity c SET
            held = c.held + m.held_change,
            allocated = c.allocated + m.allocated_change,
            -- Only a decision may raise it; giving back always lowers it.
            overbooked = CASE WHEN p_excess = 'none'
                THEN least(c.overbooked, greatest(0, c.held + c.allocated + m.held_change + m.allocated_change - c.max_capacity))
                ELSE greatest(0, c.held + c.allocated + m.held_change + m.allocated_change - c.max_capacity) END
        FROM (
            SELECT m.resource_id, m.slot_no, sum(m.held_change)::integer AS held_change,
                sum(m.allocated_change)::integer AS allocated_change
            FROM moved m GROUP BY 1, 2
        ) m
        WHERE c.resource_id = m.resource_id AND c.slot_no = m.slot_no AND (m.held_change <> 0 OR m.allocated_change <> 0)
    ), kept AS (
        INSERT INTO claim (hold_id, resource_id, slot_no, quantity, state, expires_at)
        SELECT m.hold_id, m.resource_id, m.slot_no, m.got, p_state, CASE WHEN p_state = 'held' THEN p_expires_at END
        FROM moved m WHERE m.got > 0
        ON CONFLICT (hold_id, resource_id, slot_no) DO UPDATE
            SET quantity = excluded.quantity, state = excluded.state, expires_at = excluded.expires_at
            WHERE (claim.quantity, claim.state, claim.expires_at)
                IS DISTINCT FROM (excluded.quantity, excluded.state, excluded.expires_at)
    ), dropped AS (
        UPDATE claim k SET state = 'released', expires_at = NULL
        FROM moved m WHERE m.got = 0 AND m.had > 0
            AND k.hold_id = m.hold_id AND k.resource_id = m.resource_id AND k.slot_no = m.slot_no
    ), noted AS (
        INSERT INTO journal (hold_id, resource_id, slot_no, held_change, allocated_change, cause, actor)
        SELECT m.hold_id, m.resource_id, m.slot_no, m.held_change, m.allocated_change, p_cause, p_actor
        FROM moved m WHERE m.held_change <> 0 OR m.allocated_change <> 0
    )
    SELECT jsonb_build_object(
        'settled', (SELECT v.settled FROM verdict v),
        'taken', (SELECT coalesce(sum(greatest(0, m.got - m.had)), 0) FROM moved m),
        'returned', (SELECT coalesce(sum(greatest(0, m.had - m.got)), 0) FROM moved m),
        'missing', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'hold_id', g.hold_id, 'resource_id', g.resource_id, 'slot_no', g.slot_no, 'quantity', g.wanted - g.got,
                'available', coalesce(g.free, 0), 'reason', g.reason
            ) ORDER BY g.resource_id, g.slot_no)
            FROM granted g WHERE g.got < g.wanted), '[]'::jsonb)
    ), f.resources, f.slots INTO v_answer, v_freed_resources, v_freed_slots
    FROM (
        SELECT array_agg(n.resource_id) AS resources, array_agg(n.slot_no) AS slots FROM (
            SELECT m.resource_id, m.slot_no FROM moved m
            GROUP BY 1, 2 HAVING sum(m.held_change + m.allocated_change) < 0
        ) n
    ) f;
    -- What is given back is theirs who wait for it, before the public sees it.
    IF v_freed_resources IS NOT NULL THEN
        PERFORM offer_places(v_freed_resources, v_freed_slots);
    END IF;
    RETURN v_answer;
END $$;

CREATE FUNCTION public.slots_fit(p_resources text[], p_slots bigint[], p_quantities integer[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM unnest(p_resources, p_slots, p_quantities) AS w (resource_id, slot_no, quantity)
        LEFT JOIN free_slots(p_resources, p_slots) f ON f.resource_id = w.resource_id AND f.slot_no = w.slot_no
        LEFT JOIN resource r ON r.id = w.resource_id AND r.is_active AND r.deleted_at IS NULL
        WHERE f.free IS NULL OR f.free < w.quantity OR r.id IS NULL
    );
END $$;

CREATE FUNCTION public.wants_type(p_types text[], p_type text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    v_wanted text;
BEGIN
    FOREACH v_wanted IN ARRAY p_types LOOP
        IF v_wanted IN ('*', p_type) OR (right(v_wanted, 2) = '.*' AND starts_with(p_type, left(v_wanted, -1))) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE TABLE public.allocation (
    id text NOT NULL COLLATE pg_catalog."C",
    hold_id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL,
    order_id text NOT NULL,
    line_item_id text,
    customer_email text,
    quantity integer NOT NULL,
    status public.allocation_status DEFAULT 'CONFIRMED'::public.allocation_status NOT NULL,
    posted_late boolean DEFAULT false NOT NULL,
    cancelled_by_admin integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    cancelled_at timestamp with time zone,
    cancel_reason text,
    CONSTRAINT allocation_cancelled_not_negative CHECK ((cancelled_by_admin >= 0)),
    CONSTRAINT allocation_cancelled_once CHECK (((status = 'CANCELLED'::public.allocation_status) = (cancelled_at IS NOT NULL))),
    CONSTRAINT allocation_quantity_not_negative CHECK ((quantity >= 0))
);

CREATE TABLE public.announcement (
    n bigint NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE public.announcement ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.announcement_n_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.api_key (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    prefix text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_key_scopes_known CHECK (((scopes <@ ARRAY['admin'::text, 'system'::text, 'ops'::text]) AND (scopes <> '{}'::text[])))
);

CREATE TABLE public.appointment (
    id text NOT NULL COLLATE pg_catalog."C",
    display_id bigint NOT NULL,
    booking_number text NOT NULL COLLATE pg_catalog."C",
    hold_id text NOT NULL COLLATE pg_catalog."C",
    staff_id text NOT NULL COLLATE pg_catalog."C",
    service_id text NOT NULL COLLATE pg_catalog."C",
    customer_id text,
    start_at timestamp with time zone NOT NULL,
    end_at timestamp with time zone NOT NULL,
    status public.appointment_status DEFAULT 'held'::public.appointment_status NOT NULL,
    service_name text NOT NULL,
    buffer_before_minutes integer NOT NULL,
    buffer_minutes integer NOT NULL,
    price_amount numeric NOT NULL,
    currency_code text NOT NULL,
    deposit_amount numeric,
    free_cancellation_minutes integer NOT NULL,
    late_refund_percent numeric NOT NULL,
    payment_mode text,
    amount_paid numeric,
    customer_name text,
    customer_email text,
    customer_phone text,
    notes text,
    internal_notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    cart_id text,
    cart_amount numeric,
    cart_wanted_until timestamp with time zone,
    sequence integer DEFAULT 0 NOT NULL,
    changed_by text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    settled_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    confirmed_at timestamp with time zone,
    completed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancellation_reason text,
    cancelled_by text,
    refund_amount numeric,
    CONSTRAINT appointment_cancelled_says_when CHECK (((status = 'cancelled'::public.appointment_status) = (cancelled_at IS NOT NULL))),
    CONSTRAINT appointment_payment_mode_known CHECK ((payment_mode = ANY (ARRAY['pay_in_store'::text, 'deposit'::text, 'full'::text]))),
    CONSTRAINT appointment_runs_forwards CHECK ((start_at < end_at))
);

CREATE TABLE public.appointment_change (
    n bigint NOT NULL,
    appointment_id text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    what text NOT NULL,
    actor text NOT NULL,
    reason text,
    old_value jsonb,
    new_value jsonb NOT NULL
);

ALTER TABLE public.appointment_change ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.appointment_change_n_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.appointment ALTER COLUMN display_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.appointment_display_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.hold (
    id text NOT NULL COLLATE pg_catalog."C",
    idempotency_scope text NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    kind public.hold_kind DEFAULT 'cart'::public.hold_kind NOT NULL,
    status public.hold_status DEFAULT 'ACTIVE'::public.hold_status NOT NULL,
    booking_number text,
    resource_id text NOT NULL COLLATE pg_catalog."C",
    quantity integer NOT NULL,
    customer_email text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    cart_id text,
    cart_updated_at timestamp with time zone,
    term interval NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    hard_expires_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    closed_reason text,
    CONSTRAINT hold_closed_once CHECK (((status = 'ACTIVE'::public.hold_status) = (closed_at IS NULL))),
    CONSTRAINT hold_quantity_positive CHECK ((quantity > 0)),
    CONSTRAINT hold_within_hard_cap CHECK ((expires_at <= hard_expires_at))
);

CREATE TABLE public.resource (
    id text NOT NULL COLLATE pg_catalog."C",
    type public.resource_type NOT NULL,
    grain public.grain DEFAULT 'day'::public.grain NOT NULL,
    name text NOT NULL,
    description text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    time_zone text NOT NULL,
    hold_minutes numeric,
    default_capacity integer,
    shortfall_policy public.shortfall_policy DEFAULT 'flag'::public.shortfall_policy NOT NULL,
    overbook_limit integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    price_per_person numeric,
    infants_take_seats boolean DEFAULT false NOT NULL,
    cancellation_policy jsonb,
    CONSTRAINT resource_default_capacity_not_negative CHECK ((default_capacity >= 0)),
    CONSTRAINT resource_hold_minutes_positive CHECK ((hold_minutes > (0)::numeric)),
    CONSTRAINT resource_overbook_limit_not_negative CHECK ((overbook_limit >= 0)),
    CONSTRAINT resource_price_not_negative CHECK ((price_per_person >= (0)::numeric))
);

CREATE VIEW public.appointment_now AS
 SELECT a.id,
    a.display_id,
    a.booking_number,
    a.hold_id,
    a.staff_id,
    r.name AS staff_name,
    r.time_zone,
    a.service_id,
    a.customer_id,
    a.start_at,
    a.end_at,
        CASE
            WHEN l.lapsed THEN 'cancelled'::text
            ELSE (a.status)::text
        END AS status,
        CASE
            WHEN ((a.status = 'held'::public.appointment_status) AND (NOT l.lapsed)) THEN h.expires_at
            ELSE NULL::timestamp with time zone
        END AS hold_expires_at,
    a.service_name,
    a.buffer_before_minutes,
    a.buffer_minutes,
    a.price_amount,
    a.currency_code,
    a.deposit_amount,
    a.free_cancellation_minutes,
    a.late_refund_percent,
    a.payment_mode,
    a.amount_paid,
    a.refund_amount,
    a.customer_name,
    a.customer_email,
    a.customer_phone,
    a.notes,
    a.internal_notes,
    a.metadata,
    a.cart_id,
    a.cart_amount,
    a.sequence,
    a.created_at,
    a.updated_at,
    a.confirmed_at,
    a.completed_at,
    now() AS read_at,
        CASE
            WHEN l.lapsed THEN h.expires_at
            ELSE a.cancelled_at
        END AS cancelled_at,
        CASE
            WHEN l.lapsed THEN 'expired'::text
            ELSE a.cancellation_reason
        END AS cancellation_reason,
    p.id AS allocation_id,
    p.source AS order_source,
        CASE
            WHEN (p.source <> 'bridge'::text) THEN p.order_id
            ELSE NULL::text
        END AS order_id,
    p.line_item_id
   FROM ((((public.appointment a
     JOIN public.hold h ON ((h.id = a.hold_id)))
     JOIN public.resource r ON ((r.id = a.staff_id)))
     LEFT JOIN public.allocation p ON ((p.hold_id = a.hold_id)))
     CROSS JOIN LATERAL ( SELECT ((a.status = 'held'::public.appointment_status) AND (h.expires_at <= now())) AS lapsed) l);

CREATE TABLE public.appointment_transition (
    from_status public.appointment_status NOT NULL,
    to_status public.appointment_status NOT NULL
);

CREATE TABLE public.attempt (
    event_id text NOT NULL COLLATE pg_catalog."C",
    n integer NOT NULL,
    worker text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    outcome text,
    error_code text,
    error text,
    traceback text,
    http_status integer,
    answer text
);

CREATE TABLE public.audit (
    checked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    only_row boolean DEFAULT true NOT NULL,
    seconds double precision NOT NULL,
    drift integer NOT NULL,
    findings jsonb NOT NULL,
    goes_on_at jsonb,
    round_ended_at timestamp with time zone,
    CONSTRAINT audit_only_row_check CHECK (only_row)
);

CREATE TABLE public.blackout (
    id text NOT NULL COLLATE pg_catalog."C",
    resource_id text COLLATE pg_catalog."C",
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    reason text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    blackout_type public.blackout_type DEFAULT 'custom'::public.blackout_type NOT NULL,
    name text,
    description text,
    is_active boolean DEFAULT true NOT NULL,
    CONSTRAINT blackout_ends_after_it_starts CHECK ((ends_on >= starts_on))
);

CREATE TABLE public.booking (
    id text NOT NULL COLLATE pg_catalog."C",
    reference text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    slot_no bigint NOT NULL,
    hold_id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL,
    customer_id text,
    status public.booking_status DEFAULT 'pending'::public.booking_status NOT NULL,
    num_adults integer NOT NULL,
    num_children integer NOT NULL,
    num_infants integer NOT NULL,
    seats integer NOT NULL,
    currency_code text NOT NULL,
    price_per_adult numeric NOT NULL,
    price_per_child numeric NOT NULL,
    price_per_infant numeric NOT NULL,
    subtotal numeric NOT NULL,
    discount_amount numeric NOT NULL,
    tax_rate numeric NOT NULL,
    tax_amount numeric NOT NULL,
    total_amount numeric NOT NULL,
    customer_name text NOT NULL,
    customer_email text,
    customer_phone text,
    special_requirements text,
    dietary_restrictions text,
    accessibility_needs text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    modified_at timestamp with time zone,
    confirmed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancellation_reason text,
    cancelled_by text,
    refund_amount numeric,
    CONSTRAINT booking_cancelled_says_when CHECK (((status = ANY (ARRAY['cancelled'::public.booking_status, 'refunded'::public.booking_status])) = (cancelled_at IS NOT NULL))),
    CONSTRAINT booking_party_not_negative CHECK (((num_adults >= 0) AND (num_children >= 0) AND (num_infants >= 0))),
    CONSTRAINT booking_prices_add_up CHECK (((((subtotal - discount_amount) + tax_amount) = total_amount) AND (total_amount >= (0)::numeric))),
    CONSTRAINT booking_takes_a_seat CHECK ((seats > 0))
);

CREATE TABLE public.booking_change (
    n bigint NOT NULL,
    booking_id text NOT NULL COLLATE pg_catalog."C",
    modified_by text NOT NULL,
    modification_type text NOT NULL,
    old_value jsonb NOT NULL,
    new_value jsonb NOT NULL,
    reason text,
    ip_address text,
    user_agent text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT booking_change_type_known CHECK ((modification_type = ANY (ARRAY['status_change'::text, 'date_change'::text, 'party_change'::text, 'details_change'::text, 'cancellation'::text])))
);

ALTER TABLE public.booking_change ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.booking_change_n_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.slot (
    slot_no bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    schedule_id text COLLATE pg_catalog."C",
    slot_date date NOT NULL,
    start_time time without time zone NOT NULL,
    time_zone text NOT NULL,
    duration_minutes integer NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    end_time time without time zone NOT NULL,
    min_capacity integer NOT NULL,
    price_per_person numeric NOT NULL,
    withdrawn_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancellation_reason text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT slot_price_not_negative CHECK ((price_per_person >= (0)::numeric))
);

CREATE VIEW public.booking_now AS
 SELECT b.id,
    b.reference,
    b.resource_id,
    r.name AS tour_name,
    s.id AS slot_id,
    b.slot_no,
    s.slot_date,
    s.start_time,
    s.end_time,
    s.time_zone,
    s.starts_at,
    s.ends_at,
    b.hold_id,
    b.source,
    b.customer_id,
        CASE
            WHEN ((b.status = 'pending'::public.booking_status) AND (h.expires_at <= now())) THEN 'cancelled'::text
            ELSE (b.status)::text
        END AS status,
    b.num_adults,
    b.num_children,
    b.num_infants,
    b.seats,
    b.currency_code,
    b.price_per_adult,
    b.price_per_child,
    b.price_per_infant,
    b.subtotal,
    b.discount_amount,
    b.tax_rate,
    b.tax_amount,
    b.total_amount,
    b.customer_name,
    b.customer_email,
    b.customer_phone,
    b.special_requirements,
    b.dietary_restrictions,
    b.accessibility_needs,
    b.created_at,
    b.modified_at,
    b.confirmed_at,
        CASE
            WHEN ((b.status = 'pending'::public.booking_status) AND (h.expires_at <= now())) THEN h.expires_at
            ELSE b.cancelled_at
        END AS cancelled_at,
        CASE
            WHEN ((b.status = 'pending'::public.booking_status) AND (h.expires_at <= now())) THEN 'expired'::text
            ELSE b.cancellation_reason
        END AS cancellation_reason,
    b.cancelled_by,
    b.refund_amount,
        CASE
            WHEN (b.status = 'pending'::public.booking_status) THEN h.expires_at
            ELSE NULL::timestamp with time zone
        END AS hold_expires_at,
    a.source AS order_source,
        CASE
            WHEN (a.source <> 'bridge'::text) THEN a.order_id
            ELSE NULL::text
        END AS order_id,
    a.line_item_id
   FROM ((((public.booking b
     JOIN public.resource r ON ((r.id = b.resource_id)))
     JOIN public.slot s ON ((s.slot_no = b.slot_no)))
     JOIN public.hold h ON ((h.id = b.hold_id)))
     LEFT JOIN public.allocation a ON ((a.hold_id = b.hold_id)));

CREATE TABLE public.booking_transition (
    from_status public.booking_status NOT NULL,
    to_status public.booking_status NOT NULL
);

CREATE TABLE public.capacity (
    resource_id text NOT NULL COLLATE pg_catalog."C",
    slot_no bigint NOT NULL,
    on_date date NOT NULL,
    max_capacity integer NOT NULL,
    held integer DEFAULT 0 NOT NULL,
    allocated integer DEFAULT 0 NOT NULL,
    overbooked integer DEFAULT 0 NOT NULL,
    closed boolean DEFAULT false NOT NULL,
    CONSTRAINT capacity_not_negative CHECK (((max_capacity >= 0) AND (held >= 0) AND (allocated >= 0) AND (overbooked >= 0))),
    CONSTRAINT never_overbook CHECK (((held + allocated) <= (max_capacity + overbooked)))
)
WITH (fillfactor='50');

CREATE TABLE public.checkout (
    id text NOT NULL COLLATE pg_catalog."C",
    booking_number text NOT NULL COLLATE pg_catalog."C",
    platform text NOT NULL,
    hold_ids text[] NOT NULL,
    claimed_until timestamp with time zone,
    reference text,
    url text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT checkout_platform_known CHECK ((platform = ANY (ARRAY['medusa'::text, 'stripe'::text])))
);

CREATE TABLE public.claim (
    hold_id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    slot_no bigint NOT NULL,
    quantity integer NOT NULL,
    state public.claim_state NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT claim_expires_while_held CHECK (((state = 'held'::public.claim_state) = (expires_at IS NOT NULL))),
    CONSTRAINT claim_quantity_positive CHECK ((quantity > 0))
);

CREATE TABLE public.event (
    id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL,
    dedupe_key text NOT NULL,
    type text NOT NULL,
    queue text NOT NULL,
    order_id text,
    status public.event_status DEFAULT 'pending'::public.event_status NOT NULL,
    outcome text,
    raw bytea NOT NULL,
    edited_payload bytea,
    headers jsonb DEFAULT '{}'::jsonb NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_left integer DEFAULT 16 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    rings integer DEFAULT 0 NOT NULL,
    rung_at timestamp with time zone,
    claimed_by text,
    claimed_until timestamp with time zone,
    error_code text,
    error text,
    duplicates integer DEFAULT 0 NOT NULL,
    request_id text,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    webhook_id text COLLATE pg_catalog."C",
    CONSTRAINT event_finished_unless_pending CHECK (((status = 'pending'::public.event_status) = (finished_at IS NULL)))
)
WITH (autovacuum_vacuum_scale_factor='0.005', autovacuum_vacuum_threshold='1000');

CREATE TABLE public.idempotency_key (
    scope text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    body bytea,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.journal (
    n bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    hold_id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    slot_no bigint NOT NULL,
    held_change integer NOT NULL,
    allocated_change integer NOT NULL,
    cause text NOT NULL,
    actor text NOT NULL
);

ALTER TABLE public.journal ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.journal_n_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.migration (
    name text NOT NULL,
    digest text,
    applied_at timestamp with time zone DEFAULT now()
);

CREATE TABLE public.opening_rule (
    id text NOT NULL COLLATE pg_catalog."C",
    staff_id text NOT NULL COLLATE pg_catalog."C",
    rule_type public.rule_type NOT NULL,
    day_of_week smallint,
    specific_date date,
    opens integer NOT NULL,
    closes integer NOT NULL,
    is_available boolean NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT opening_rule_blocked_is_not_available CHECK (((rule_type <> 'blocked'::public.rule_type) OR (NOT is_available))),
    CONSTRAINT opening_rule_day_of_a_week CHECK (((day_of_week >= 0) AND (day_of_week <= 6))),
    CONSTRAINT opening_rule_runs_forwards CHECK (((opens >= 0) AND (opens < closes) AND (closes <= 1440))),
    CONSTRAINT opening_rule_says_when CHECK ((((rule_type = 'recurring'::public.rule_type) = (day_of_week IS NOT NULL)) AND ((rule_type = 'recurring'::public.rule_type) = (specific_date IS NULL))))
);

CREATE TABLE public.ops_action (
    n bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    reason text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE public.ops_action ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ops_action_n_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.ops_user (
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_login_at timestamp with time zone
);

CREATE TABLE public.paused_queue (
    name text NOT NULL,
    paused_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    paused_by text NOT NULL
);

CREATE TABLE public.platform_cursor (
    source text NOT NULL,
    seen_until timestamp with time zone NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    compared_to text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.platform_order (
    source text NOT NULL,
    id text NOT NULL,
    version integer,
    updated_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    facts jsonb,
    first_seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reconciled_at timestamp with time zone
);

CREATE TABLE public.process (
    kind text NOT NULL,
    name text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    progressed_at timestamp with time zone,
    state jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE public.refusal (
    resource_id text NOT NULL COLLATE pg_catalog."C",
    on_date date NOT NULL,
    reason text NOT NULL,
    share smallint NOT NULL,
    n integer NOT NULL
);

CREATE TABLE public.reservation_item (
    hold_id text NOT NULL COLLATE pg_catalog."C",
    booking_number text NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    title text NOT NULL,
    details jsonb NOT NULL,
    term interval NOT NULL,
    line_quantity integer NOT NULL,
    unit_price numeric,
    currency_code text NOT NULL,
    variant_id text,
    dropped_at timestamp with time zone,
    told_as text,
    CONSTRAINT reservation_item_price_not_negative CHECK ((unit_price >= (0)::numeric)),
    CONSTRAINT reservation_item_quantity_positive CHECK ((line_quantity > 0)),
    CONSTRAINT reservation_item_told_as_known CHECK ((told_as = ANY (ARRAY['confirmed'::text, 'short'::text])))
);

CREATE SEQUENCE public.revision
    START WITH 1000000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.schedule (
    id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    start_time time without time zone NOT NULL,
    duration_minutes integer NOT NULL,
    recurrence public.recurrence NOT NULL,
    weekdays smallint[] DEFAULT '{}'::smallint[] NOT NULL,
    custom_rule jsonb,
    max_capacity integer NOT NULL,
    min_capacity integer NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    price_override numeric,
    is_active boolean DEFAULT true NOT NULL,
    filled_until date,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT schedule_capacity_in_order CHECK (((0 <= min_capacity) AND (min_capacity <= max_capacity) AND (max_capacity > 0))),
    CONSTRAINT schedule_duration_positive CHECK ((duration_minutes > 0)),
    CONSTRAINT schedule_ends_after_it_starts CHECK ((valid_until >= valid_from)),
    CONSTRAINT schedule_price_not_negative CHECK ((price_override >= (0)::numeric)),
    CONSTRAINT schedule_rule_where_custom CHECK (((recurrence = 'custom'::public.recurrence) = (custom_rule IS NOT NULL)))
);

CREATE TABLE public.service (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    description text,
    duration_minutes integer NOT NULL,
    buffer_before_minutes integer DEFAULT 0 NOT NULL,
    buffer_minutes integer DEFAULT 0 NOT NULL,
    price numeric NOT NULL,
    currency_code text NOT NULL,
    deposit_type public.deposit_type DEFAULT 'none'::public.deposit_type NOT NULL,
    deposit_value numeric,
    payment_modes_allowed text[] DEFAULT '{pay_in_store}'::text[] NOT NULL,
    notice_minutes integer DEFAULT 0 NOT NULL,
    advance_days integer,
    free_cancellation_minutes integer DEFAULT 0 NOT NULL,
    late_refund_percent numeric DEFAULT 0 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    revision bigint DEFAULT nextval('public.revision'::regclass) NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT service_deposit_has_a_value CHECK (((deposit_type = 'none'::public.deposit_type) = (deposit_value IS NULL))),
    CONSTRAINT service_late_refund_is_a_part CHECK (((late_refund_percent >= (0)::numeric) AND (late_refund_percent <= (100)::numeric))),
    CONSTRAINT service_minutes_not_negative CHECK (((duration_minutes > 0) AND (buffer_before_minutes >= 0) AND (buffer_minutes >= 0) AND (notice_minutes >= 0) AND (free_cancellation_minutes >= 0))),
    CONSTRAINT service_payment_modes_known CHECK (((payment_modes_allowed <@ ARRAY['pay_in_store'::text, 'deposit'::text, 'full'::text]) AND (payment_modes_allowed <> '{}'::text[]))),
    CONSTRAINT service_price_not_negative CHECK ((price >= (0)::numeric))
);

CREATE TABLE public.shortfall (
    id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL,
    order_id text NOT NULL,
    line_item_id text NOT NULL,
    hold_id text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    missing jsonb NOT NULL,
    alternatives jsonb DEFAULT '[]'::jsonb NOT NULL,
    status public.shortfall_status DEFAULT 'open'::public.shortfall_status NOT NULL,
    policy public.shortfall_policy NOT NULL,
    action public.shortfall_action,
    note text,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT shortfall_closed_by_an_action CHECK (((status = 'open'::public.shortfall_status) = (action IS NULL))),
    CONSTRAINT shortfall_closed_once CHECK (((status = 'open'::public.shortfall_status) = (closed_at IS NULL)))
);

CREATE TABLE public.slot_cancellation (
    slot_no bigint NOT NULL,
    reason text NOT NULL,
    alternative_slot_no bigint,
    actor text NOT NULL,
    bookings integer NOT NULL,
    cancelled integer DEFAULT 0 NOT NULL,
    moved integer DEFAULT 0 NOT NULL,
    holds_released integer DEFAULT 0 NOT NULL,
    refunds integer DEFAULT 0 NOT NULL,
    waitlist_closed integer DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT slot_cancellation_elsewhere CHECK ((alternative_slot_no <> slot_no))
);

ALTER TABLE public.slot ALTER COLUMN slot_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.slot_slot_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.staff (
    id text NOT NULL COLLATE pg_catalog."C",
    email text,
    phone text,
    bio text,
    avatar_url text,
    service_ids text[] DEFAULT '{}'::text[] NOT NULL,
    revision bigint DEFAULT nextval('public.revision'::regclass) NOT NULL
);

CREATE TABLE public.waitlist_rule (
    only_row boolean DEFAULT true NOT NULL,
    is_automatic boolean DEFAULT true NOT NULL,
    offer_term interval DEFAULT '24:00:00'::interval NOT NULL,
    cutoff interval DEFAULT '24:00:00'::interval NOT NULL,
    patience integer DEFAULT 3 NOT NULL,
    CONSTRAINT waitlist_rule_only_row_check CHECK (only_row),
    CONSTRAINT waitlist_rule_patience_check CHECK ((patience >= 0))
);

CREATE TABLE public.webhook (
    id text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL,
    types text[] NOT NULL,
    description text,
    secret text NOT NULL,
    old_secret text,
    old_secret_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    disabled_at timestamp with time zone,
    disabled_reason text,
    failures integer DEFAULT 0 NOT NULL,
    failing_since timestamp with time zone,
    retry_at timestamp with time zone,
    succeeded_at timestamp with time zone,
    failed_at timestamp with time zone,
    last_error text,
    CONSTRAINT webhook_disabled_for_a_reason CHECK (((disabled_at IS NULL) = (disabled_reason IS NULL))),
    CONSTRAINT webhook_failing_counts CHECK (((failures = 0) = (failing_since IS NULL))),
    CONSTRAINT webhook_old_secret_ends CHECK (((old_secret IS NULL) = (old_secret_until IS NULL))),
    CONSTRAINT webhook_types_named CHECK ((types <> '{}'::text[]))
);

ALTER TABLE ONLY public.allocation
    ADD CONSTRAINT allocation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.allocation
    ADD CONSTRAINT allocation_posts_a_hold_once UNIQUE (hold_id);

ALTER TABLE ONLY public.announcement
    ADD CONSTRAINT announcement_once UNIQUE (key);

ALTER TABLE ONLY public.announcement
    ADD CONSTRAINT announcement_pkey PRIMARY KEY (n);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_digest UNIQUE (digest);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.appointment_change
    ADD CONSTRAINT appointment_change_pkey PRIMARY KEY (n);

ALTER TABLE ONLY public.appointment
    ADD CONSTRAINT appointment_display_id UNIQUE (display_id);

ALTER TABLE ONLY public.appointment
    ADD CONSTRAINT appointment_per_hold UNIQUE (hold_id);

ALTER TABLE ONLY public.appointment
    ADD CONSTRAINT appointment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.appointment_transition
    ADD CONSTRAINT appointment_transition_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (event_id, n);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.blackout
    ADD CONSTRAINT blackout_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.booking_change
    ADD CONSTRAINT booking_change_pkey PRIMARY KEY (n);

ALTER TABLE ONLY public.booking
    ADD CONSTRAINT booking_per_hold UNIQUE (hold_id);

ALTER TABLE ONLY public.booking
    ADD CONSTRAINT booking_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.booking
    ADD CONSTRAINT booking_reference UNIQUE (reference);

ALTER TABLE ONLY public.booking_transition
    ADD CONSTRAINT booking_transition_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY public.capacity
    ADD CONSTRAINT capacity_pkey PRIMARY KEY (resource_id, slot_no);

ALTER TABLE ONLY public.checkout
    ADD CONSTRAINT checkout_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.claim
    ADD CONSTRAINT claim_pkey PRIMARY KEY (hold_id, resource_id, slot_no);

ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_once UNIQUE (source, dedupe_key);

ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_idempotency UNIQUE (idempotency_scope, idempotency_key);

ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (n);

ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.opening_rule
    ADD CONSTRAINT opening_rule_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ops_action
    ADD CONSTRAINT ops_action_pkey PRIMARY KEY (n);

ALTER TABLE ONLY public.ops_user
    ADD CONSTRAINT ops_user_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.paused_queue
    ADD CONSTRAINT paused_queue_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.platform_cursor
    ADD CONSTRAINT platform_cursor_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.platform_order
    ADD CONSTRAINT platform_order_pkey PRIMARY KEY (source, id);

ALTER TABLE ONLY public.process
    ADD CONSTRAINT process_pkey PRIMARY KEY (kind, name);

ALTER TABLE ONLY public.refusal
    ADD CONSTRAINT refusal_pkey PRIMARY KEY (resource_id, on_date, reason, share);

ALTER TABLE ONLY public.reservation_item
    ADD CONSTRAINT reservation_item_pkey PRIMARY KEY (hold_id);

ALTER TABLE ONLY public.reservation_item
    ADD CONSTRAINT reservation_item_position UNIQUE (booking_number, "position");

ALTER TABLE ONLY public.reservation
    ADD CONSTRAINT reservation_pkey PRIMARY KEY (booking_number);

ALTER TABLE ONLY public.resource
    ADD CONSTRAINT resource_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.service
    ADD CONSTRAINT service_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.shortfall
    ADD CONSTRAINT shortfall_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.slot_cancellation
    ADD CONSTRAINT slot_cancellation_pkey PRIMARY KEY (slot_no);

ALTER TABLE ONLY public.slot
    ADD CONSTRAINT slot_id UNIQUE (id);

ALTER TABLE ONLY public.slot
    ADD CONSTRAINT slot_once UNIQUE (resource_id, slot_date, start_time);

ALTER TABLE ONLY public.slot
    ADD CONSTRAINT slot_pkey PRIMARY KEY (slot_no);

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.waitlist_entry
    ADD CONSTRAINT waitlist_entry_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.waitlist_rule
    ADD CONSTRAINT waitlist_rule_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT webhook_pkey PRIMARY KEY (id);

CREATE INDEX allocation_by_order ON public.allocation USING btree (order_id, line_item_id);

CREATE INDEX allocation_listing ON public.allocation USING btree (resource_id, created_at DESC);

CREATE INDEX allocation_recent ON public.allocation USING btree (created_at DESC, id DESC);

CREATE INDEX appointment_by_customer ON public.appointment USING btree (customer_id, start_at) WHERE (customer_id IS NOT NULL);

CREATE INDEX appointment_by_number ON public.appointment USING btree (booking_number);

CREATE INDEX appointment_by_staff ON public.appointment USING btree (staff_id, start_at);

CREATE INDEX appointment_by_start ON public.appointment USING btree (start_at, id);

CREATE INDEX appointment_change_by_appointment ON public.appointment_change USING btree (appointment_id, n);

CREATE INDEX blackout_by_resource ON public.blackout USING btree (resource_id, ends_on) WHERE (deleted_at IS NULL);

CREATE INDEX booking_by_customer ON public.booking USING btree (customer_id, created_at DESC) WHERE (customer_id IS NOT NULL);

CREATE INDEX booking_by_resource ON public.booking USING btree (resource_id, created_at DESC, id DESC);

CREATE INDEX booking_by_slot ON public.booking USING btree (slot_no);

CREATE INDEX booking_cancelled_by ON public.booking USING btree (cancelled_by) WHERE (status = ANY (ARRAY['cancelled'::public.booking_status, 'refunded'::public.booking_status]));

CREATE INDEX booking_change_by_booking ON public.booking_change USING btree (booking_id, n);

CREATE INDEX booking_confirmed_at ON public.booking USING btree (confirmed_at, created_at) WHERE (confirmed_at IS NOT NULL);

CREATE INDEX booking_recent ON public.booking USING btree (created_at DESC, id DESC);

CREATE INDEX booking_to_travel ON public.booking USING btree (slot_no) WHERE (status = 'confirmed'::public.booking_status);

CREATE INDEX checkout_by_reservation ON public.checkout USING btree (booking_number, created_at DESC);

CREATE UNIQUE INDEX checkout_one_open ON public.checkout USING btree (booking_number) WHERE (closed_at IS NULL);

CREATE INDEX claim_allocated ON public.claim USING btree (resource_id, slot_no) WHERE (state = 'allocated'::public.claim_state);

CREATE INDEX claim_lapse ON public.claim USING btree (resource_id, slot_no, expires_at) WHERE (state = 'held'::public.claim_state);

CREATE INDEX event_by_order ON public.event USING btree (order_id, received_at DESC) WHERE (order_id IS NOT NULL);

CREATE INDEX event_by_status ON public.event USING btree (status, received_at DESC, id DESC);

CREATE INDEX event_by_type ON public.event USING btree (type, received_at DESC, id DESC);

CREATE INDEX event_by_webhook ON public.event USING btree (webhook_id, received_at DESC, id DESC) WHERE (webhook_id IS NOT NULL);

CREATE INDEX event_claimed ON public.event USING btree (claimed_by) WHERE ((status = 'pending'::public.event_status) AND (claimed_by IS NOT NULL));

CREATE INDEX event_due ON public.event USING btree (queue, next_attempt_at) WHERE (status = 'pending'::public.event_status);

CREATE INDEX event_due_by_webhook ON public.event USING btree (webhook_id, next_attempt_at) WHERE ((status = 'pending'::public.event_status) AND (webhook_id IS NOT NULL));

CREATE INDEX event_failed ON public.event USING btree (queue) WHERE (status = 'failed'::public.event_status);

CREATE INDEX event_failed_by_webhook ON public.event USING btree (webhook_id) WHERE ((status = 'failed'::public.event_status) AND (webhook_id IS NOT NULL));

CREATE INDEX event_listing ON public.event USING btree (received_at DESC, id DESC);

CREATE INDEX event_rung ON public.event USING btree (queue, rung_at) WHERE ((status = 'pending'::public.event_status) AND (rung_at IS NOT NULL));

CREATE INDEX event_under_way_by_webhook ON public.event USING btree (webhook_id) WHERE ((status = 'pending'::public.event_status) AND (webhook_id IS NOT NULL) AND ((rung_at IS NOT NULL) OR (claimed_by IS NOT NULL)));

CREATE INDEX hold_active_expires_at ON public.hold USING btree (expires_at) WHERE (status = 'ACTIVE'::public.hold_status);

CREATE INDEX hold_by_booking_number ON public.hold USING btree (booking_number) WHERE (booking_number IS NOT NULL);

CREATE INDEX hold_by_cart ON public.hold USING btree (cart_id) WHERE ((cart_id IS NOT NULL) AND (status = 'ACTIVE'::public.hold_status));

CREATE INDEX hold_created_at ON public.hold USING brin (created_at);

CREATE INDEX hold_reserved ON public.hold USING btree (resource_id, booking_number) WHERE (booking_number IS NOT NULL);

CREATE INDEX idempotency_key_age ON public.idempotency_key USING btree (created_at);

CREATE INDEX journal_by_hold ON public.journal USING btree (hold_id);

CREATE INDEX opening_rule_by_staff ON public.opening_rule USING btree (staff_id, day_of_week, specific_date);

CREATE INDEX ops_action_by_target ON public.ops_action USING btree (target, n);

CREATE INDEX platform_order_reconciled_at ON public.platform_order USING btree (reconciled_at);

CREATE INDEX refusal_on_date ON public.refusal USING btree (on_date);

CREATE INDEX reservation_by_email ON public.reservation USING btree (customer_email, created_at DESC) WHERE (customer_email IS NOT NULL);

CREATE INDEX reservation_by_order ON public.reservation USING btree (order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX reservation_expires_at ON public.reservation USING btree (expires_at);

CREATE INDEX reservation_listing ON public.reservation USING btree (created_at DESC, booking_number DESC);

CREATE INDEX resource_listing ON public.resource USING btree (created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX schedule_by_resource ON public.schedule USING btree (resource_id, created_at DESC);

CREATE INDEX schedule_to_fill ON public.schedule USING btree (filled_until NULLS FIRST) WHERE (is_active AND (deleted_at IS NULL));

CREATE INDEX service_listing ON public.service USING btree (created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX shortfall_by_hold ON public.shortfall USING btree (hold_id);

CREATE INDEX shortfall_by_order ON public.shortfall USING btree (source, order_id);

CREATE INDEX shortfall_listing ON public.shortfall USING btree (created_at DESC, id DESC);

CREATE UNIQUE INDEX shortfall_one_open_per_hold ON public.shortfall USING btree (hold_id) WHERE (status = 'open'::public.shortfall_status);

CREATE INDEX slot_by_schedule ON public.slot USING btree (schedule_id, slot_date);

CREATE INDEX slot_starts_at ON public.slot USING btree (starts_at);

CREATE INDEX waitlist_entry_by_customer ON public.waitlist_entry USING btree (customer_id, created_at DESC) WHERE (customer_id IS NOT NULL);

CREATE INDEX waitlist_entry_by_hold ON public.waitlist_entry USING btree (hold_id) WHERE (hold_id IS NOT NULL);

CREATE INDEX waitlist_entry_closing ON public.waitlist_entry USING btree (closes_at) WHERE (status = 'active'::public.waitlist_status);

CREATE INDEX waitlist_entry_converted ON public.waitlist_entry USING btree (id) WHERE (status = 'converted'::public.waitlist_status);

CREATE INDEX waitlist_entry_listing ON public.waitlist_entry USING btree (created_at DESC, id DESC);

CREATE INDEX waitlist_entry_queue ON public.waitlist_entry USING btree (resource_id, requested_date, priority DESC, created_at, id) WHERE (status = 'active'::public.waitlist_status);

CREATE UNIQUE INDEX waitlist_entry_waits_once ON public.waitlist_entry USING btree (resource_id, requested_date, customer_email) WHERE (status = ANY (ARRAY['active'::public.waitlist_status, 'notified'::public.waitlist_status]));

CREATE CONSTRAINT TRIGGER allocation_is_changed AFTER UPDATE OF status, quantity ON public.allocation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.status <> old.status) OR (new.quantity <> old.quantity))) EXECUTE FUNCTION public.announce_allocation();

CREATE CONSTRAINT TRIGGER allocation_is_made AFTER INSERT ON public.allocation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.status = 'CONFIRMED'::public.allocation_status)) EXECUTE FUNCTION public.announce_allocation();

CREATE TRIGGER appointment_follows_allocation AFTER UPDATE OF status ON public.allocation FOR EACH ROW WHEN ((new.status <> old.status)) EXECUTE FUNCTION public.follow_appointment_allocation();

CREATE TRIGGER appointment_follows_hold AFTER UPDATE OF status ON public.hold FOR EACH ROW WHEN (((new.status <> old.status) AND (new.kind = ANY (ARRAY['appointment'::public.hold_kind, 'order'::public.hold_kind])))) EXECUTE FUNCTION public.follow_appointment_hold();

CREATE TRIGGER appointment_is_changed AFTER UPDATE OF status, start_at, staff_id ON public.appointment FOR EACH ROW WHEN (((new.status <> old.status) OR (new.start_at <> old.start_at) OR (new.staff_id <> old.staff_id))) EXECUTE FUNCTION public.note_appointment();

CREATE TRIGGER appointment_is_checked BEFORE UPDATE OF status, start_at, staff_id ON public.appointment FOR EACH ROW EXECUTE FUNCTION public.check_appointment();

CREATE TRIGGER appointment_is_made AFTER INSERT ON public.appointment FOR EACH ROW EXECUTE FUNCTION public.note_appointment();

CREATE TRIGGER booking_change_is_told AFTER INSERT ON public.booking_change FOR EACH ROW EXECUTE FUNCTION public.owe_booking_news();

CREATE TRIGGER booking_follows_allocation AFTER UPDATE OF status, quantity ON public.allocation FOR EACH ROW WHEN (((new.status <> old.status) OR (new.quantity <> old.quantity))) EXECUTE FUNCTION public.follow_booking_allocation();

CREATE TRIGGER booking_follows_hold AFTER UPDATE OF status ON public.hold FOR EACH ROW WHEN (((new.status <> old.status) AND (new.kind = 'booking'::public.hold_kind))) EXECUTE FUNCTION public.follow_booking_hold();

CREATE TRIGGER booking_transition_is_allowed BEFORE UPDATE OF status ON public.booking FOR EACH ROW WHEN ((new.status <> old.status)) EXECUTE FUNCTION public.check_booking_transition();

CREATE CONSTRAINT TRIGGER capacity_is_depleted AFTER UPDATE ON public.capacity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((((new.held + new.allocated) >= new.max_capacity) AND ((old.held + old.allocated) < old.max_capacity))) EXECUTE FUNCTION public.announce_depletion();

CREATE CONSTRAINT TRIGGER hold_is_closed AFTER UPDATE OF status ON public.hold DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.status <> old.status) AND (new.status <> 'ACTIVE'::public.hold_status) AND (new.kind <> 'order'::public.hold_kind))) EXECUTE FUNCTION public.announce_hold();

CREATE CONSTRAINT TRIGGER hold_is_placed AFTER INSERT ON public.hold DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.status = 'ACTIVE'::public.hold_status) AND (new.kind <> 'order'::public.hold_kind))) EXECUTE FUNCTION public.announce_hold();

CREATE TRIGGER offer_is_closed AFTER UPDATE OF status ON public.hold FOR EACH ROW WHEN (((old.kind = 'offer'::public.hold_kind) AND (new.kind = 'offer'::public.hold_kind) AND (new.status <> old.status))) EXECUTE FUNCTION public.follow_offer();

CREATE TRIGGER reservation_is_paid AFTER INSERT ON public.allocation FOR EACH ROW EXECUTE FUNCTION public.owe_reservation_news();

CREATE TRIGGER reservation_is_whole AFTER UPDATE OF status ON public.shortfall FOR EACH ROW WHEN ((new.action = 'retry'::public.shortfall_action)) EXECUTE FUNCTION public.owe_reservation_news();

ALTER TABLE ONLY public.allocation
    ADD CONSTRAINT allocation_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id);

ALTER TABLE ONLY public.allocation
    ADD CONSTRAINT allocation_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.appointment_change
    ADD CONSTRAINT appointment_change_appointment_id_fkey FOREIGN KEY (appointment_id) REFERENCES public.appointment(id);

ALTER TABLE ONLY public.appointment
    ADD CONSTRAINT appointment_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id);

ALTER TABLE ONLY public.appointment
    ADD CONSTRAINT appointment_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.appointment
    ADD CONSTRAINT appointment_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES public.staff(id);

ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.event(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.blackout
    ADD CONSTRAINT blackout_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.booking_change
    ADD CONSTRAINT booking_change_booking_id_fkey FOREIGN KEY (booking_id) REFERENCES public.booking(id);

ALTER TABLE ONLY public.booking
    ADD CONSTRAINT booking_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id);

ALTER TABLE ONLY public.booking
    ADD CONSTRAINT booking_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.booking
    ADD CONSTRAINT booking_slot_no_fkey FOREIGN KEY (slot_no) REFERENCES public.slot(slot_no);

ALTER TABLE ONLY public.capacity
    ADD CONSTRAINT capacity_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.checkout
    ADD CONSTRAINT checkout_booking_number_fkey FOREIGN KEY (booking_number) REFERENCES public.reservation(booking_number) ON DELETE CASCADE;

ALTER TABLE ONLY public.claim
    ADD CONSTRAINT claim_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.claim
    ADD CONSTRAINT claim_resource_id_slot_no_fkey FOREIGN KEY (resource_id, slot_no) REFERENCES public.capacity(resource_id, slot_no);

ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.opening_rule
    ADD CONSTRAINT opening_rule_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES public.staff(id);

ALTER TABLE ONLY public.reservation_item
    ADD CONSTRAINT reservation_item_booking_number_fkey FOREIGN KEY (booking_number) REFERENCES public.reservation(booking_number) ON DELETE CASCADE;

ALTER TABLE ONLY public.reservation_item
    ADD CONSTRAINT reservation_item_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT schedule_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.shortfall
    ADD CONSTRAINT shortfall_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id);

ALTER TABLE ONLY public.shortfall
    ADD CONSTRAINT shortfall_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.shortfall
    ADD CONSTRAINT shortfall_source_order_id_fkey FOREIGN KEY (source, order_id) REFERENCES public.platform_order(source, id);

ALTER TABLE ONLY public.slot_cancellation
    ADD CONSTRAINT slot_cancellation_alternative_slot_no_fkey FOREIGN KEY (alternative_slot_no) REFERENCES public.slot(slot_no);

ALTER TABLE ONLY public.slot_cancellation
    ADD CONSTRAINT slot_cancellation_slot_no_fkey FOREIGN KEY (slot_no) REFERENCES public.slot(slot_no);

ALTER TABLE ONLY public.slot
    ADD CONSTRAINT slot_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.slot
    ADD CONSTRAINT slot_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES public.schedule(id);

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_id_fkey FOREIGN KEY (id) REFERENCES public.resource(id);

ALTER TABLE ONLY public.waitlist_entry
    ADD CONSTRAINT waitlist_entry_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.hold(id);

ALTER TABLE ONLY public.waitlist_entry
    ADD CONSTRAINT waitlist_entry_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES public.resource(id);
