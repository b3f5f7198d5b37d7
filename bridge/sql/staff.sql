-- name: insert_resource
INSERT INTO resource (id, type, grain, name, description, metadata, is_active, time_zone, default_capacity)
VALUES (%(id)s, 'STAFF', 'quarter_hour', %(name)s, %(bio)s, %(metadata)s, %(is_active)s, %(time_zone)s, %(capacity)s);

-- name: insert_staff
INSERT INTO staff (id, email, phone, bio, avatar_url, service_ids)
VALUES (%(id)s, %(email)s, %(phone)s, %(bio)s, %(avatar_url)s, %(service_ids)s);

-- name: find_staff
-- Deleted ones too.
SELECT s.id, r.name, s.email, s.phone, s.bio, s.avatar_url, r.time_zone, s.service_ids, r.is_active, r.metadata,
    r.created_at, r.updated_at, r.deleted_at
FROM staff s JOIN resource r ON r.id = s.id WHERE s.id = %(staff_id)s;

-- name: list_staff
SELECT s.id, r.name, s.email, s.phone, s.bio, s.avatar_url, r.time_zone, s.service_ids, r.is_active, r.metadata,
    r.created_at, r.updated_at, r.deleted_at
FROM staff s JOIN resource r ON r.id = s.id
WHERE r.deleted_at IS NULL
    AND (%(is_active)s::boolean IS NULL OR r.is_active = %(is_active)s)
    AND (%(service_id)s::text IS NULL OR s.service_ids = '{}' OR %(service_id)s = ANY (s.service_ids))
ORDER BY r.name, s.id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_staff
-- By the same filters as list_staff.
SELECT count(*) AS count
FROM staff s JOIN resource r ON r.id = s.id
WHERE r.deleted_at IS NULL
    AND (%(is_active)s::boolean IS NULL OR r.is_active = %(is_active)s)
    AND (%(service_id)s::text IS NULL OR s.service_ids = '{}' OR %(service_id)s = ANY (s.service_ids));

-- name: list_known
-- Which of these services there are.
SELECT v.id FROM service v WHERE v.id = ANY (%(service_ids)s) AND v.deleted_at IS NULL;

-- name: update_resource
UPDATE resource SET
    name = %(name)s,
    description = %(bio)s,
    metadata = %(metadata)s,
    is_active = %(is_active)s,
    time_zone = %(time_zone)s,
    updated_at = clock_timestamp()
WHERE id = %(id)s;

-- name: update_staff
UPDATE staff SET email = %(email)s, phone = %(phone)s, bio = %(bio)s, avatar_url = %(avatar_url)s, service_ids = %(service_ids)s
WHERE id = %(id)s;

-- name: delete_resource
UPDATE resource SET deleted_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = %(id)s;
