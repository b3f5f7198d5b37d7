-- name: insert_schedule
INSERT INTO schedule (id, resource_id, name, start_time, duration_minutes, recurrence, weekdays, custom_rule, max_capacity,
    min_capacity, valid_from, valid_until, price_override, is_active)
VALUES (%(id)s, %(resource_id)s, %(name)s, %(start_time)s, %(duration_minutes)s, %(recurrence)s, %(weekdays)s, %(custom_rule)s,
    %(max_capacity)s, %(min_capacity)s, %(valid_from)s, %(valid_until)s, %(price_override)s, %(is_active)s);

-- name: find_schedule
-- With what its departures take from the tour.
SELECT s.id, s.resource_id, s.name, s.start_time, s.duration_minutes, s.recurrence::text AS recurrence, s.weekdays,
    s.custom_rule, s.max_capacity, s.min_capacity, s.valid_from, s.valid_until, s.price_override, s.is_active, s.filled_until,
    s.created_at, s.updated_at, r.time_zone, coalesce(s.price_override, r.price_per_person) AS price_per_person
FROM schedule s JOIN resource r ON r.id = s.resource_id
WHERE s.id = %(schedule_id)s AND s.deleted_at IS NULL;

-- name: list_schedules
-- A page of schedules, newest first, with how many there are in all.
SELECT s.id, s.resource_id, s.name, s.start_time, s.duration_minutes, s.recurrence::text AS recurrence, s.weekdays,
    s.custom_rule, s.max_capacity, s.min_capacity, s.valid_from, s.valid_until, s.price_override, s.is_active, s.filled_until,
    s.created_at, s.updated_at, r.time_zone, coalesce(s.price_override, r.price_per_person) AS price_per_person,
    count(*) OVER () AS total
FROM schedule s JOIN resource r ON r.id = s.resource_id
WHERE s.deleted_at IS NULL
    AND (%(resource_id)s::text IS NULL OR s.resource_id = %(resource_id)s)
    AND (%(is_active)s::boolean IS NULL OR s.is_active = %(is_active)s)
ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s OFFSET %(offset)s;

-- name: update_schedule
UPDATE schedule SET name = %(name)s, start_time = %(start_time)s, duration_minutes = %(duration_minutes)s,
    recurrence = %(recurrence)s, weekdays = %(weekdays)s, custom_rule = %(custom_rule)s, max_capacity = %(max_capacity)s,
    min_capacity = %(min_capacity)s, valid_from = %(valid_from)s, valid_until = %(valid_until)s,
    price_override = %(price_override)s, is_active = %(is_active)s, updated_at = clock_timestamp()
WHERE id = %(id)s;

-- name: delete_schedule
UPDATE schedule SET deleted_at = clock_timestamp(), is_active = false, updated_at = clock_timestamp() WHERE id = %(id)s;

-- name: sell_by_departure
-- From the first schedule on a tour is sold by the departure. Only one that never had a day open: what is sold stays so.
UPDATE resource r SET grain = 'departure', updated_at = clock_timestamp()
WHERE r.id = %(resource_id)s AND r.grain = 'day' AND NOT EXISTS (SELECT FROM capacity c WHERE c.resource_id = r.id);

-- name: list_unfilled
-- Schedules whose departures do not reach the horizon yet: those that reach least far first.
SELECT s.id FROM schedule s JOIN resource r ON r.id = s.resource_id AND r.deleted_at IS NULL
WHERE s.is_active AND s.deleted_at IS NULL AND coalesce(s.price_override, r.price_per_person) IS NOT NULL
    AND (s.filled_until IS NULL
        OR s.filled_until < least((now() AT TIME ZONE r.time_zone)::date + %(advance_days)s::integer, s.valid_until))
ORDER BY s.filled_until NULLS FIRST, s.id LIMIT %(limit)s;

-- name: note_filled
UPDATE schedule SET filled_until = %(filled_until)s WHERE id = %(id)s;

-- name: list_closed_dates
-- The dates of a range on which blackouts close a resource.
SELECT greatest(b.starts_on, %(start_date)s::date) AS starts_on, least(b.ends_on, %(end_date)s::date) AS ends_on
FROM blackout b
WHERE b.deleted_at IS NULL AND b.is_active AND (b.resource_id = %(resource_id)s OR b.resource_id IS NULL)
    AND b.ends_on >= %(start_date)s AND b.starts_on <= %(end_date)s;

