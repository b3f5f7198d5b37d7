-- Holds a member of staff's time for an appointment and books it, or nothing: one round trip.
-- What was computed from rules holds good while they are of the revisions given, which is seen to under their lock: who
-- changes them waits for this, or this finds another revision.
-- Outcomes: placed · stale (the staff, the zone or the service was changed) · past · too_late (for the notice that the
-- service needs) · too_far (ahead) · resource_not_found · short (details describes each slot wanted).
CREATE OR REPLACE FUNCTION place_appointment(
    p_id text, p_hold_id text, p_booking_number text, p_staff_id text, p_staff_revision bigint, p_time_zone text,
    p_service_id text, p_service_revision bigint, p_start_at timestamptz, p_slots bigint[], p_quantities integer[], p_deposit numeric,
    p_customer_id text, p_name text, p_email text, p_phone text, p_notes text, p_internal_notes text, p_metadata jsonb,
    p_hold_metadata jsonb,    p_term interval, p_hard_term interval, p_actor text,
    OUT outcome text, OUT details jsonb, OUT display_id bigint, OUT created_at timestamptz, OUT expires_at timestamptz
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
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
