-- Reservations: several holds under one booking number, with one timer and one payment.
CREATE TABLE reservation (
    booking_number text COLLATE "C" PRIMARY KEY,  -- Whoever knows it may act for it.
    customer_email text,
    customer_name text,
    customer_phone text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,       -- The one timer: that of each hold of the number.
    hard_expires_at timestamptz NOT NULL,  -- No item and no grace goes past this.
    grace_given_at timestamptz,            -- When its one extension for payment was given.
    released_at timestamptz,               -- Given back as a whole before it was paid.
    -- The order that paid for it, as far as it named the number. What became of it is the status of its holds.
    source text,
    order_id text,
    ordered_at timestamptz,
    CONSTRAINT reservation_within_hard_cap CHECK (expires_at <= hard_expires_at),
    CONSTRAINT reservation_ordered_once CHECK (
        (order_id IS NULL) = (source IS NULL) AND (order_id IS NULL) = (ordered_at IS NULL))
);
CREATE INDEX reservation_listing ON reservation (created_at DESC, booking_number DESC);  -- For list_reservations.
CREATE INDEX reservation_expires_at ON reservation (expires_at);  -- For how many are open now.

-- Items: what each hold of a reservation is, in the customer's words, and what it costs. Fixed when it was added.
CREATE TABLE reservation_item (
    hold_id text COLLATE "C" PRIMARY KEY REFERENCES hold ON DELETE CASCADE,
    booking_number text COLLATE "C" NOT NULL REFERENCES reservation ON DELETE CASCADE,
    position integer NOT NULL,  -- In which order they were added.
    title text NOT NULL,
    details jsonb NOT NULL,     -- {dates}, {slot_id, party, …} or {service_id, start_at, …}
    term interval NOT NULL,     -- How long the number lasts from when an item is added: the longest of these.
    -- How it is sold: so many, at so much each. Null: its price is not ours to know.
    line_quantity integer NOT NULL CONSTRAINT reservation_item_quantity_positive CHECK (line_quantity > 0),
    unit_price numeric CONSTRAINT reservation_item_price_not_negative CHECK (unit_price >= 0),
    currency_code text NOT NULL,
    variant_id text,            -- The platform's product it is sold as.
    dropped_at timestamptz,     -- The customer took it out again.
    CONSTRAINT reservation_item_position UNIQUE (booking_number, position)
);

-- Checkouts: a payment that was begun for what a reservation had at that moment.
CREATE TABLE checkout (
    id text COLLATE "C" PRIMARY KEY,
    booking_number text COLLATE "C" NOT NULL REFERENCES reservation ON DELETE CASCADE,
    platform text NOT NULL CONSTRAINT checkout_platform_known CHECK (platform IN ('medusa', 'stripe')),
    hold_ids text[] NOT NULL,   -- What is paid for.
    claimed_until timestamptz,  -- While somebody asks the platform for it; past that it may be asked for again.
    reference text,             -- The platform's cart or session, once there is one,
    url text,                   -- and where the customer pays.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz       -- It no longer stands for the reservation: changed, run out, given back.
);
CREATE UNIQUE INDEX checkout_one_open ON checkout (booking_number) WHERE closed_at IS NULL;  -- Asked twice, begun once.

-- Refusals: how often an item was asked for and not had. Counted in a few rows a day, so that counting costs no queue.
CREATE TABLE refusal (
    resource_id text COLLATE "C" NOT NULL,
    on_date date NOT NULL,    -- The day it was asked on, in the resource's zone.
    reason text NOT NULL,     -- sold_out, blackout, not_open
    share smallint NOT NULL,  -- Which of the rows: those who count at once count in different ones.
    n integer NOT NULL,
    PRIMARY KEY (resource_id, on_date, reason, share)
);
CREATE INDEX refusal_on_date ON refusal (on_date);  -- For the analytics of all resources.
