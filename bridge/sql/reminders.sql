-- name: owe_reminders
-- One reminder for each time of a confirmed appointment that is near, and was settled before it was. Answers how many.
WITH due AS (
    SELECT a.id, a.start_at,
        'appointment.remind:' || a.id || ':' || extract(epoch FROM a.start_at)::bigint || ':' || %(lead)s::interval AS dedupe_key
    FROM appointment a
    WHERE a.start_at > now() + %(nearer)s::interval AND a.start_at <= now() + %(lead)s::interval
        AND a.status = 'confirmed' AND a.customer_email IS NOT NULL AND a.settled_at <= a.start_at - %(lead)s::interval
), fresh AS (
    SELECT d.* FROM due d
    WHERE NOT EXISTS (SELECT FROM event e WHERE e.source = 'bridge' AND e.dedupe_key = d.dedupe_key)
    LIMIT %(limit)s
)
INSERT INTO event (id, source, dedupe_key, type, queue, raw)
SELECT new_id('evt'), 'bridge', f.dedupe_key, 'appointment.remind', 'bridge.outgoing',
    convert_to(jsonb_build_object('appointment_id', f.id, 'start_at', extract(epoch FROM f.start_at)::bigint)::text, 'UTF8')
FROM fresh f
ON CONFLICT (source, dedupe_key) DO NOTHING;
