-- Announces that an allocation was created (or stands again), was cancelled, or stands with another quantity.
-- The quantity of a cancelled one is what it had.
CREATE OR REPLACE FUNCTION announce_allocation() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_before allocation := CASE TG_OP WHEN 'UPDATE' THEN old END;
    v_what text := CASE
        WHEN new.status = 'CANCELLED' THEN 'cancelled' WHEN v_before.status = 'CONFIRMED' THEN 'changed' ELSE 'created'
    END;
BEGIN
    -- What was cancelled already is not cancelled more.
    IF (new.status = 'CANCELLED' AND v_before.status = 'CANCELLED') OR NOT EXISTS (SELECT FROM webhook) THEN
        RETURN NULL;
    END IF;
    PERFORM announce(
        'resource_booking.allocation.' || v_what,
        jsonb_build_object(
            'id', new.id, 'hold_id', new.hold_id, 'resource_id', new.resource_id, 'source', new.source,
            'order_id', new.order_id, 'line_item_id', new.line_item_id, 'customer_email', new.customer_email,
            'status', new.status, 'slots', claimed_slots(new.hold_id), 'created_at', new.created_at,
            'quantity', CASE v_what WHEN 'cancelled' THEN v_before.quantity ELSE new.quantity END,
            'previous_quantity', CASE v_what WHEN 'changed' THEN v_before.quantity END,
            'posted_late', new.posted_late, 'cancelled_at', new.cancelled_at, 'reason', new.cancel_reason
        ),
        new.id || ':' || v_what || ':' || pg_current_xact_id()
    );
    RETURN NULL;
END $$;
