"""What lines of an order that came without a hold have sold, looked up by what they say of it."""

from __future__ import annotations

from bridge.core import passengers, sold_services
from bridge.db import Connection
from bridge.rules.known import Sold
from bridge.rules.orders import OrderFacts


def find_sold(conn: Connection, facts: OrderFacts) -> dict[str, Sold]:
    """What each line that names a departure or a service sold, by the line's id; a line that names neither is absent.

    Dates need no looking up: the planner reads them from the line itself.
    """
    return passengers.find_departures(conn, facts) | sold_services.find_sold(conn, facts)
