-- The auditor goes round: a large ledger is checked in parts, one run after the other.
ALTER TABLE audit
    ADD COLUMN goes_on_at jsonb,             -- Where the next run goes on; null: the last one ended a round.
    ADD COLUMN round_ended_at timestamptz;   -- When everything had last been looked at.

-- How far orders have been compared with what the platform says of them: the last one compared.
ALTER TABLE platform_cursor ADD COLUMN compared_to text COLLATE "C" NOT NULL DEFAULT '';
