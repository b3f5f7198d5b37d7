-- Announces that a hold was created, confirmed, released or has expired: whichever status it came to.
CREATE OR REPLACE FUNCTION announce_hold() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook) THEN RETURN NULL; END IF;
    PERFORM announce(
        'resource_booking.hold.' || CASE new.status WHEN 'ACTIVE' THEN 'created' ELSE lower(new.status::text) END,
        jsonb_build_object(
            'id', new.id, 'resource_id', new.resource_id, 'kind', new.kind, 'status', new.status, 'quantity', new.quantity,
            'slots', claimed_slots(new.id), 'booking_number', new.booking_number, 'customer_email', new.customer_email,
            'created_at', new.created_at, 'expires_at', new.expires_at, 'closed_at', new.closed_at, 'reason', new.closed_reason
        ),
        -- A hold comes to a status once in a transaction.
        new.id || ':' || new.status || ':' || pg_current_xact_id()
    );
    RETURN NULL;
END $$;
