-- Services: what is sold by the quarter hour. Staff and opening rules: who does it, and when. Appointments: what is booked.
CREATE TYPE deposit_type AS ENUM (
    'none',
    'fixed',   -- deposit_value is an amount
    'percent'  -- deposit_value is a part of the price, in hundredths
);

CREATE TABLE service (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    description text,
    duration_minutes integer NOT NULL,
    buffer_before_minutes integer NOT NULL DEFAULT 0,
    buffer_minutes integer NOT NULL DEFAULT 0,  -- After it.
    price numeric NOT NULL,
    currency_code text NOT NULL,
    deposit_type deposit_type NOT NULL DEFAULT 'none',
    deposit_value numeric,
    payment_modes_allowed text[] NOT NULL DEFAULT '{pay_in_store}',
    notice_minutes integer NOT NULL DEFAULT 0,  -- How long before it starts it can last be booked.
    advance_days integer,                       -- How many days ahead it can be booked; null: without end.
    -- Cancelled by the customer later than this before it starts, only a part of what was paid is paid back.
    free_cancellation_minutes integer NOT NULL DEFAULT 0,
    late_refund_percent numeric NOT NULL DEFAULT 0,
    is_active boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}',
    revision bigint NOT NULL DEFAULT 1,  -- Raised by each change: who computed with the one before is told so.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    CONSTRAINT service_minutes_not_negative CHECK (
        duration_minutes > 0 AND buffer_before_minutes >= 0 AND buffer_minutes >= 0 AND notice_minutes >= 0
        AND free_cancellation_minutes >= 0),
    CONSTRAINT service_price_not_negative CHECK (price >= 0),
    CONSTRAINT service_deposit_has_a_value CHECK ((deposit_type = 'none') = (deposit_value IS NULL)),
    CONSTRAINT service_late_refund_is_a_part CHECK (late_refund_percent BETWEEN 0 AND 100),
    CONSTRAINT service_payment_modes_known CHECK (
        payment_modes_allowed <@ ARRAY['pay_in_store', 'deposit', 'full'] AND payment_modes_allowed <> '{}')
);
CREATE INDEX service_listing ON service (created_at DESC, id DESC) WHERE deleted_at IS NULL;  -- For list_services.

-- A member of staff is a resource sold by the quarter hour; this is what only staff have.
CREATE TABLE staff (
    id text COLLATE "C" PRIMARY KEY REFERENCES resource,
    email text,
    phone text,
    bio text,
    avatar_url text,
    service_ids text[] NOT NULL DEFAULT '{}',  -- What they do; none named: everything.
    -- Raised by each change of theirs or of their rules. Who books has locked the row and found the revision they
    -- computed with; who changes rules has locked it against them, and so sees every booking made by the old ones.
    revision bigint NOT NULL DEFAULT 1
);

CREATE TYPE rule_type AS ENUM (
    'recurring',  -- every week on day_of_week
    'exception',  -- on specific_date, instead of the weekly hours (or, not available, taken from them)
    'blocked'     -- taken away on specific_date
);

CREATE TABLE opening_rule (
    id text COLLATE "C" PRIMARY KEY,
    staff_id text COLLATE "C" NOT NULL REFERENCES staff,
    rule_type rule_type NOT NULL,
    day_of_week smallint CONSTRAINT opening_rule_day_of_a_week CHECK (day_of_week BETWEEN 0 AND 6),  -- 0 is Monday.
    specific_date date,
    -- Minutes after local midnight.
    opens integer NOT NULL,
    closes integer NOT NULL,
    is_available boolean NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT opening_rule_says_when CHECK (
        (rule_type = 'recurring') = (day_of_week IS NOT NULL) AND (rule_type = 'recurring') = (specific_date IS NULL)),
    CONSTRAINT opening_rule_runs_forwards CHECK (opens >= 0 AND opens < closes AND closes <= 1440),
    CONSTRAINT opening_rule_blocked_is_not_available CHECK (rule_type <> 'blocked' OR NOT is_available)
);
CREATE INDEX opening_rule_by_staff ON opening_rule (staff_id, day_of_week, specific_date);  -- For read_hours and the lists.

CREATE TYPE appointment_status AS ENUM (
    'held',       -- its time is held until the hold lapses; past that it reads as cancelled
    'confirmed',  -- paid, or to be paid in the shop
    'cancelled',
    'completed',  -- the service was done
    'no_show'     -- nobody came
);

