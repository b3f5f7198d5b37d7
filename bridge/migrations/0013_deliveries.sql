-- Deliveries of webhooks are events; what a receiver answered is kept with the attempt.
ALTER TABLE attempt ADD COLUMN http_status integer;
ALTER TABLE attempt ADD COLUMN answer text;  -- its beginning

-- For how many deliveries of a webhook are under way: never many, however many wait.
CREATE INDEX event_under_way_by_webhook ON event (webhook_id)
    WHERE status = 'pending' AND webhook_id IS NOT NULL AND (rung_at IS NOT NULL OR claimed_by IS NOT NULL);
CREATE INDEX event_failed_by_webhook ON event (webhook_id) WHERE status = 'failed' AND webhook_id IS NOT NULL;  -- For list_webhooks.
