-- Writes down what became of an appointment, and owes those it concerns the news (tasks/appointments.py).
CREATE OR REPLACE FUNCTION note_appointment() RETURNS trigger
LANGUAGE plpgsql AS $$
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
