-- Revisions: numbers that no two changes share, also when one of them is undone. What a process has computed from one
-- that was undone it would else take for what the next one of the same number says.
CREATE SEQUENCE revision START 1000000;  -- Above those that were counted one by one.
ALTER TABLE staff ALTER COLUMN revision SET DEFAULT nextval('revision');
ALTER TABLE service ALTER COLUMN revision SET DEFAULT nextval('revision');
