-- A booking goes with what its order has. Cancelled: so is the booking. Confirmed again, because the order wants it
-- again: so is the booking. Less or more seats, where the hold counts places: the party shrinks or grows by adults.
-- The heads' prices stay; sums are rounded to the digits they are kept with.
CREATE OR REPLACE FUNCTION follow_booking_allocation() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_booking booking;
    v_by text := CASE WHEN new.cancelled_by_admin > old.cancelled_by_admin THEN 'staff' ELSE 'order' END;
    v_rest integer;
    v_adults integer;
    v_children integer;
    v_heads numeric;
    v_discount numeric;
    v_tax numeric;
BEGIN
    SELECT * INTO v_booking FROM booking b WHERE b.hold_id = new.hold_id FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF new.status = 'CANCELLED' THEN
        UPDATE booking SET status = 'cancelled', cancelled_at = clock_timestamp(),
            cancellation_reason = coalesce(new.cancel_reason, 'cancelled'), cancelled_by = v_by
        WHERE id = v_booking.id AND status IN ('pending', 'confirmed');
        IF NOT FOUND THEN RETURN NULL; END IF;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value, reason)
        VALUES (v_booking.id, CASE v_by WHEN 'order' THEN 'order:' || new.order_id ELSE v_by END, 'cancellation',
            jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'cancelled'), new.cancel_reason);
        RETURN NULL;
    END IF;
    IF old.status = 'CANCELLED' THEN
        UPDATE booking SET status = 'confirmed', cancelled_at = NULL, cancellation_reason = NULL, cancelled_by = NULL,
            refund_amount = NULL
        WHERE id = v_booking.id AND status = 'cancelled' AND cancelled_by IN ('clock', 'order');
        IF FOUND THEN
            INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
            VALUES (v_booking.id, 'order:' || new.order_id, 'status_change',
                jsonb_build_object('status', v_booking.status), jsonb_build_object('status', 'confirmed'));
        END IF;
    END IF;
    IF new.quantity <> v_booking.seats AND new.quantity > 0 THEN
        -- Somebody grown up stays while a child does.
        v_rest := v_booking.num_adults + new.quantity - v_booking.seats - 1;
        v_adults := 1 + greatest(0, v_rest);
        v_children := greatest(0, v_booking.num_children + least(0, v_rest));
        v_heads := v_adults * v_booking.price_per_adult + v_children * v_booking.price_per_child
            + v_booking.num_infants * v_booking.price_per_infant;
        v_discount := least(v_booking.discount_amount, v_heads);
        v_tax := round((v_heads - v_discount) * v_booking.tax_rate, scale(v_booking.price_per_adult));
        UPDATE booking SET seats = new.quantity, num_adults = v_adults, num_children = v_children,
            modified_at = clock_timestamp(), subtotal = v_heads, discount_amount = v_discount, tax_amount = v_tax,
            total_amount = v_heads - v_discount + v_tax
        WHERE id = v_booking.id;
        INSERT INTO booking_change (booking_id, modified_by, modification_type, old_value, new_value)
        VALUES (v_booking.id, CASE v_by WHEN 'order' THEN 'order:' || new.order_id ELSE v_by END, 'party_change',
            jsonb_build_object('num_adults', v_booking.num_adults, 'num_children', v_booking.num_children),
            jsonb_build_object('num_adults', v_adults, 'num_children', v_children));
    END IF;
    RETURN NULL;
END $$;
