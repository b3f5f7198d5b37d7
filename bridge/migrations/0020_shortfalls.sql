-- Shortfalls of a hold, whatever became of them: asked for with every event of an order, for each of its holds.
CREATE INDEX shortfall_by_hold ON shortfall (hold_id);  -- For lock_order_holds.
