-- Writes an announcement, once for each key, if anybody wants to hear of its type; answers whether it was written.
-- Whoever subscribes later does not hear of it. With no webhooks it reads an empty table.
CREATE OR REPLACE FUNCTION announce(p_type text, p_data jsonb, p_key text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO announcement (key, type, data)
    SELECT p_key, p_type, p_data
    WHERE EXISTS (SELECT FROM webhook w WHERE w.disabled_at IS NULL AND wants_type(w.types, p_type))
    ON CONFLICT (key) DO NOTHING;
    RETURN FOUND;
END $$;
