-- The take that core/holds.py makes over HTTP, by pgbench: one call, one transaction.
\set resource random(0, :resources - 1)
\set slot random(:first_slot, :first_slot + :days - 1)
\set id random(1, 9000000000000000000)
SELECT * FROM place_hold(
    'hold_' || :id, 'store', 'bench-' || :id,
    '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'::bytea, 'cart', NULL,
    'res_bench_' || :resource, 1, 'user@example.test', '{}'::jsonb, INTERVAL '30 minutes', INTERVAL '120 minutes',
    ARRAY['res_bench_' || :resource], ARRAY[:slot::bigint], ARRAY[1], 'store'
);
