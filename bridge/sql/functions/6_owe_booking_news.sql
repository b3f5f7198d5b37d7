-- Every change of a booking is one piece of outgoing work: tasks/bookings.py tells those it concerns.
CREATE OR REPLACE FUNCTION owe_booking_news() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (id, source, dedupe_key, type, queue, order_id, raw)
    SELECT new_id('evt'), 'bridge', 'booking.notify:' || new.n, 'booking.notify',
        'bridge.outgoing', a.order_id,
        convert_to(jsonb_build_object('booking_id', new.booking_id, 'change', new.n)::text, 'UTF8')
    FROM booking b LEFT JOIN allocation a ON a.hold_id = b.hold_id
    WHERE b.id = new.booking_id
    ON CONFLICT (source, dedupe_key) DO NOTHING;
    RETURN NULL;
END $$;