-- Which status may follow which. cancelled -> confirmed: only of what nobody decided, see follow_appointment_hold.
CREATE TABLE appointment_transition (
    from_status appointment_status NOT NULL,
    to_status appointment_status NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO appointment_transition VALUES
    ('held', 'confirmed'), ('held', 'cancelled'),
    ('confirmed', 'cancelled'), ('confirmed', 'completed'), ('confirmed', 'no_show'),
    ('cancelled', 'confirmed');

CREATE TABLE appointment (
    id text COLLATE "C" PRIMARY KEY,
    display_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT appointment_display_id UNIQUE,
    booking_number text COLLATE "C" NOT NULL,
    hold_id text COLLATE "C" NOT NULL REFERENCES hold CONSTRAINT appointment_per_hold UNIQUE,
    staff_id text COLLATE "C" NOT NULL REFERENCES staff,
    service_id text COLLATE "C" NOT NULL REFERENCES service,
    customer_id text,  -- The platform's, where they signed in.
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,  -- Without the buffers.
    status appointment_status NOT NULL DEFAULT 'held',
    -- The service as it was when booked: nothing that is changed of it later changes what was agreed.
    service_name text NOT NULL,
    buffer_before_minutes integer NOT NULL,
    buffer_minutes integer NOT NULL,
    price_amount numeric NOT NULL,
    currency_code text NOT NULL,
    deposit_amount numeric,
    free_cancellation_minutes integer NOT NULL,
    late_refund_percent numeric NOT NULL,
    payment_mode text CONSTRAINT appointment_payment_mode_known CHECK (payment_mode IN ('pay_in_store', 'deposit', 'full')),
    amount_paid numeric,
    customer_name text,
    customer_email text,
    customer_phone text,
    notes text,
    internal_notes text,
    metadata jsonb NOT NULL DEFAULT '{}',
    -- The platform's cart it is paid by, and until when somebody is busy making it: two who ask at once get one.
    cart_id text,
    cart_amount numeric,
    cart_wanted_until timestamptz,
    sequence integer NOT NULL DEFAULT 0,  -- Of its calendar entry: rises with every change that concerns the customer.
    changed_by text NOT NULL,  -- key:…, user:…, customer:…, guest, order, ledger, clock
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Since when its time and status are what they are: what a reminder would repeat needs no reminding.
    settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancellation_reason text,
    -- clock: its hold lapsed. ledger: its hold was given up. Both may be undone by an order; what people did may not.
    cancelled_by text,
    refund_amount numeric,  -- What is to be paid back, where something is.
    CONSTRAINT appointment_runs_forwards CHECK (start_at < end_at),
    CONSTRAINT appointment_cancelled_says_when CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
);
CREATE INDEX appointment_by_staff ON appointment (staff_id, start_at);  -- For list_appointments of one, and conflicts.
CREATE INDEX appointment_by_start ON appointment (start_at, id);  -- For list_appointments of all, and reminders.
-- For one's own.
CREATE INDEX appointment_by_customer ON appointment (customer_id, start_at) WHERE customer_id IS NOT NULL;
CREATE INDEX appointment_by_number ON appointment (booking_number);  -- For whoever has a number in hand.

-- What became of each appointment. Append-only.
CREATE TABLE appointment_change (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id text COLLATE "C" NOT NULL REFERENCES appointment,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    what text NOT NULL,   -- created, rescheduled, or the status it came to
    actor text NOT NULL,  -- as changed_by
    reason text,
    old_value jsonb,
    new_value jsonb NOT NULL
);
CREATE INDEX appointment_change_by_appointment ON appointment_change (appointment_id, n);

-- A trigger needs a function of the name; what these do is in bridge/sql/functions.
CREATE FUNCTION check_appointment() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE FUNCTION note_appointment() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION follow_appointment_hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION follow_appointment_allocation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER appointment_is_checked BEFORE UPDATE OF status, start_at, staff_id ON appointment
    FOR EACH ROW EXECUTE FUNCTION check_appointment();
CREATE TRIGGER appointment_is_made AFTER INSERT ON appointment FOR EACH ROW EXECUTE FUNCTION note_appointment();
CREATE TRIGGER appointment_is_changed AFTER UPDATE OF status, start_at, staff_id ON appointment
    FOR EACH ROW WHEN (
        new.status <> old.status OR new.start_at <> old.start_at OR new.staff_id <> old.staff_id
    ) EXECUTE FUNCTION note_appointment();
-- Whichever door confirms, releases or expires the hold, the appointment goes with it in the same transaction.
CREATE TRIGGER appointment_follows_hold AFTER UPDATE OF status ON hold
    FOR EACH ROW WHEN (new.status <> old.status AND new.kind IN ('appointment', 'order'))
    EXECUTE FUNCTION follow_appointment_hold();
CREATE TRIGGER appointment_follows_allocation AFTER UPDATE OF status ON allocation
    FOR EACH ROW WHEN (new.status <> old.status) EXECUTE FUNCTION follow_appointment_allocation();
