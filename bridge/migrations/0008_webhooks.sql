-- Webhooks: who wants to hear what happens here, and what they are yet to be told.
CREATE TABLE webhook (
    id text COLLATE "C" PRIMARY KEY,
    url text NOT NULL,
    types text[] NOT NULL CONSTRAINT webhook_types_named CHECK (types <> '{}'),  -- exact, 'booking.*', or '*'
    description text,
    secret text NOT NULL,      -- whsec_…: signing needs it as it is, so it cannot be kept as a hash
    old_secret text,           -- signs too until old_secret_until, so that a receiver may change in peace
    old_secret_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz,   -- Nothing is sent while it is set,
    disabled_reason text,      -- and this is why, for people.
    -- Its health. All deliveries wait until retry_at while it fails, but the one that tries it.
    failures integer NOT NULL DEFAULT 0,  -- in a row
    failing_since timestamptz,
    retry_at timestamptz,
    succeeded_at timestamptz,
    failed_at timestamptz,
    last_error text,
    CONSTRAINT webhook_disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CONSTRAINT webhook_old_secret_ends CHECK ((old_secret IS NULL) = (old_secret_until IS NULL)),
    CONSTRAINT webhook_failing_counts CHECK ((failures = 0) = (failing_since IS NULL))
);

-- Announcements: what happened and somebody wants to hear of. Kept until the relay has made a delivery of it for each.
CREATE TABLE announcement (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT announcement_once UNIQUE (key)
);

-- Which webhook an event is a delivery for; null: it is none.
ALTER TABLE event ADD COLUMN webhook_id text COLLATE "C";
-- For ring_due_deliveries, and for what waits for one webhook.
CREATE INDEX event_due_by_webhook ON event (webhook_id, next_attempt_at) WHERE status = 'pending' AND webhook_id IS NOT NULL;
-- For the deliveries of one webhook.
CREATE INDEX event_by_webhook ON event (webhook_id, received_at DESC, id DESC) WHERE webhook_id IS NOT NULL;

-- A trigger needs a function of the name; what these do is in bridge/sql/functions.
CREATE FUNCTION announce_hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION announce_allocation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION announce_depletion() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

-- Triggers, so that no door can forget to announce, nor do it twice. At the commit, when the claims stand.
-- Holds made for an order that came without one are no news: their allocation is.
CREATE CONSTRAINT TRIGGER hold_is_placed AFTER INSERT ON hold DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.status = 'ACTIVE' AND new.kind <> 'order') EXECUTE FUNCTION announce_hold();
CREATE CONSTRAINT TRIGGER hold_is_closed AFTER UPDATE OF status ON hold DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.status <> old.status AND new.status <> 'ACTIVE' AND new.kind <> 'order')
    EXECUTE FUNCTION announce_hold();
CREATE CONSTRAINT TRIGGER allocation_is_made AFTER INSERT ON allocation DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.status = 'CONFIRMED') EXECUTE FUNCTION announce_allocation();
CREATE CONSTRAINT TRIGGER allocation_is_changed AFTER UPDATE OF status, quantity ON allocation DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.status <> old.status OR new.quantity <> old.quantity) EXECUTE FUNCTION announce_allocation();
-- Most sales leave something: the condition costs them less than a function would.
CREATE CONSTRAINT TRIGGER capacity_is_depleted AFTER UPDATE ON capacity DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (
        new.held + new.allocated >= new.max_capacity AND old.held + old.allocated < old.max_capacity
    ) EXECUTE FUNCTION announce_depletion();
