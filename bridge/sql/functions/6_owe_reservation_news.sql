-- Owes the customer of a reservation a letter when items of it are posted, or one that was short is whole after all:
-- tasks/reservations.py reads what all of it has become, for by then this transaction is over. Once for each such
-- transaction, and each letter tells what none told yet. Touches no reservation: its lock comes before those held here.
CREATE OR REPLACE FUNCTION owe_reservation_news() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (id, source, dedupe_key, type, queue, order_id, raw)
    SELECT new_id('evt'), 'bridge', 'reservation.notify:' || i.booking_number || ':' || pg_current_xact_id(),
        'reservation.notify', 'bridge.outgoing', new.order_id,
        convert_to(jsonb_build_object('booking_number', i.booking_number)::text, 'UTF8')
    FROM reservation_item i WHERE i.hold_id = new.hold_id
    ON CONFLICT (source, dedupe_key) DO NOTHING;
    RETURN NULL;
END $$;
