-- Bookings: another kind of hold, for a place on a tour that is not confirmed yet.
ALTER TYPE hold_kind ADD VALUE IF NOT EXISTS 'booking' BEFORE 'appointment';
