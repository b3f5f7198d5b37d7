-- Whether somebody who subscribed to these types wants to hear of one: '*' is all, 'booking.*' all that begin so.
-- Not in SQL: its plan would be made anew with each sale.
CREATE OR REPLACE FUNCTION wants_type(p_types text[], p_type text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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
