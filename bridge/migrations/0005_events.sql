-- Events: every piece of work that must survive. What platforms sent us, and what we owe others.
CREATE TYPE event_status AS ENUM (
    'pending',   -- due at next_attempt_at
    'applied',   -- its effect is in the database
    'ignored',   -- nothing to do; outcome says why
    'failed',    -- needs a person
    'discarded'  -- a person gave it up; outcome says why
);

CREATE TABLE event (
    id text COLLATE "C" PRIMARY KEY,
    source text NOT NULL,      -- 'medusa', …; 'bridge' for what we owe others
    dedupe_key text NOT NULL,  -- the webhook-id, or what makes our own work unique
    type text NOT NULL,
    queue text NOT NULL,
    order_id text,
    status event_status NOT NULL DEFAULT 'pending',
    outcome text,              -- one sentence for people: what was done, or why nothing was
    raw bytea NOT NULL,        -- exactly the bytes that came
    edited_payload bytea,      -- what ops made of them; applied instead of raw
    headers jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0,
    -- Reaches 0 after an hour and a half of back-off at most, three quarters of one on average: see bridge/core/events.py.
    attempts_left integer NOT NULL DEFAULT 16,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rings integer NOT NULL DEFAULT 0,  -- How often the relay has rung the broker for it since it became due.
    rung_at timestamptz,               -- Since when it has been rung and not claimed; null: not rung.
    claimed_by text,
    claimed_until timestamptz,
    error_code text,
    error text,
    duplicates integer NOT NULL DEFAULT 0,
    request_id text,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CONSTRAINT event_once UNIQUE (source, dedupe_key),
    CONSTRAINT event_finished_unless_pending CHECK ((status = 'pending') = (finished_at IS NULL))
) WITH (
    -- Each event is rewritten three times, and what is dead lies where the relay looks first: the default, a fifth of
    -- the table, would let a table of millions collect hundreds of thousands of dead entries.
    autovacuum_vacuum_scale_factor = 0.005,
    autovacuum_vacuum_threshold = 1000
);
CREATE INDEX event_due ON event (queue, next_attempt_at) WHERE status = 'pending';  -- For ring_due_events.
-- For the relay's window and the watchdog: never more rows than the window.
CREATE INDEX event_rung ON event (queue, rung_at) WHERE status = 'pending' AND rung_at IS NOT NULL;
CREATE INDEX event_claimed ON event (claimed_by) WHERE status = 'pending' AND claimed_by IS NOT NULL;  -- For free_lost_claims.
CREATE INDEX event_failed ON event (queue) WHERE status = 'failed';              -- For list_queues.
CREATE INDEX event_listing ON event (received_at DESC, id DESC);                 -- For list_events of all,
CREATE INDEX event_by_status ON event (status, received_at DESC, id DESC);       -- by status,
CREATE INDEX event_by_type ON event (type, received_at DESC, id DESC);           -- by type,
CREATE INDEX event_by_order ON event (order_id, received_at DESC) WHERE order_id IS NOT NULL;  -- and of one order.

-- Attempts: every try at an event, kept for ever beside it.
CREATE TABLE attempt (
    event_id text COLLATE "C" NOT NULL REFERENCES event ON DELETE CASCADE,
    n integer NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,  -- Null for ever: the worker died.
    outcome text,             -- applied, ignored, retry, failed
    error_code text,
    error text,
    traceback text,
    PRIMARY KEY (event_id, n)
);

-- What people did to events and queues. Append-only.
CREATE TABLE ops_action (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,  -- an event's id, a queue's name, or the filter
    reason text,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ops_action_by_target ON ops_action (target, n);

-- Queues that somebody paused: their events are received, and wait.
CREATE TABLE paused_queue (
    name text PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_by text NOT NULL
);

-- Processes: who is alive. A row older than a minute is a process that is gone.
CREATE TABLE process (
    kind text NOT NULL,  -- web, relay, worker, beat
    name text NOT NULL,  -- host:pid
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    progressed_at timestamptz,  -- When it last had work in hand.
    state jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (kind, name)
);

-- The auditor's last findings: empty is what it should be.
CREATE TABLE audit (
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seconds double precision NOT NULL,
    drift integer NOT NULL,
    findings jsonb NOT NULL
);
