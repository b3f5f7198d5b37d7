-- name: insert_service
INSERT INTO service (id, name, description, duration_minutes, buffer_before_minutes, buffer_minutes, price, currency_code,
    deposit_type, deposit_value, payment_modes_allowed, notice_minutes, advance_days, free_cancellation_minutes,
    late_refund_percent, is_active, metadata)
VALUES (%(id)s, %(name)s, %(description)s, %(duration_minutes)s, %(buffer_before_minutes)s, %(buffer_minutes)s, %(price)s,
    %(currency_code)s, %(deposit_type)s, %(deposit_value)s, %(payment_modes_allowed)s, %(notice_minutes)s, %(advance_days)s,
    %(free_cancellation_minutes)s, %(late_refund_percent)s, %(is_active)s, %(metadata)s);

-- name: find_service
-- Deleted ones too.
SELECT v.id, v.name, v.description, v.duration_minutes, v.buffer_before_minutes, v.buffer_minutes, v.price, v.currency_code,
    v.deposit_type::text AS deposit_type, v.deposit_value, v.payment_modes_allowed, v.notice_minutes, v.advance_days,
    v.free_cancellation_minutes, v.late_refund_percent, v.is_active, v.metadata, v.revision, v.created_at, v.updated_at,
    v.deleted_at
FROM service v WHERE v.id = %(service_id)s;

-- name: list_services
SELECT v.id, v.name, v.description, v.duration_minutes, v.buffer_before_minutes, v.buffer_minutes, v.price, v.currency_code,
    v.deposit_type::text AS deposit_type, v.deposit_value, v.payment_modes_allowed, v.notice_minutes, v.advance_days,
    v.free_cancellation_minutes, v.late_refund_percent, v.is_active, v.metadata, v.revision, v.created_at, v.updated_at,
    v.deleted_at
FROM service v
WHERE v.deleted_at IS NULL
    AND (%(is_active)s::boolean IS NULL OR v.is_active = %(is_active)s)
    AND (%(q)s::text IS NULL OR strpos(lower(v.name), lower(%(q)s)) > 0 OR strpos(lower(v.description), lower(%(q)s)) > 0)
ORDER BY v.created_at DESC, v.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_services
-- By the same filters as list_services.
SELECT count(*) AS count FROM service v
WHERE v.deleted_at IS NULL
    AND (%(is_active)s::boolean IS NULL OR v.is_active = %(is_active)s)
    AND (%(q)s::text IS NULL OR strpos(lower(v.name), lower(%(q)s)) > 0 OR strpos(lower(v.description), lower(%(q)s)) > 0);

-- name: lock_service
-- Two who change it take turns. Nobody who books waits.
SELECT FROM service v WHERE v.id = %(service_id)s FOR NO KEY UPDATE;

-- name: update_service
UPDATE service SET
    name = %(name)s,
    description = %(description)s,
    duration_minutes = %(duration_minutes)s,
    buffer_before_minutes = %(buffer_before_minutes)s,
    buffer_minutes = %(buffer_minutes)s,
    price = %(price)s,
    currency_code = %(currency_code)s,
    deposit_type = %(deposit_type)s,
    deposit_value = %(deposit_value)s,
    payment_modes_allowed = %(payment_modes_allowed)s,
    notice_minutes = %(notice_minutes)s,
    advance_days = %(advance_days)s,
    free_cancellation_minutes = %(free_cancellation_minutes)s,
    late_refund_percent = %(late_refund_percent)s,
    is_active = %(is_active)s,
    metadata = %(metadata)s,
    revision = nextval('revision'),
    updated_at = clock_timestamp()
WHERE id = %(id)s;

-- name: delete_service
UPDATE service SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), revision = nextval('revision')
WHERE id = %(service_id)s AND deleted_at IS NULL;
