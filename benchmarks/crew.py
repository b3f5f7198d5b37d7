"""Who appointments are measured with: a shop of fifty, open every day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from bridge import db
from bridge.core import appointments, placements, services, staff
from bridge.core.placements import Wish

STAFF = 50
ZONE = "Australia/Brisbane"
DAY = date.today() + timedelta(days=40)
# Every day from nine to five, as most shops have it: a rule for each weekday.
HOURS = [{"day_of_week": day, "opens": 9 * 60, "closes": 17 * 60} for day in range(7)]
OPENS_AT = datetime.combine(DAY, time(9), UTC) - timedelta(hours=10)  # Brisbane's clocks never change.


@dataclass(frozen=True)
class Crew:
    """The ids of a service and of those who do it, and a day on which they are booked."""

    service: str
    staff: Sequence[str]
    day: str


def make_crew(database_url: str, *, places: int = 2, booked: bool = True) -> Crew:
    """A shop; `booked` for half of DAY, or else with so many `places` that it never fills up."""
    with db.connect(database_url) as conn, conn.transaction():
        service = services.create_service(conn, name="Haircut", price=Decimal(40), currency_code="aud").id
        crew = [
            staff.create_member(conn, name=f"Member {n}", time_zone=ZONE, service_ids=[service], rules=HOURS).id
            for n in range(STAFF)
        ]
        conn.execute("UPDATE resource SET default_capacity = %s WHERE id = ANY (%s)", [places, crew])
        if booked:
            for n, member in enumerate(crew):
                for hour in range(8):
                    start = OPENS_AT + timedelta(hours=hour, minutes=15 * (n % 3))
                    held = placements.place_appointment(
                        conn,
                        Wish(service_id=service, staff_id=member, start_at=start),
                        term=timedelta(minutes=10),
                        hard_term=timedelta(minutes=60),
                        actor="benchmarks",
                    )
                    appointments.confirm_appointment(conn, held.id, actor="benchmarks")
    with db.connect(database_url) as conn:
        conn.execute("ANALYZE")
    return Crew(service, crew, DAY.isoformat())
