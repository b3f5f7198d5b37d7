-- Waitlist: who waits for seats on a departure that is full, and what is held for them meanwhile.
CREATE TYPE waitlist_status AS ENUM (
    'active',     -- waits; may be collecting seats
    'notified',   -- all their seats are held for them until notification_expires_at
    'converted',  -- they took them, and there is a booking
    'expired',    -- they did not, or the departure came too near
    'cancelled'   -- they left, or declined
);

CREATE TABLE waitlist_entry (
    id text COLLATE "C" PRIMARY KEY,
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    requested_date date NOT NULL,
    slot_no bigint,  -- The departure they wait for; null: any of that date.
    num_people integer NOT NULL CONSTRAINT waitlist_entry_party CHECK (num_people > 0),  -- Seats.
    customer_id text,
    customer_name text NOT NULL,
    customer_email text NOT NULL,
    customer_phone text,
    notes text,
    status waitlist_status NOT NULL DEFAULT 'active',
    priority integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closes_at timestamptz NOT NULL,  -- From here on nothing can be offered any more: the cut-off of the last departure.
    -- What is held for them: all their seats, or (still active) those collected so far.
    hold_id text COLLATE "C" REFERENCES hold,
    offered_slot_no bigint,
    passed_over integer NOT NULL DEFAULT 0,  -- How often seats became free that were too few, while nobody else was first.
    collects_until timestamptz,              -- Set once: nobody collects twice.
    notified_at timestamptz,
    notification_expires_at timestamptz,
    converted_at timestamptz,
    booking_id text,
    closed_at timestamptz,
    CONSTRAINT waitlist_entry_notified_has_a_hold CHECK (status <> 'notified' OR (hold_id IS NOT NULL AND notification_expires_at IS NOT NULL)),
    CONSTRAINT waitlist_entry_closed_once CHECK ((status IN ('active', 'notified')) = (closed_at IS NULL))
);
-- For offer_places, each time seats are given back.
CREATE INDEX waitlist_entry_queue ON waitlist_entry (resource_id, requested_date, priority DESC, created_at, id) WHERE status = 'active';
-- Nobody stands in one queue twice.
CREATE UNIQUE INDEX waitlist_entry_waits_once ON waitlist_entry (resource_id, requested_date, customer_email)
    WHERE status IN ('active', 'notified');
CREATE INDEX waitlist_entry_by_hold ON waitlist_entry (hold_id) WHERE hold_id IS NOT NULL;  -- For follow_offer.
CREATE INDEX waitlist_entry_closing ON waitlist_entry (closes_at) WHERE status = 'active';  -- For expire_entries.
CREATE INDEX waitlist_entry_by_customer ON waitlist_entry (customer_id, created_at DESC) WHERE customer_id IS NOT NULL;  -- For list_mine.
CREATE INDEX waitlist_entry_listing ON waitlist_entry (created_at DESC, id DESC);  -- For list_entries.

-- How seats are handed over: the settings, where the ledger's functions can read them. Kept in step by tasks/waitlist.py.
CREATE TABLE waitlist_rule (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    is_automatic boolean NOT NULL DEFAULT true,                    -- WAITLIST_AUTO_PROCESS
    offer_term interval NOT NULL DEFAULT INTERVAL '24 hours',      -- WAITLIST_NOTIFICATION_EXPIRY_HOURS
    cutoff interval NOT NULL DEFAULT INTERVAL '24 hours',          -- BOOKING_CUTOFF_HOURS
    patience integer NOT NULL DEFAULT 3 CHECK (patience >= 0)      -- WAITLIST_PATIENCE
);
INSERT INTO waitlist_rule DEFAULT VALUES;

-- A trigger needs a function of the name; what it does is in bridge/sql/functions.
CREATE FUNCTION follow_offer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER offer_is_closed AFTER UPDATE OF status ON hold
    FOR EACH ROW WHEN (old.kind = 'offer' AND new.kind = 'offer' AND new.status <> old.status) EXECUTE FUNCTION follow_offer();
