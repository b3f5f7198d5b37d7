-- A fresh id such as `hold_01J…`, as bridge/ids.py makes them: 48 bits of milliseconds and 80 random ones, in Crockford's
-- base 32. For rows that the database makes by itself.
CREATE OR REPLACE FUNCTION new_id(p_prefix text) RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT p_prefix || '_' || string_agg(
        substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(b.bits FROM 5 * n + 1 FOR 5)::bit(5)::integer + 1, 1), '' ORDER BY n
    )
    FROM (
        SELECT B'00' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint::bit(48)
            -- The ends of two UUIDs: in between stand bits that are always the same.
            || ('x' || left(gen_random_uuid()::text, 8) || right(gen_random_uuid()::text, 12))::bit(80) AS bits
    ) b, generate_series(0, 25) AS n;
$$;
