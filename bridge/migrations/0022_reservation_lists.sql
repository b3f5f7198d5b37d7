-- Lists of reservations: what people look one up by, each by an index.
CREATE INDEX reservation_by_email ON reservation (customer_email, created_at DESC) WHERE customer_email IS NOT NULL;  -- For list_reservations of a customer,
CREATE INDEX reservation_by_order ON reservation (order_id) WHERE order_id IS NOT NULL;                               -- of an order,
CREATE INDEX hold_reserved ON hold (resource_id, booking_number) WHERE booking_number IS NOT NULL;                    -- and of a resource.
CREATE INDEX checkout_by_reservation ON checkout (booking_number, created_at DESC);  -- For the payments that were begun.
