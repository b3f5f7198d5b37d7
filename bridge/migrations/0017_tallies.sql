-- Tallies: what /metrics counts of bookings and of the waitlist, by an index alone.
CREATE INDEX booking_cancelled_by ON booking (cancelled_by) WHERE status IN ('cancelled', 'refunded');  -- For count_cancelled.
CREATE INDEX booking_confirmed_at ON booking (confirmed_at, created_at) WHERE confirmed_at IS NOT NULL;  -- For count_bookings.
CREATE INDEX waitlist_entry_converted ON waitlist_entry (id) WHERE status = 'converted';                 -- For count_bookings.
