-- name: count_bookings
-- For /metrics, each by an index alone: how many bookings there ever were, how they were confirmed of late, how many
-- offers were taken, and how full what departs in the next 30 days is.
SELECT
    (SELECT count(*) FROM booking) AS created,
    (SELECT count(*) FROM waitlist_entry e WHERE e.status = 'converted') AS conversions,
    (SELECT coalesce(avg(extract(epoch FROM b.confirmed_at - b.created_at)), 0)::float8 FROM booking b
        WHERE b.confirmed_at > now() - INTERVAL '1 day') AS booking_seconds,
    (SELECT coalesce(100.0 * sum(c.held + c.allocated) / nullif(sum(c.max_capacity), 0), 0)::float8
        FROM slot s JOIN capacity c ON c.resource_id = s.resource_id AND c.slot_no = s.slot_no
        WHERE s.starts_at BETWEEN now() AND now() + INTERVAL '30 days' AND s.cancelled_at IS NULL AND s.withdrawn_at IS NULL
    ) AS utilization;

-- name: count_cancelled
-- By whom: customer, staff, order, system, or clock (pending ones that lapsed).
SELECT coalesce(b.cancelled_by, 'clock') AS cancelled_by, count(*) AS count FROM booking b
WHERE b.status IN ('cancelled', 'refunded') GROUP BY 1 ORDER BY 1;

-- name: count_waiting
SELECT count(*) AS count FROM waitlist_entry e WHERE e.status = 'active';

-- name: count_reservations
-- What became of the reservations begun in the last day, by the index of when they were begun.
SELECT f.fate, count(*) AS count, avg(extract(epoch FROM f.paid_at - f.began_at))::float8 AS seconds_to_payment
FROM reservation_fates(now() - INTERVAL '1 day', 'infinity', false) f GROUP BY 1;

-- name: count_open_reservations
-- Of those whose time is not over yet, which an index finds: those that hold something, and were not paid for.
SELECT count(*) AS count FROM reservation r
WHERE r.expires_at > now() AND (
    SELECT bool_or(h.status = 'ACTIVE' AND h.expires_at > now()) AND count(a.id) = 0
    FROM reservation_item i JOIN hold h ON h.id = i.hold_id LEFT JOIN allocation a ON a.hold_id = h.id
    WHERE i.booking_number = r.booking_number);

-- name: count_refusals_ever
-- Items of reservations that were not to be had, by reason. A few rows for each day and resource.
SELECT f.reason, sum(f.n)::bigint AS n FROM refusal f GROUP BY 1;
