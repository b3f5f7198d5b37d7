-- Orders: what the platform last told us of each, so that old news cannot undo new.
CREATE TABLE platform_order (
    source text NOT NULL,
    id text NOT NULL,
    version integer,
    updated_at timestamptz,
    cancelled_at timestamptz,  -- A tombstone: once set, no later arrival takes anything for this order.
    facts jsonb,               -- As applied last; what a shortfall is retried with.
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reconciled_at timestamptz,
    PRIMARY KEY (source, id)
);
CREATE INDEX platform_order_reconciled_at ON platform_order (reconciled_at);  -- For the auditor.

-- Where the reconciler got to in the platform's list of orders.
CREATE TABLE platform_cursor (
    source text PRIMARY KEY,
    seen_until timestamptz NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TYPE shortfall_status AS ENUM ('open', 'resolved', 'dismissed');
CREATE TYPE shortfall_action AS ENUM (
    'retry',    -- room was found after all
    'force',    -- sold above capacity, by decision
    'refund',   -- the line was given up and paid back
    'dismiss',  -- dealt with elsewhere
    'cancel'    -- the order no longer wants it
);

-- Shortfalls: a paid line whose seats are gone. Open until somebody, or new room, decides it.
CREATE TABLE shortfall (
    id text COLLATE "C" PRIMARY KEY,
    source text NOT NULL,
    order_id text NOT NULL,
    line_item_id text NOT NULL,
    hold_id text COLLATE "C" NOT NULL REFERENCES hold,
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    missing jsonb NOT NULL,       -- [{slot_no, quantity}]
    alternatives jsonb NOT NULL DEFAULT '[]',
    status shortfall_status NOT NULL DEFAULT 'open',
    policy shortfall_policy NOT NULL,
    action shortfall_action,
    note text,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    FOREIGN KEY (source, order_id) REFERENCES platform_order,
    CONSTRAINT shortfall_closed_once CHECK ((status = 'open') = (closed_at IS NULL)),
    CONSTRAINT shortfall_closed_by_an_action CHECK ((status = 'open') = (action IS NULL))
);
CREATE UNIQUE INDEX shortfall_one_open_per_hold ON shortfall (hold_id) WHERE status = 'open';
CREATE INDEX shortfall_by_order ON shortfall (source, order_id);
CREATE INDEX shortfall_listing ON shortfall (created_at DESC, id DESC);  -- For list_shortfalls.
