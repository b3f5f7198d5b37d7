-- name: find_open_checkout
-- The payment that stands for a reservation, or is being asked for. The caller has locked the reservation.
SELECT c.id, c.platform, c.hold_ids, c.reference, c.url, c.claimed_until > clock_timestamp() AS is_claimed
FROM checkout c WHERE c.booking_number = %(booking_number)s AND c.closed_at IS NULL;

-- name: insert_checkout
INSERT INTO checkout (id, booking_number, platform, hold_ids, claimed_until)
VALUES (%(id)s, %(booking_number)s, %(platform)s, %(hold_ids)s, clock_timestamp() + %(claim)s::interval);

-- name: keep_checkout
-- What the platform answered, unless the reservation was changed meanwhile.
UPDATE checkout SET reference = %(reference)s, url = %(url)s, claimed_until = NULL
WHERE id = %(id)s AND closed_at IS NULL RETURNING id;

-- name: forget_checkout
-- Nothing came of asking.
DELETE FROM checkout WHERE id = %(id)s AND reference IS NULL;

-- name: close_checkout
UPDATE checkout SET closed_at = clock_timestamp()
WHERE booking_number = %(booking_number)s AND closed_at IS NULL
RETURNING id, platform, reference;

-- name: find_item_amount
-- What a line costs that is named after its hold, as Stripe's are.
SELECT i.line_quantity * i.unit_price AS amount FROM reservation_item i WHERE i.hold_id = %(hold_id)s;
