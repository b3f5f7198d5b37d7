-- Why a departure cannot be booked at this hour: too_late, too_far_ahead, or null when it can. Shown and decided by it.
CREATE OR REPLACE FUNCTION booking_window(
    p_starts_at timestamptz, p_slot_date date, p_time_zone text, p_cutoff interval, p_advance_days integer
) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_starts_at < now() + p_cutoff THEN 'too_late'
        WHEN p_slot_date > (now() AT TIME ZONE p_time_zone)::date + p_advance_days THEN 'too_far_ahead' END
$$;
