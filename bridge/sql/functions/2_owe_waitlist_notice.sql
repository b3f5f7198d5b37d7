-- Owes people a word of what became of an entry of the waitlist, once: tasks/waitlist.py writes the mail and announces.
CREATE OR REPLACE FUNCTION owe_waitlist_notice(p_entry_id text, p_what text, p_once text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (id, source, dedupe_key, type, queue, raw)
    VALUES (
        new_id('evt'), 'bridge', 'waitlist:' || p_entry_id || ':' || p_what || ':' || p_once, 'waitlist.notify',
        'bridge.outgoing', convert_to(jsonb_build_object('entry_id', p_entry_id, 'what', p_what, 'hold_id', p_once)::text, 'UTF8')
    )
    ON CONFLICT (source, dedupe_key) DO NOTHING;
END $$;
