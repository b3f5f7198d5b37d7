-- name: insert_resource
INSERT INTO resource (id, type, name, description, metadata, is_active, time_zone, hold_minutes, shortfall_policy, overbook_limit,
    price_per_person, infants_take_seats, cancellation_policy)
VALUES (%(id)s, %(type)s, %(name)s, %(description)s, %(metadata)s, %(is_active)s, %(time_zone)s, %(hold_minutes)s,
    %(shortfall_policy)s, %(overbook_limit)s, %(price_per_person)s, %(infants_take_seats)s, %(cancellation_policy)s);

-- name: find_resource
-- Deleted ones too: staff still read them.
SELECT r.id, r.type::text AS type, r.grain::text AS grain, r.name, r.description, r.metadata, r.is_active, r.time_zone,
    r.hold_minutes::float8 AS hold_minutes, r.shortfall_policy::text AS shortfall_policy, r.overbook_limit,
    r.price_per_person, r.infants_take_seats, r.cancellation_policy, r.created_at, r.updated_at, r.deleted_at
FROM resource r WHERE r.id = %(resource_id)s;

-- name: list_resources
SELECT r.id, r.type::text AS type, r.grain::text AS grain, r.name, r.description, r.metadata, r.is_active, r.time_zone,
    r.hold_minutes::float8 AS hold_minutes, r.shortfall_policy::text AS shortfall_policy, r.overbook_limit,
    r.price_per_person, r.infants_take_seats, r.cancellation_policy, r.created_at, r.updated_at, r.deleted_at
FROM resource r
WHERE (%(include_deleted)s OR r.deleted_at IS NULL)
    AND (%(type)s::resource_type IS NULL OR r.type = %(type)s)
    AND (%(is_active)s::boolean IS NULL OR r.is_active = %(is_active)s)
    -- Not LIKE: what people type is text, and a percent sign is one.
    AND (%(q)s::text IS NULL OR strpos(lower(r.name), lower(%(q)s)) > 0 OR strpos(lower(r.description), lower(%(q)s)) > 0)
ORDER BY r.created_at DESC, r.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_resources
-- By the same filters as list_resources.
SELECT count(*) AS count FROM resource r
WHERE (%(include_deleted)s OR r.deleted_at IS NULL)
    AND (%(type)s::resource_type IS NULL OR r.type = %(type)s)
    AND (%(is_active)s::boolean IS NULL OR r.is_active = %(is_active)s)
    AND (%(q)s::text IS NULL OR strpos(lower(r.name), lower(%(q)s)) > 0 OR strpos(lower(r.description), lower(%(q)s)) > 0);

-- name: read_today
-- The date it is where the resource is.
SELECT (now() AT TIME ZONE r.time_zone)::date AS today FROM resource r WHERE r.id = %(resource_id)s;

-- name: read_stats
-- Of today and later, except total_allocations: every allocation that stands.
SELECT
    (SELECT count(*) FROM allocation a WHERE a.resource_id = r.id AND a.status = 'CONFIRMED') AS total_allocations,
    (
        SELECT count(DISTINCT k.hold_id) FROM claim k
        JOIN capacity c ON c.resource_id = k.resource_id AND c.slot_no = k.slot_no
        WHERE k.resource_id = r.id AND k.state = 'allocated' AND c.on_date >= t.today
    ) AS upcoming_bookings,
    (
        SELECT least(1, coalesce(round(sum(c.allocated)::numeric / nullif(sum(c.max_capacity), 0), 4), 0))::float8
        FROM capacity c WHERE c.resource_id = r.id AND c.on_date >= t.today
    ) AS capacity_utilization
FROM resource r
CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE r.time_zone)::date AS today) t
WHERE r.id = %(resource_id)s;

-- name: update_resource
UPDATE resource SET
    type = %(type)s,
    name = %(name)s,
    description = %(description)s,
    metadata = %(metadata)s,
    is_active = %(is_active)s,
    time_zone = %(time_zone)s,
    hold_minutes = %(hold_minutes)s,
    shortfall_policy = %(shortfall_policy)s,
    overbook_limit = %(overbook_limit)s,
    price_per_person = %(price_per_person)s,
    infants_take_seats = %(infants_take_seats)s,
    cancellation_policy = %(cancellation_policy)s,
    updated_at = clock_timestamp()
WHERE id = %(resource_id)s;

-- name: delete_resource
UPDATE resource SET deleted_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = %(resource_id)s;
