-- name: find_modes
SELECT v.payment_modes_allowed, v.metadata FROM service v WHERE v.id = %(service_id)s;

-- name: claim_cart
-- No row: somebody else is making one this moment.
UPDATE appointment SET cart_wanted_until = clock_timestamp() + %(claim)s
WHERE id = %(appointment_id)s AND (cart_wanted_until IS NULL OR cart_wanted_until <= clock_timestamp());

-- name: keep_cart
UPDATE appointment SET
    cart_id = %(cart_id)s,
    cart_amount = %(amount)s,
    payment_mode = %(payment_mode)s,
    cart_wanted_until = NULL,
    updated_at = clock_timestamp()
WHERE id = %(appointment_id)s;

-- name: forget_cart
UPDATE appointment SET cart_wanted_until = NULL WHERE id = %(appointment_id)s;

-- name: grace_hold
-- See functions/4_grace_hold.sql.
SELECT grace_hold(%(hold_id)s, %(grace)s);
