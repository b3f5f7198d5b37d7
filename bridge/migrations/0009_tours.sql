-- Schedules: when a tour departs. Slots: its departures. Bookings: the parties on them, with every change of each.
CREATE TYPE recurrence AS ENUM (
    'none',      -- once, on valid_from
    'daily',     -- every day
    'weekly',    -- on the chosen weekdays
    'biweekly',  -- on the chosen weekdays of every second week, counted from valid_from's
    'monthly',   -- on valid_from's day of the month; months without it are left out
    'custom'     -- an RFC 5545 rule
);

-- What a tour costs, whom it counts and what cancelling costs, where it is not a setting.
ALTER TABLE resource
    ADD COLUMN price_per_person numeric CONSTRAINT resource_price_not_negative CHECK (price_per_person >= 0),
    ADD COLUMN infants_take_seats boolean NOT NULL DEFAULT false,
    ADD COLUMN cancellation_policy jsonb;  -- {deadline_hours, fees: [{hours_before, percent}]}; null: free until it departs

CREATE TABLE schedule (
    id text COLLATE "C" PRIMARY KEY,
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    name text NOT NULL,
    start_time time NOT NULL,  -- On the wall clock of the resource's zone, whatever the season.
    duration_minutes integer NOT NULL CONSTRAINT schedule_duration_positive CHECK (duration_minutes > 0),
    recurrence recurrence NOT NULL,
    weekdays smallint[] NOT NULL DEFAULT '{}',  -- 0 is Monday. None chosen: valid_from's.
    custom_rule jsonb,  -- {rrule, exdates}
    max_capacity integer NOT NULL,
    min_capacity integer NOT NULL,  -- Fewer, and staff may want to cancel.
    valid_from date NOT NULL,
    valid_until date,  -- Inclusive; null: for good.
    price_override numeric CONSTRAINT schedule_price_not_negative CHECK (price_override >= 0),
    is_active boolean NOT NULL DEFAULT true,
    filled_until date,  -- How far the horizon has been filled: see core/departures.py.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    CONSTRAINT schedule_capacity_in_order CHECK (0 <= min_capacity AND min_capacity <= max_capacity AND max_capacity > 0),
    CONSTRAINT schedule_ends_after_it_starts CHECK (valid_until >= valid_from),
    CONSTRAINT schedule_rule_where_custom CHECK ((recurrence = 'custom') = (custom_rule IS NOT NULL))
);
CREATE INDEX schedule_by_resource ON schedule (resource_id, created_at DESC);  -- For list_schedules, and a tour's duration.
-- For list_unfilled: which horizon is not filled yet.
CREATE INDEX schedule_to_fill ON schedule (filled_until NULLS FIRST) WHERE is_active AND deleted_at IS NULL;

-- Slots: departures. Local date, wall time and zone are the truth; the instants follow from them. How many seats there
-- are and how many are taken stands in capacity, under the same slot_no.
CREATE TABLE slot (
    slot_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL CONSTRAINT slot_id UNIQUE,
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    schedule_id text COLLATE "C" REFERENCES schedule,
    slot_date date NOT NULL,
    start_time time NOT NULL,
    time_zone text NOT NULL,
    duration_minutes integer NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    end_time time NOT NULL,  -- On the wall clock at ends_at.
    min_capacity integer NOT NULL,
    price_per_person numeric NOT NULL CONSTRAINT slot_price_not_negative CHECK (price_per_person >= 0),
    -- Its schedule does not have it any more: not sold, but it runs for whoever has booked it.
    withdrawn_at timestamptz,
    cancelled_at timestamptz,  -- It does not run.
    cancellation_reason text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A tour departs once at a time: two schedules that meet share the departure. For every reading of a range of dates.
    CONSTRAINT slot_once UNIQUE (resource_id, slot_date, start_time)
);
CREATE INDEX slot_by_schedule ON slot (schedule_id, slot_date);  -- For what a change of the schedule touches.
CREATE INDEX slot_starts_at ON slot (starts_at);  -- For what departs, or has ended, about now.

CREATE TYPE booking_status AS ENUM (
    'pending',    -- its seats are held until the hold lapses; past that it reads as cancelled
    'confirmed',  -- paid, or confirmed by staff
    'cancelled',
    'completed',  -- the tour has run
    'no_show',    -- the tour has run without them
    'refunded'    -- cancelled, and the money is back
);

