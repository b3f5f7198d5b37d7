-- Holds what is free on these slots for those who wait for it, in the transaction that frees it: the public never sees it.
-- By priority, then by age; a party gets all its seats or none, and those behind it may be served by what it cannot use.
-- But not for ever: the first of those that do not fit, once it has been passed over as often as waitlist_rule.patience
-- says, collects what becomes free on one departure, once, for one term. Where all its seats are to be had elsewhere it
-- takes those, and what it collected lapses. Every writer that gives back calls this, with its slots locked.
-- Locks entries, after capacity; a hold only where nobody works on it, for holds come before capacity.
-- p_is_release: something has become free, so whoever is passed over has waited once more. Answers how many got an offer.
CREATE OR REPLACE FUNCTION offer_places(p_resources text[], p_slots bigint[], p_is_release boolean DEFAULT true)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_rule waitlist_rule;
    v_slot record;
    v_entry waitlist_entry;
    v_free integer;
    v_collected_at bigint;
    v_collected integer;
    v_is_over boolean;
    v_head_passed boolean;
    v_offers integer := 0;
BEGIN
    IF NOT seats_waited_for(p_resources, p_slots) THEN RETURN 0; END IF;
    SELECT * INTO v_rule FROM waitlist_rule;
    IF NOT v_rule.is_automatic THEN RETURN 0; END IF;

    FOR v_slot IN
        SELECT c.resource_id, c.slot_no, c.on_date, c.max_capacity, d.starts_at - v_rule.cutoff AS closes_at,
            -- What has lapsed and is still counted is nobody's to give yet.
            least(f.free, c.max_capacity - c.held - c.allocated) AS free
        FROM free_slots(p_resources, p_slots) f
        JOIN capacity c ON c.resource_id = f.resource_id AND c.slot_no = f.slot_no
        JOIN slot d ON d.slot_no = c.slot_no
        JOIN resource r ON r.id = c.resource_id AND r.is_active AND r.deleted_at IS NULL
        WHERE d.starts_at - v_rule.cutoff > clock_timestamp()
        -- By date before number: two that give back on several dates lock the queues of these in one order.
        ORDER BY c.resource_id, c.on_date, c.slot_no
    LOOP
        CONTINUE WHEN v_slot.free <= 0;
        v_free := v_slot.free;
        v_head_passed := false;
        FOR v_entry IN
            SELECT e.* FROM waitlist_entry e
            WHERE e.resource_id = v_slot.resource_id AND e.requested_date = v_slot.on_date AND e.status = 'active'
                AND (e.slot_no IS NULL OR e.slot_no = v_slot.slot_no)
                -- However many large parties wait: only the first of those that do not fit has a claim to what is left.
                -- One that has collected had its turn.
                AND (e.num_people <= v_free OR e.hold_id IS NOT NULL OR e.id = (
                    SELECT h.id FROM waitlist_entry h
                    WHERE h.resource_id = v_slot.resource_id AND h.requested_date = v_slot.on_date AND h.status = 'active'
                        AND (h.slot_no IS NULL OR h.slot_no = v_slot.slot_no)
                        AND h.num_people > v_free AND h.num_people <= v_slot.max_capacity AND h.collects_until IS NULL
                    ORDER BY h.priority DESC, h.created_at, h.id LIMIT 1))
            ORDER BY e.priority DESC, e.created_at, e.id
            FOR UPDATE
        LOOP
            EXIT WHEN v_free <= 0;
            v_collected := 0;
            v_collected_at := NULL;
            IF v_entry.hold_id IS NOT NULL THEN
                SELECT k.slot_no, k.quantity, k.state = 'expired' OR k.expires_at <= clock_timestamp()
                INTO v_collected_at, v_collected, v_is_over
                FROM claim k WHERE k.hold_id = v_entry.hold_id AND k.state IN ('held', 'expired');
                -- Somebody closes it this very moment, and not the clock.
                CONTINUE WHEN NOT FOUND;
                IF v_is_over THEN
                    v_collected_at := NULL;
                ELSE
                    PERFORM FROM hold h WHERE h.id = v_entry.hold_id AND h.status = 'ACTIVE' FOR UPDATE SKIP LOCKED;
                    CONTINUE WHEN NOT FOUND;
                END IF;
                v_collected := CASE v_collected_at WHEN v_slot.slot_no THEN v_collected ELSE 0 END;
            END IF;
            IF v_entry.num_people - v_collected <= v_free THEN
                IF v_collected_at <> v_slot.slot_no THEN
                    -- Its departure may be locked by others, so its seats are not given back here: they lapse.
                    UPDATE hold SET expires_at = now() WHERE id = v_entry.hold_id;
                    UPDATE claim SET expires_at = now() WHERE hold_id = v_entry.hold_id;
                END IF;
                PERFORM offer_seats(v_entry, v_slot.slot_no, v_collected, v_entry.num_people - v_collected,
                    v_rule.offer_term, v_slot.closes_at);
                v_free := v_free - (v_entry.num_people - v_collected);
                v_offers := v_offers + 1;
            ELSIF v_entry.num_people > v_slot.max_capacity THEN
                CONTINUE;
            ELSIF v_collected > 0 OR (v_entry.collects_until IS NULL AND NOT v_head_passed
                    AND v_rule.patience > 0 AND v_entry.passed_over >= v_rule.patience) THEN
                PERFORM offer_seats(v_entry, v_slot.slot_no, v_collected, v_free, v_rule.offer_term, v_slot.closes_at);
                v_free := 0;
            ELSIF v_entry.collects_until IS NULL AND NOT v_head_passed THEN
                v_head_passed := true;
                IF p_is_release THEN
                    UPDATE waitlist_entry SET passed_over = passed_over + 1 WHERE id = v_entry.id;
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    RETURN v_offers;
END $$;
