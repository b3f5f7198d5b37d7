-- Capacity: one row per resource and slot. Its counters are the only thing a sale is decided on.
CREATE TABLE capacity (
    resource_id text COLLATE "C" NOT NULL REFERENCES resource,
    slot_no bigint NOT NULL,
    on_date date NOT NULL,  -- The local date this slot falls on: what blackouts and reports go by.
    max_capacity integer NOT NULL,
    held integer NOT NULL DEFAULT 0,
    allocated integer NOT NULL DEFAULT 0,
    -- Every excess somebody decided on: a cut below what is sold, a forced order. Nothing else may exceed max_capacity.
    overbooked integer NOT NULL DEFAULT 0,
    closed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (resource_id, slot_no),
    -- One constraint, not four: each costs its share of every sale.
    CONSTRAINT capacity_not_negative CHECK (max_capacity >= 0 AND held >= 0 AND allocated >= 0 AND overbooked >= 0),
    CONSTRAINT never_overbook CHECK (held + allocated <= max_capacity + overbooked)
) WITH (fillfactor = 50);  -- Room for a new version of each row on its own page, so that no index is touched.
