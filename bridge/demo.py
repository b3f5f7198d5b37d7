"""The demo catalogue: something to look at in a fresh installation."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal

from bridge import db
from bridge.core import departures, schedules, services, staff
from bridge.db import Connection
from bridge.rules.slots import day_slot

DAYS = 180
DAYS_OF_DEPARTURES = 90  # As far as BOOKING_ADVANCE_DAYS reaches; beat goes on from there.
CRUISE = "res_demo_harbour_cruise"  # Sold by the seat: see docs/tours.md.
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
        return made + _load_cruise(connection, time_zone) + _open_barbershop(connection, time_zone) > 0


def _load_cruise(connection: Connection, time_zone: str) -> int:
    """A tour that departs every day at nine, where there is none yet; how many were made."""
    made = connection.execute(
        "INSERT INTO resource (id, type, name, time_zone, price_per_person) VALUES (%s, 'TOUR', %s, %s, 75)"
        " ON CONFLICT DO NOTHING",
        [CRUISE, "Harbour cruise", time_zone],
    ).rowcount
    if made:
        schedule = schedules.create_schedule(
            connection,
            tour_id=CRUISE,
            name="Mornings",
            start_time=time(9),
            duration_minutes=180,
            recurrence="daily",
            weekdays=[],
            custom_rule=None,
            max_capacity=12,
            min_capacity=2,
            valid_from=date.today(),
            valid_until=None,
            price_override=None,
            is_active=True,
        )
        departures.fill(connection, schedule.id, advance_days=DAYS_OF_DEPARTURES)
    return made


def _open_barbershop(connection: Connection, time_zone: str) -> int:
    """A service, and a barber who does it, where nobody does anything yet; how many were made."""
    if connection.execute("SELECT FROM staff LIMIT 1").rowcount:
        return 0
    service_id = services.create_service(
        connection,
        name="Haircut",
        description="With a wash before it.",
        duration_minutes=30,
        buffer_minutes=10,
        price=Decimal(40),
        currency_code="aud",
        deposit_type="percent",
        deposit_value=Decimal(25),
        payment_modes_allowed=["pay_in_store", "deposit", "full"],
    ).id
    # Weekdays with a break for lunch, and Saturday mornings.
    week = [(day, opens, closes) for day in range(5) for opens, closes in ((9, 12), (13, 17))]
    rules = [
        {"day_of_week": day, "opens": opens * 60, "closes": closes * 60} for day, opens, closes in (*week, (5, 9, 13))
    ]
    staff.create_member(connection, name="Sam the barber", time_zone=time_zone, service_ids=[service_id], rules=rules)
    return 1
