-- Holds: capacity taken for a customer who has not paid yet. A pending transfer with a timeout.
CREATE TYPE hold_kind AS ENUM (
    'cart',         -- a customer in the shop
    'offer',        -- a freed place offered to somebody who waits for it
    'appointment',  -- a booking that is not confirmed yet
    'order'         -- made for an order that came without a hold of its own
);
CREATE TYPE hold_status AS ENUM (
    'ACTIVE',     -- capacity is taken until expires_at; past that it reads as EXPIRED
    'CONFIRMED',  -- posted: what is left of it belongs to an allocation
    'RELEASED',   -- given back by somebody
    'EXPIRED'     -- given back because its time ran out
);

CREATE TABLE hold (
    id text COLLATE "C" PRIMARY KEY,
    -- Who chose the key, and the key: the same request sent twice makes one hold.
    idempotency_scope text NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    kind hold_kind NOT NULL DEFAULT 'cart',
    status hold_status NOT NULL DEFAULT 'ACTIVE',
    booking_number text,  -- Ties the holds of one basket together.
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,  -- What the customer asked for.
    quantity integer NOT NULL CONSTRAINT hold_quantity_positive CHECK (quantity > 0),
    customer_email text,
    metadata jsonb NOT NULL DEFAULT '{}',
    -- The platform's cart that carries this hold, and its version of that: see core/carts.py.
    cart_id text,
    cart_updated_at timestamptz,
    term interval NOT NULL,  -- What one extension adds.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    hard_expires_at timestamptz NOT NULL,  -- No extension goes past this.
    closed_at timestamptz,  -- When it stopped being ACTIVE.
    closed_reason text,
    CONSTRAINT hold_idempotency UNIQUE (idempotency_scope, idempotency_key),
    CONSTRAINT hold_within_hard_cap CHECK (expires_at <= hard_expires_at),
    CONSTRAINT hold_closed_once CHECK ((status = 'ACTIVE') = (closed_at IS NULL))
);
CREATE INDEX hold_active_expires_at ON hold (expires_at) WHERE status = 'ACTIVE';  -- For expire_holds.
CREATE INDEX hold_by_booking_number ON hold (booking_number) WHERE booking_number IS NOT NULL;
CREATE INDEX hold_by_cart ON hold (cart_id) WHERE cart_id IS NOT NULL AND status = 'ACTIVE';  -- For release_dropped_holds.
CREATE INDEX hold_created_at ON hold USING brin (created_at);  -- For the report of expirations, and retention.

CREATE TYPE claim_state AS ENUM (
    'held',       -- counts in capacity.held until expires_at
    'allocated',  -- counts in capacity.allocated
    'released',   -- counts nowhere any more
    'expired'     -- counts nowhere any more: its time ran out
);

-- Claims: how much of which slot a hold takes. The counters of capacity are the sums of these.
CREATE TABLE claim (
    hold_id text COLLATE "C" NOT NULL REFERENCES hold ON DELETE CASCADE,
    resource_id text COLLATE "C" NOT NULL,
    slot_no bigint NOT NULL,
    quantity integer NOT NULL CONSTRAINT claim_quantity_positive CHECK (quantity > 0),
    state claim_state NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (hold_id, resource_id, slot_no),
    FOREIGN KEY (resource_id, slot_no) REFERENCES capacity,
    CONSTRAINT claim_expires_while_held CHECK ((state = 'held') = (expires_at IS NOT NULL))
);
-- For expire_claims and for reading availability: only what has lapsed is visited, however many are held.
CREATE INDEX claim_lapse ON claim (resource_id, slot_no, expires_at) WHERE state = 'held';
CREATE INDEX claim_allocated ON claim (resource_id, slot_no) WHERE state = 'allocated';  -- For who is booked when.

CREATE TYPE allocation_status AS ENUM ('CONFIRMED', 'CANCELLED');

-- Allocations: the same transfer, posted: capacity that belongs to a line of an order.
CREATE TABLE allocation (
    id text COLLATE "C" PRIMARY KEY,
    hold_id text COLLATE "C" NOT NULL REFERENCES hold,
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    source text NOT NULL,  -- Which platform the order is of.
    order_id text NOT NULL,
    line_item_id text,
    customer_email text,
    quantity integer NOT NULL CONSTRAINT allocation_quantity_not_negative CHECK (quantity >= 0),
    status allocation_status NOT NULL DEFAULT 'CONFIRMED',
    posted_late boolean NOT NULL DEFAULT false,  -- Its hold had lapsed when the order came.
    -- What people gave back by hand. An order never takes it again.
    cancelled_by_admin integer NOT NULL DEFAULT 0 CONSTRAINT allocation_cancelled_not_negative CHECK (cancelled_by_admin >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled_at timestamptz,
    cancel_reason text,
    CONSTRAINT allocation_posts_a_hold_once UNIQUE (hold_id),
    CONSTRAINT allocation_cancelled_once CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL))
);
CREATE INDEX allocation_by_order ON allocation (order_id, line_item_id);
CREATE INDEX allocation_listing ON allocation (resource_id, created_at DESC);  -- For list_allocations of one resource.
CREATE INDEX allocation_recent ON allocation (created_at DESC, id DESC);  -- For list_allocations of all.

-- Journal: every change of a claim, never edited. Who, when, why, by how much.
CREATE TABLE journal (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hold_id text COLLATE "C" NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    slot_no bigint NOT NULL,
    held_change integer NOT NULL,
    allocated_change integer NOT NULL,
    cause text NOT NULL,  -- place, confirm, release, expire, cancel, order, move, force, …
    actor text NOT NULL   -- who, or which event, asked for it
);
CREATE INDEX journal_by_hold ON journal (hold_id);  -- For the timeline of an order.
