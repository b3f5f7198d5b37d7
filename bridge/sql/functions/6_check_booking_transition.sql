-- The table of transitions, also against whoever writes past core: anything else is an error, and nothing is changed.
-- What people decided stays decided: only what lapsed, or what an order gave up, may an order take up again.
CREATE OR REPLACE FUNCTION check_booking_transition() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM booking_transition t WHERE t.from_status = old.status AND t.to_status = new.status
    ) OR (old.status = 'cancelled' AND new.status = 'confirmed' AND old.cancelled_by NOT IN ('clock', 'order')) THEN
        RAISE EXCEPTION 'a % booking cannot become %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'booking_transition_is_allowed';
    END IF;
    RETURN new;
END $$;
