-- name: find_tour
SELECT r.id FROM resource r
WHERE r.id = %(tour_id)s AND r.type = 'TOUR' AND r.grain = 'departure' AND r.is_active AND r.deleted_at IS NULL;

-- name: find_slots
-- What somebody may wait for: the departures of a tour's date, or the one named, without any lock.
SELECT s.slot_no FROM slot s
WHERE s.resource_id = %(tour_id)s AND s.slot_date = %(requested_date)s
    AND (%(slot_no)s::bigint IS NULL OR s.slot_no = %(slot_no)s)
ORDER BY s.slot_no;

-- name: find_slot
-- The departure somebody names.
SELECT s.slot_no, s.slot_date FROM slot s
WHERE s.id = %(slot_id)s AND s.resource_id = %(tour_id)s;

-- name: lock_slots
-- Their capacity rows, locked in the one order, with what had lapsed given back: nobody takes or frees a seat meanwhile.
SELECT lock_slots(%(resources)s, %(slots)s), expire_claims(%(resources)s, %(slots)s);

-- name: list_slots
-- The departures as they may be sold this second, why not, and until when somebody may wait for them.
SELECT s.id AS slot_id, s.slot_no, s.start_time, s.end_time, s.starts_at - r.cutoff AS closes_at, c.max_capacity, f.free,
    coalesce(CASE WHEN s.cancelled_at IS NOT NULL THEN 'slot_cancelled' END, f.reason,
        booking_window(s.starts_at, s.slot_date, s.time_zone, r.cutoff, %(advance_days)s)) AS reason
FROM free_slots(%(resources)s, %(slots)s) f
JOIN capacity c ON c.resource_id = f.resource_id AND c.slot_no = f.slot_no
JOIN slot s ON s.slot_no = f.slot_no
CROSS JOIN waitlist_rule r
ORDER BY s.starts_at, s.slot_no;

-- name: insert_entry
-- Nobody stands in one queue twice: then there is no row.
INSERT INTO waitlist_entry (id, resource_id, requested_date, slot_no, num_people, customer_id, customer_name,
    customer_email, customer_phone, notes, closes_at)
VALUES (%(id)s, %(tour_id)s, %(requested_date)s, %(slot_no)s, %(num_people)s, %(customer_id)s, %(customer_name)s,
    %(customer_email)s, %(customer_phone)s, %(notes)s, %(closes_at)s)
ON CONFLICT (resource_id, requested_date, customer_email) WHERE status IN ('active', 'notified') DO NOTHING
RETURNING id;

-- name: find_live_entry
-- The entry with which somebody stands in the queue of a date already.
SELECT e.id, e.slot_no, e.num_people FROM waitlist_entry e
WHERE e.resource_id = %(tour_id)s AND e.requested_date = %(requested_date)s AND e.customer_email = %(customer_email)s
    AND e.status IN ('active', 'notified');

-- name: read_entries
-- Entries as they stand this second: an offer past its time is expired, swept or not. The position counts those who
-- may be offered one of the same departures before.
SELECT e.id, e.resource_id AS tour_id, r.name AS tour_name, r.time_zone, e.requested_date, d.id AS booking_slot_id,
    e.num_people, e.customer_id, e.customer_name, e.customer_email, e.customer_phone, e.notes, e.priority, e.created_at,
    CASE WHEN e.status = 'notified' AND e.notification_expires_at <= now() THEN 'expired'
         WHEN e.status = 'active' AND e.closes_at <= now() THEN 'expired'
         ELSE e.status::text END AS status,
    CASE WHEN e.status = 'active' THEN (
        SELECT count(*) + 1 FROM waitlist_entry o
        WHERE o.resource_id = e.resource_id AND o.requested_date = e.requested_date AND o.status = 'active' AND o.id <> e.id
            AND (o.slot_no IS NULL OR e.slot_no IS NULL OR o.slot_no = e.slot_no)
            AND (-o.priority, o.created_at, o.id) < (-e.priority, e.created_at, e.id)
    ) END AS position,
    e.hold_id, e.offered_slot_no, o.id AS offered_slot_id, o.starts_at AS offered_starts_at,
    e.notified_at, e.notification_expires_at, e.converted_at, e.booking_id
FROM waitlist_entry e
JOIN resource r ON r.id = e.resource_id
LEFT JOIN slot d ON d.slot_no = e.slot_no
LEFT JOIN slot o ON o.slot_no = e.offered_slot_no AND e.status <> 'active'
WHERE e.id = ANY (%(entry_ids)s)
ORDER BY e.created_at DESC, e.id DESC;

-- name: list_entries
-- A page of entries, the newest first. By the status that is written: what has lapsed a moment ago is tidied in seconds.
SELECT e.id FROM waitlist_entry e
WHERE (%(tour_id)s::text IS NULL OR e.resource_id = %(tour_id)s)
    AND (%(requested_date)s::date IS NULL OR e.requested_date = %(requested_date)s)
    AND (%(status)s::text IS NULL OR e.status::text = %(status)s)
    AND (%(customer_id)s::text IS NULL OR e.customer_id = %(customer_id)s)
ORDER BY e.created_at DESC, e.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_entries
-- By the same filters as list_entries.
SELECT count(*) AS count FROM waitlist_entry e
WHERE (%(tour_id)s::text IS NULL OR e.resource_id = %(tour_id)s)
    AND (%(requested_date)s::date IS NULL OR e.requested_date = %(requested_date)s)
    AND (%(status)s::text IS NULL OR e.status::text = %(status)s)
    AND (%(customer_id)s::text IS NULL OR e.customer_id = %(customer_id)s);

-- name: leave_queue
-- Takes an entry out that nothing is held for, or nothing any more. No row: something is, or it is closed.
UPDATE waitlist_entry SET status = 'cancelled', closed_at = clock_timestamp()
WHERE id = %(entry_id)s AND status = 'active' AND (hold_id IS NULL OR collects_until <= now())
RETURNING id;

-- name: lock_offer
-- The hold of an entry, before any capacity row; no row when it is closed, or was accepted.
SELECT h.id FROM hold h WHERE h.id = %(hold_id)s AND h.kind = 'offer' AND h.status = 'ACTIVE' FOR UPDATE;

-- name: accept_offer
-- See functions/4_accept_offer.sql.
SELECT accept_offer(%(hold_id)s, %(term)s, %(hard_term)s) AS outcome;

-- name: convert_entry
UPDATE waitlist_entry SET status = 'converted', converted_at = clock_timestamp(), closed_at = clock_timestamp(),
    booking_id = %(booking_id)s
WHERE id = %(entry_id)s AND status = 'notified';

-- name: set_priority
UPDATE waitlist_entry SET priority = %(priority)s WHERE id = %(entry_id)s RETURNING id;

-- name: owe_notice
-- See functions/2_owe_waitlist_notice.sql.
SELECT owe_waitlist_notice(%(entry_id)s, %(what)s, %(once)s);