-- Which status may follow which. cancelled -> confirmed: only of what nobody decided, see follow_booking_hold.
CREATE TABLE booking_transition (
    from_status booking_status NOT NULL,
    to_status booking_status NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO booking_transition VALUES
    ('pending', 'confirmed'), ('pending', 'cancelled'),
    ('confirmed', 'completed'), ('confirmed', 'no_show'), ('confirmed', 'cancelled'),
    ('cancelled', 'refunded'), ('cancelled', 'confirmed');

CREATE TABLE booking (
    id text COLLATE "C" PRIMARY KEY,
    reference text COLLATE "C" NOT NULL CONSTRAINT booking_reference UNIQUE,
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    slot_no bigint NOT NULL REFERENCES slot,
    hold_id text COLLATE "C" NOT NULL REFERENCES hold CONSTRAINT booking_per_hold UNIQUE,
    source text NOT NULL,  -- web: somebody asked for it here; order: an order came without one; waitlist
    customer_id text,      -- The platform's, where they signed in.
    status booking_status NOT NULL DEFAULT 'pending',
    num_adults integer NOT NULL,
    num_children integer NOT NULL,
    num_infants integer NOT NULL,
    seats integer NOT NULL CONSTRAINT booking_takes_a_seat CHECK (seats > 0),  -- What the hold takes of the departure.
    -- Fixed when booked. subtotal - discount_amount + tax_amount = total_amount.
    currency_code text NOT NULL,
    price_per_adult numeric NOT NULL,
    price_per_child numeric NOT NULL,
    price_per_infant numeric NOT NULL,
    subtotal numeric NOT NULL,
    discount_amount numeric NOT NULL,
    tax_rate numeric NOT NULL,
    tax_amount numeric NOT NULL,
    total_amount numeric NOT NULL,
    customer_name text NOT NULL,
    customer_email text,
    customer_phone text,
    special_requirements text,
    dietary_restrictions text,
    accessibility_needs text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz,  -- When the departure or the party last changed.
    confirmed_at timestamptz,
    cancelled_at timestamptz,
    cancellation_reason text,
    cancelled_by text,  -- clock: its hold lapsed. order: an order gave it up. Both may be undone by an order; people may not.
    refund_amount numeric,  -- What is to be paid back, where something is.
    CONSTRAINT booking_party_not_negative CHECK (num_adults >= 0 AND num_children >= 0 AND num_infants >= 0),
    CONSTRAINT booking_prices_add_up CHECK (subtotal - discount_amount + tax_amount = total_amount AND total_amount >= 0),
    CONSTRAINT booking_cancelled_says_when CHECK ((status IN ('cancelled', 'refunded')) = (cancelled_at IS NOT NULL))
);
CREATE INDEX booking_by_slot ON booking (slot_no);  -- For who is on a departure.
CREATE INDEX booking_by_customer ON booking (customer_id, created_at DESC) WHERE customer_id IS NOT NULL;  -- For one's own.
CREATE INDEX booking_by_resource ON booking (resource_id, created_at DESC, id DESC);  -- For list_bookings of a tour,
CREATE INDEX booking_recent ON booking (created_at DESC, id DESC);  -- and of all.

-- What became of each booking: who, when, what it was, what it is, why. Append-only.
CREATE TABLE booking_change (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking_id text COLLATE "C" NOT NULL REFERENCES booking,
    modified_by text NOT NULL,  -- key:…, user:…, customer:…, guest, order:…, clock
    modification_type text NOT NULL CONSTRAINT booking_change_type_known CHECK (modification_type IN (
        'status_change', 'date_change', 'party_change', 'details_change', 'cancellation')),
    old_value jsonb NOT NULL,
    new_value jsonb NOT NULL,
    reason text,
    ip_address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX booking_change_by_booking ON booking_change (booking_id, n);

-- Blackouts have a kind and a name, and can be switched off without being forgotten.
CREATE TYPE blackout_type AS ENUM ('holiday', 'maintenance', 'weather', 'custom');
ALTER TABLE blackout
    ADD COLUMN blackout_type blackout_type NOT NULL DEFAULT 'custom',
    ADD COLUMN name text,
    ADD COLUMN description text,
    ADD COLUMN is_active boolean NOT NULL DEFAULT true;

-- A trigger needs a function of the name; what these do is in bridge/sql/functions.
CREATE FUNCTION check_booking_transition() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE FUNCTION follow_booking_hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION follow_booking_allocation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION owe_booking_news() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER booking_transition_is_allowed BEFORE UPDATE OF status ON booking
    FOR EACH ROW WHEN (new.status <> old.status) EXECUTE FUNCTION check_booking_transition();
-- Whichever door confirms, releases or expires the hold, the booking goes with it in the same transaction.
CREATE TRIGGER booking_follows_hold AFTER UPDATE OF status ON hold
    FOR EACH ROW WHEN (new.status <> old.status AND new.kind = 'booking') EXECUTE FUNCTION follow_booking_hold();
CREATE TRIGGER booking_follows_allocation AFTER UPDATE OF status, quantity ON allocation
    FOR EACH ROW WHEN (new.status <> old.status OR new.quantity <> old.quantity) EXECUTE FUNCTION follow_booking_allocation();
-- What stands in the log is told to those it concerns.
CREATE TRIGGER booking_change_is_told AFTER INSERT ON booking_change FOR EACH ROW EXECUTE FUNCTION owe_booking_news();
