-- News of reservations: once the first item of a number is permanent, whichever door made it so, its customer is owed
-- one letter of all of it. The function is made beside the queries: sql/functions/6_owe_reservation_news.sql.
CREATE FUNCTION owe_reservation_news() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER reservation_is_paid AFTER INSERT ON allocation FOR EACH ROW EXECUTE FUNCTION owe_reservation_news();
