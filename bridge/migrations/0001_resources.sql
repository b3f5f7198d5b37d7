-- Resources: the things whose time is sold. Blackouts: when none of it is for sale.
CREATE TYPE resource_type AS ENUM ('VEHICLE', 'TOUR', 'GUIDE', 'STAFF');

-- What one slot of a resource is, and so what slot_no counts. Fixed once chosen.
CREATE TYPE grain AS ENUM (
    'day',          -- slot_no is the local date, in days since 1970-01-01
    'departure',    -- slot_no is the number of a departure
    'quarter_hour'  -- slot_no is the UTC epoch / 900; every zone's offset is a multiple of 15 minutes
);

-- What happens when a paid order can no longer be honoured.
CREATE TYPE shortfall_policy AS ENUM (
    'flag',         -- show it to people, change nothing
    'refund',       -- give the line up and pay it back
    'overbook',     -- sell up to overbook_limit more than there is
    'alternatives'  -- show it to people, with the nearest dates that have room
);

CREATE TABLE resource (
    id text COLLATE "C" PRIMARY KEY,
    type resource_type NOT NULL,
    grain grain NOT NULL DEFAULT 'day',
    name text NOT NULL,
    description text,
    metadata jsonb NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    time_zone text NOT NULL,
    -- How long a hold of this resource lasts; null takes HOLD_MINUTES.
    hold_minutes numeric CONSTRAINT resource_hold_minutes_positive CHECK (hold_minutes > 0),
    -- Capacity of a slot nobody has touched yet; only where slots are computed from rules.
    default_capacity integer CONSTRAINT resource_default_capacity_not_negative CHECK (default_capacity >= 0),
    shortfall_policy shortfall_policy NOT NULL DEFAULT 'flag',
    overbook_limit integer NOT NULL DEFAULT 0 CONSTRAINT resource_overbook_limit_not_negative CHECK (overbook_limit >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz
);
CREATE INDEX resource_listing ON resource (created_at DESC, id DESC) WHERE deleted_at IS NULL;  -- For list_resources.

CREATE TABLE blackout (
    id text COLLATE "C" PRIMARY KEY,
    resource_id text COLLATE "C" REFERENCES resource,  -- Null closes every resource.
    starts_on date NOT NULL,
    ends_on date NOT NULL,  -- Inclusive.
    reason text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    CONSTRAINT blackout_ends_after_it_starts CHECK (ends_on >= starts_on)
);
CREATE INDEX blackout_by_resource ON blackout (resource_id, ends_on) WHERE deleted_at IS NULL;  -- For every take.
