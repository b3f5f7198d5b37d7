-- name: insert_rule
INSERT INTO opening_rule (id, staff_id, rule_type, day_of_week, specific_date, opens, closes, is_available, metadata)
VALUES (%(id)s, %(staff_id)s, %(rule_type)s, %(day_of_week)s, %(specific_date)s, %(opens)s, %(closes)s, %(is_available)s,
    %(metadata)s);

-- name: find_rule
SELECT o.id, o.staff_id, o.rule_type::text AS rule_type, o.day_of_week, o.specific_date, o.opens, o.closes, o.is_available,
    o.metadata, o.created_at
FROM opening_rule o WHERE o.id = %(rule_id)s;

-- name: list_rules
-- Week first, then dates; within a day by time.
SELECT o.id, o.staff_id, o.rule_type::text AS rule_type, o.day_of_week, o.specific_date, o.opens, o.closes, o.is_available,
    o.metadata, o.created_at
FROM opening_rule o WHERE o.staff_id = ANY (%(staff_ids)s)
ORDER BY o.day_of_week NULLS LAST, o.specific_date, o.opens, o.id;

-- name: update_rule
UPDATE opening_rule SET
    rule_type = %(rule_type)s,
    day_of_week = %(day_of_week)s,
    specific_date = %(specific_date)s,
    opens = %(opens)s,
    closes = %(closes)s,
    is_available = %(is_available)s,
    metadata = %(metadata)s
WHERE id = %(id)s;

-- name: delete_rule
DELETE FROM opening_rule WHERE id = %(rule_id)s;

-- name: raise_revision
-- Waits for whoever books this member of staff right now, and is waited for by whoever comes: see staff.revision.
UPDATE staff s SET revision = nextval('revision')
FROM resource r WHERE s.id = %(staff_id)s AND r.id = s.id AND r.deleted_at IS NULL;

-- name: list_booked
-- What is booked or held of a member of staff and has not ended, with what decides whether it could be booked now:
-- whether they still do it, and what of the day it takes.
SELECT a.id, a.booking_number, a.staff_id, a.service_id, a.service_name, a.start_at, a.end_at, a.status::text AS status,
    a.customer_name, a.customer_email, a.buffer_before_minutes, a.buffer_minutes, r.time_zone,
    (extract(epoch FROM a.end_at - a.start_at) / 60)::integer AS duration_minutes,
    r.is_active AND r.deleted_at IS NULL AND (s.service_ids = '{}' OR a.service_id = ANY (s.service_ids)) AS is_done
FROM appointment a
JOIN hold h ON h.id = a.hold_id
JOIN staff s ON s.id = a.staff_id
JOIN resource r ON r.id = a.staff_id
WHERE a.staff_id = %(staff_id)s AND a.end_at > now()
    AND (a.status = 'confirmed' OR (a.status = 'held' AND h.expires_at > now()))
ORDER BY a.start_at, a.id;
