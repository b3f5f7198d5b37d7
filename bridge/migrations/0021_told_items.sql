-- Told items: as what a letter of the number told its customer of an item, so that the next one tells only what is new.
ALTER TABLE reservation_item ADD COLUMN told_as text CONSTRAINT reservation_item_told_as_known CHECK (told_as IN (
    'confirmed',  -- it is theirs
    'short'       -- paid for, and could not be had
));
-- What was short is whole after all: news as well, for a hold that has some of it is not posted again.
CREATE TRIGGER reservation_is_whole AFTER UPDATE OF status ON shortfall
    FOR EACH ROW WHEN (new.action = 'retry') EXECUTE FUNCTION owe_reservation_news();
