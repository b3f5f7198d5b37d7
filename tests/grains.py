"""One of everything that a basket can have, each to be had once: a van's day, a boat's only seat, a guide's hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from flask.testing import FlaskClient

from bridge import db
from tests.factories import at, counters, future_day, make_resource, make_shop
from tests.waiting import make_slot, make_tour, slot_id_of

DAY = future_day(20)  # Near enough for any advance window.
START = at("10:00", DAY)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What can be had once: how it is asked for, and how it is looked at."""

    resource_id: str
    item: dict[str, Any]
    query: dict[str, str]
    show_free: Callable[[Any], bool]

    def is_free(self, client: FlaskClient) -> bool:
        """Whether the public sees it as free."""
        answer = client.get("/api/check-availability", query_string=self.query)
        assert answer.status_code == 200, answer.json
        return self.show_free(answer.json)

    def taken(self) -> set[tuple[int, int]]:
        """(held, allocated) of its slots, as the rows have it: swept or not."""
        with db.transaction() as conn:
            found = set(counters(conn, self.resource_id))
        return found or {(0, 0)}


def make_van() -> Thing:
    """A van, of which there is one, for a day at 90."""
    with db.transaction() as conn:
        van, _days = make_resource(conn, capacity=1, days=1, first_day=DAY, name="A van")
        conn.execute("UPDATE resource SET metadata = %s WHERE id = %s", [orjson.dumps({"price": 90}).decode(), van])
    return Thing(
        resource_id=van,
        item={"resource_id": van, "dates": [str(DAY)], "quantity": 1},
        query={"resource_id": van, "date": str(DAY)},
        show_free=lambda shown: bool(shown["all_dates_available"]),
    )


def make_seat() -> Thing:
    """The one seat of a boat."""
    with db.transaction() as conn:
        tour = make_tour(conn)
        slot = slot_id_of(conn, make_slot(conn, tour, capacity=1, on=DAY))
    return Thing(
        resource_id=tour,
        item={"slot_id": slot, "party": {"adult": 1}},
        query={"resource_id": tour, "date": str(DAY)},
        show_free=lambda shown: bool(shown["available"]),
    )


def make_hour() -> Thing:
    """An hour of the only guide there is."""
    with db.transaction() as conn:
        service, guide = make_shop(conn, name="A guide", price=Decimal(80), duration_minutes=60)
    shown_start = START.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return Thing(
        resource_id=guide,
        item={"service_id": service, "start_at": START.isoformat()},
        query={"service_id": service, "date": str(DAY)},
        show_free=lambda shown: any(slot["available"] for slot in shown["slots"] if slot["start_at"] == shown_start),
    )


GRAINS = {"days": make_van, "departure": make_seat, "appointment": make_hour}
