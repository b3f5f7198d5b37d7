-- name: keep_rule
-- The settings, where the ledger's functions read them. Written only when they have changed.
UPDATE waitlist_rule SET is_automatic = %(is_automatic)s, offer_term = %(offer_term)s, cutoff = %(cutoff)s, patience = %(patience)s
WHERE (is_automatic, offer_term, cutoff, patience)
    IS DISTINCT FROM (%(is_automatic)s, %(offer_term)s::interval, %(cutoff)s::interval, %(patience)s);

-- name: list_waited_slots
-- Departures that somebody waits for: of a tour or of all, on dates or on any.
SELECT DISTINCT c.resource_id, c.slot_no FROM waitlist_entry e
JOIN capacity c ON c.resource_id = e.resource_id AND c.on_date = e.requested_date AND (e.slot_no IS NULL OR e.slot_no = c.slot_no)
WHERE e.status = 'active' AND e.closes_at > now()
    AND (%(tour_id)s::text IS NULL OR e.resource_id = %(tour_id)s)
    AND (%(starts_on)s::date IS NULL OR e.requested_date >= %(starts_on)s)
    AND (%(ends_on)s::date IS NULL OR e.requested_date <= %(ends_on)s)
ORDER BY c.resource_id, c.slot_no;

-- name: lock_slots
-- See functions/2_lock_slots.sql.
SELECT lock_slots(%(resources)s, %(slots)s);

-- name: offer_places
-- See functions/4_offer_places.sql.
SELECT offer_places(%(resources)s, %(slots)s, %(is_release)s) AS offers;

-- name: find_waiting
-- An entry, and whether anything can be offered to it.
SELECT e.status::text AS status, e.resource_id, e.requested_date, e.slot_no, e.num_people, e.hold_id
FROM waitlist_entry e WHERE e.id = %(entry_id)s;

-- name: offer_by_hand
-- All its seats for one entry, though others wait before it. The caller has locked the departure.
SELECT offer_seats(e, %(slot_no)s, 0, e.num_people, r.offer_term, %(closes_at)s) AS hold_id
FROM (
    SELECT * FROM waitlist_entry WHERE id = %(entry_id)s AND status = 'active' AND hold_id IS NULL FOR UPDATE
) e
CROSS JOIN waitlist_rule r;

-- name: expire_entries
-- Entries that nothing can be offered any more. The answer: which.
UPDATE waitlist_entry SET status = 'expired', closed_at = clock_timestamp()
WHERE id IN (
    SELECT e.id FROM waitlist_entry e WHERE e.status = 'active' AND e.closes_at <= now() AND e.hold_id IS NULL
    ORDER BY e.closes_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, owe_waitlist_notice(id, 'expired', id);
