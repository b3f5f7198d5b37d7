-- What became of the reservations begun from p_from until before p_until, each once; with p_by_resource once for each
-- resource that an item of it was ever of, and what became of those items. For the analytics; the planner reads it as
-- part of the query it stands in. Beside it `status` is reservation_status of the whole, for counting by it.
--   paid       an order has, had or is owed an item of it, whatever became of that since
--   open       something is held this second
--   lapsed     its time ran out
--   abandoned  given back: by the closing page, item by item, or because its payment was given up
--   withdrawn  taken back by the seller: a blackout, a cancelled departure, a deleted resource
-- The resource is the one an item was added with: an appointment may have moved to somebody else since. The times are
-- those of the journal's first rows: holds and allocations are made with these, and keep their created_at.
CREATE OR REPLACE FUNCTION reservation_fates(p_from timestamptz, p_until timestamptz, p_by_resource boolean)
RETURNS TABLE (
    booking_number text, resource_id text, began_at timestamptz, status text, fate text, paid_at timestamptz,
    items bigint, items_paid bigint, items_left_unpaid bigint, is_late boolean, is_given_up boolean
)
LANGUAGE sql STABLE AS $$
    SELECT r.booking_number, CASE WHEN p_by_resource THEN coalesce(i.details ->> 'staff_id', h.resource_id) END,
        r.created_at,
        CASE WHEN bool_or(a.status = 'CONFIRMED' OR s.is_open OR o.has) THEN 'paid'
            WHEN bool_or(a.id IS NOT NULL OR r.order_id IS NOT NULL) THEN 'cancelled'
            WHEN r.released_at IS NOT NULL THEN 'released'
            WHEN r.expires_at <= now() THEN 'expired'
            WHEN bool_or(h.status = 'ACTIVE' AND h.expires_at > now()) THEN 'open'
            WHEN bool_or(h.status IN ('ACTIVE', 'EXPIRED')) THEN 'expired'
            ELSE 'open' END,
        CASE WHEN bool_or(coalesce(a.id, s.hold_id) IS NOT NULL OR o.at IS NOT NULL) THEN 'paid'
            WHEN bool_or(h.status = 'ACTIVE' AND h.expires_at > now()) THEN 'open'
            WHEN bool_or(h.status IN ('ACTIVE', 'EXPIRED')) THEN 'lapsed'
            WHEN bool_and(coalesce(h.closed_reason, '') IN ('blackout', 'delete', 'the departure was cancelled')) THEN 'withdrawn'
            ELSE 'abandoned' END,
        min(coalesce(a.created_at, s.at, o.at)),
        count(*),
        count(*) FILTER (WHERE a.id IS NOT NULL OR o.is_here),
        count(*) FILTER (WHERE a.id IS NULL AND o.is_here IS NOT TRUE AND i.dropped_at IS NULL),
        coalesce(bool_or(a.posted_late), false),
        bool_or(a.status = 'CONFIRMED' OR s.is_open OR o.has) IS NOT TRUE
    FROM reservation r
    JOIN reservation_item i ON i.booking_number = r.booking_number
    JOIN hold h ON h.id = i.hold_id
    LEFT JOIN allocation a ON a.hold_id = h.id
    LEFT JOIN (
        SELECT s.hold_id, min(s.created_at) AS at, bool_or(s.status = 'open') AS is_open FROM shortfall s GROUP BY s.hold_id
    ) s ON s.hold_id = h.id
    -- What was given back and is paid for all the same, is had or owed by a hold of the order's own.
    LEFT JOIN LATERAL (
        SELECT min(b.at) AS at, bool_or(b.stands) AS has, bool_or(b.is_had AND b.resource_id = h.resource_id) AS is_here
        FROM (
            SELECT p.created_at AS at, p.status = 'CONFIRMED' AS stands, true AS is_had, p.resource_id, p.hold_id
            FROM allocation p WHERE p.order_id = r.order_id AND p.source = r.source
            UNION ALL
            SELECT p.created_at, p.status = 'open', false, p.resource_id, p.hold_id
            FROM shortfall p WHERE p.order_id = r.order_id AND p.source = r.source
        ) b
        WHERE r.order_id IS NOT NULL AND (a.id IS NULL OR a.status = 'CANCELLED')
            AND (NOT p_by_resource OR b.resource_id = h.resource_id)
            AND NOT EXISTS (
                SELECT FROM reservation_item x WHERE x.hold_id = b.hold_id AND x.booking_number = r.booking_number)
    ) o ON true
    WHERE r.created_at >= p_from AND r.created_at < p_until
    GROUP BY 1, 2
$$;
