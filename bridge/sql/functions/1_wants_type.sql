-- Whether somebody who subscribed to these types wants to hear of one: '*' is all, 'booking.*' all that begin so.
CREATE OR REPLACE FUNCTION wants_type(p_types text[], p_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT p_type = ANY (p_types) OR '*' = ANY (p_types) OR EXISTS (
        SELECT FROM unnest(p_types) AS t (pattern) WHERE right(t.pattern, 2) = '.*' AND starts_with(p_type, left(t.pattern, -1))
    );
$$;