-- name: insert_slots
-- The departures of these dates that the tour does not have yet, and those it had withdrawn, with their seats. In the
-- order of their numbers, which is the order of everybody's locks.
WITH made AS (
    INSERT INTO slot (id, resource_id, schedule_id, slot_date, start_time, time_zone, duration_minutes, starts_at, ends_at,
        end_time, min_capacity, price_per_person)
    SELECT w.id, %(resource_id)s, %(schedule_id)s, w.slot_date, %(start_time)s, %(time_zone)s, %(duration_minutes)s, w.starts_at,
        w.ends_at, w.end_time, %(min_capacity)s, %(price_per_person)s
    FROM unnest(%(ids)s::text[], %(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(end_times)s::time[])
        AS w (id, slot_date, starts_at, ends_at, end_time)
    ORDER BY w.slot_date
    ON CONFLICT (resource_id, slot_date, start_time) DO UPDATE SET schedule_id = excluded.schedule_id,
        duration_minutes = excluded.duration_minutes, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        end_time = excluded.end_time, time_zone = excluded.time_zone, min_capacity = excluded.min_capacity,
        price_per_person = excluded.price_per_person, withdrawn_at = NULL
    WHERE slot.withdrawn_at IS NOT NULL AND slot.cancelled_at IS NULL
    RETURNING slot_no, id, slot_date, start_time, end_time
), opened AS (
    INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)
    SELECT %(resource_id)s, m.slot_no, m.slot_date, %(max_capacity)s FROM made m ORDER BY m.slot_no
    ON CONFLICT (resource_id, slot_no) DO UPDATE SET closed = false, max_capacity = excluded.max_capacity,
        overbooked = greatest(0, capacity.held + capacity.allocated - excluded.max_capacity)
)
SELECT m.slot_no, m.id AS slot_id, m.slot_date, m.start_time, m.end_time FROM made m ORDER BY m.slot_date;

-- name: lock_departures
-- The seats of every departure a tour has still to run, before any of them changes: also of those another schedule had
-- withdrawn, which this one may take up.
SELECT lock_slots(array_agg(s.resource_id), array_agg(s.slot_no)) FROM slot s
WHERE s.resource_id = %(resource_id)s AND s.starts_at > now();

-- name: list_departures
-- What a schedule has still to run, with how many seats somebody holds or has this second.
SELECT s.slot_no, s.id AS slot_id, s.slot_date, s.start_time, c.max_capacity, c.held + c.allocated - coalesce((
    SELECT sum(k.quantity) FROM claim k WHERE k.resource_id = s.resource_id AND k.slot_no = s.slot_no
        AND k.state = 'held' AND k.expires_at <= now()), 0)::integer AS seats
FROM slot s JOIN capacity c ON c.resource_id = s.resource_id AND c.slot_no = s.slot_no
WHERE s.schedule_id = %(schedule_id)s AND s.starts_at > now() AND s.withdrawn_at IS NULL AND s.cancelled_at IS NULL
ORDER BY s.slot_date;

-- name: withdraw_slots
-- Not sold any more. Whoever has a seat keeps it: closing takes nothing back.
WITH withdrawn AS (
    UPDATE slot SET withdrawn_at = clock_timestamp() WHERE slot_no = ANY (%(slots)s)
)
UPDATE capacity SET closed = true WHERE resource_id = %(resource_id)s AND slot_no = ANY (%(slots)s);

-- name: update_slots
-- What stays is as the schedule now says; what is booked beyond the new capacity is counted as overbooked.
WITH changed AS (
    UPDATE slot s SET duration_minutes = %(duration_minutes)s, ends_at = w.ends_at, end_time = w.end_time,
        min_capacity = %(min_capacity)s, price_per_person = %(price_per_person)s
    FROM unnest(%(slots)s::bigint[], %(ends)s::timestamptz[], %(end_times)s::time[]) AS w (slot_no, ends_at, end_time)
    WHERE s.slot_no = w.slot_no
)
UPDATE capacity SET max_capacity = %(max_capacity)s, overbooked = greatest(0, held + allocated - %(max_capacity)s)
WHERE resource_id = %(resource_id)s AND slot_no = ANY (%(slots)s)
RETURNING slot_no, overbooked;
