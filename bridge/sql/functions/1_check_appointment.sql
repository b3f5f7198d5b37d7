-- Lets an appointment come to no status but those that appointment_transition names, and stamps when it did.
CREATE OR REPLACE FUNCTION check_appointment() RETURNS trigger
LANGUAGE plpgsql AS $$
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
