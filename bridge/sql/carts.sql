-- name: tie_holds
-- Remember which cart carries these holds, unless a later state of it was seen. Never extends anything.
UPDATE hold SET cart_id = %(cart_id)s, cart_updated_at = %(updated_at)s
WHERE id = ANY (%(hold_ids)s) AND status = 'ACTIVE' AND kind = 'cart'
    AND (cart_id IS DISTINCT FROM %(cart_id)s OR cart_updated_at IS NULL OR cart_updated_at < %(updated_at)s);

-- name: find_dropped_holds
-- The holds this cart carried and no longer names.
SELECT h.id FROM hold h
WHERE h.cart_id = %(cart_id)s AND h.status = 'ACTIVE' AND h.expires_at > now() AND h.id <> ALL (%(hold_ids)s)
    AND (h.cart_updated_at IS NULL OR %(updated_at)s::timestamptz IS NULL OR h.cart_updated_at <= %(updated_at)s)
ORDER BY h.id;
