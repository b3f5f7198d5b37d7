"""The demo catalogue: something to look at in a fresh installation."""

from __future__ import annotations

from datetime import date, timedelta

from bridge import db
from bridge.rules.slots import day_slot

DAYS = 180
# (id, type, name, places a day). Fixed ids, so that a second load finds them and the README can name them.
CATALOGUE = (
    ("res_demo_kgari_day_tour", "TOUR", "K'gari one-day 4WD tour", 8),
    ("res_demo_rainforest_walk", "TOUR", "Rainforest walk", 12),
    ("res_demo_landcruiser", "VEHICLE", "Land Cruiser 4WD", 1),
    ("res_demo_guide_mia", "GUIDE", "Guide Mia", 1),
)


def load(database_url: str, *, time_zone: str = "Australia/Brisbane") -> bool:
    """Put the catalogue in, open from today; False when it was there already."""
    with db.connect(database_url) as connection, connection.transaction():
        made = 0
        for resource_id, kind, name, capacity in CATALOGUE:
            made += connection.execute(
                "INSERT INTO resource (id, type, name, time_zone) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [resource_id, kind, name, time_zone],
            ).rowcount
            first = date.today() - timedelta(days=1)  # Whatever the zone, today is open.
            connection.execute(
                "INSERT INTO capacity (resource_id, slot_no, on_date, max_capacity)"
                " SELECT %s, n, DATE '1970-01-01' + n, %s FROM generate_series(%s::int, %s::int) AS n"
                " ON CONFLICT DO NOTHING",
                [resource_id, capacity, day_slot(first), day_slot(first) + DAYS],
            )
        return made > 0
