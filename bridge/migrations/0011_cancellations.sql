-- Cancellations: departures that do not run, and how far their bookings have been dealt with.
CREATE TABLE slot_cancellation (
    slot_no bigint PRIMARY KEY REFERENCES slot,
    reason text NOT NULL,
    alternative_slot_no bigint REFERENCES slot,  -- Where parties are moved, as far as its seats last.
    actor text NOT NULL,
    bookings integer NOT NULL,                   -- How many stood on it when it was closed.
    cancelled integer NOT NULL DEFAULT 0,
    moved integer NOT NULL DEFAULT 0,
    holds_released integer NOT NULL DEFAULT 0,   -- Of people who had not booked yet.
    refunds integer NOT NULL DEFAULT 0,          -- That the platform was asked for.
    waitlist_closed integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,                     -- Null: a worker is at it, or will be.
    CONSTRAINT slot_cancellation_elsewhere CHECK (alternative_slot_no <> slot_no)
);

-- For complete_bookings and owe_reminders: who is still to travel, however many have travelled.
CREATE INDEX booking_to_travel ON booking (slot_no) WHERE status = 'confirmed';
