"""What an item of a reservation takes of the ledger and what it costs: dates, a departure's seats, somebody's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge import errors, sql
from bridge.core import parties, placements, resources, slots
from bridge.core.placements import Wish
from bridge.core.takes import Kind, Take
from bridge.core.terms import Terms as TourTerms
from bridge.db import Connection
from bridge.rules.openings import claims_of
from bridge.rules.pricing import Party, price_party
from bridge.rules.slots import day_slots, quarter_slot, quarter_start

queries = sql.load("reservations")

_NAMES = ("resource_id", "slot_id", "service_id", "staff_id")
_WHOLE_CHAIR = 2  # What a member of staff's quarter hour holds: a service weighs 2, its buffer 1.


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What goes for items whose resource says nothing else."""

    term: timedelta
    currency_code: str
    tours: TourTerms
    variant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item, ready to be held."""

    resource_id: str
    kind: Kind
    takes: Sequence[Take]
    quantity: int
    title: str
    details: dict[str, Any] = field(default_factory=dict)
    term: timedelta
    line_quantity: int
    unit_price: Decimal | None
    currency_code: str
    variant_id: str | None
    wish: Wish | None = None  # Of somebody's time: who and when.
    is_any: bool = False  # Anybody's would do.


def read_items(conn: Connection, asked: Sequence[dict[str, Any]], *, terms: Terms) -> list[Item]:
    """What each of `asked` wants, in their order.

    Raises what keeps one of them from being sold at all, naming it: as booking it by itself would.
    """
    named = sorted({item["resource_id"] for item in asked if item.get("resource_id")})
    rows = {row["id"]: row for row in conn.execute(queries.list_resources_for_items, {"resource_ids": named})}
    items: list[Item] = []
    for index, item in enumerate(asked):
        with _naming(index, item):
            if "slot_id" in item:
                items.append(_read_departure(conn, item, terms))
            elif "service_id" in item:
                items.append(_read_service(conn, item, items, terms))
            else:
                items.append(_read_days(item, rows.get(item["resource_id"]), terms))
    return items


@contextmanager
def _naming(index: int, asked: dict[str, Any]) -> Iterator[None]:
    """Say in a refusal which item it is of."""
    try:
        yield
    except errors.BridgeError as error:
        error.message = f"items.{index}: {error.message}"
        error.details["index"] = index
        if isinstance(error, errors.Conflict):
            named = {name: asked[name] for name in _NAMES if asked.get(name)}
            error.details["items"] = [{"index": index, **named, "reason": error.code}]
        raise


def _read_days(asked: dict[str, Any], resource: dict[str, Any] | None, terms: Terms) -> Item:
    """Some dates of a resource sold by the day."""
    if resource is None:
        raise errors.ResourceNotFound(resource_id=asked["resource_id"])
    if resource["grain"] != "day":
        raise errors.WrongGrain
    dates: list[date] = sorted(asked["dates"])
    if past := [day.isoformat() for day in dates if day < resource["today"]]:
        raise errors.PastDates(
            f"The dates lie in the past: {', '.join(past)}", past_dates=past, today=resource["today"].isoformat()
        )
    metadata = resource["metadata"]
    price = _price(metadata.get("price", resource["price_per_person"]))
    return Item(
        resource_id=resource["id"],
        kind="cart",
        takes=[Take(resource["id"], slot, asked["quantity"]) for slot in day_slots(dates)],
        quantity=asked["quantity"],
        title=resource["name"],
        details={"dates": [day.isoformat() for day in dates]},
        term=_term(resource["hold_minutes"], terms),
        # What is ordered of a day resource is its line's quantity, so all of its days are in the price of one.
        line_quantity=asked["quantity"],
        unit_price=None if price is None else price * len(dates),
        currency_code=str(metadata.get("currency_code") or terms.currency_code).lower(),
        variant_id=metadata.get("variant_id") or terms.variant_id,
    )


def _read_departure(conn: Connection, asked: dict[str, Any], terms: Terms) -> Item:
    """A party's seats on a departure of a tour: all of them together, at the tour's price."""
    slot = slots.get_slot(conn, asked["slot_id"], window=terms.tours.window)
    tour = resources.get_resource(conn, slot.resource_id)
    if asked.get("resource_id") not in {None, tour.id}:
        raise errors.SlotNotFound
    if not tour.is_active or tour.deleted_at is not None:
        raise errors.ResourceNotFound
    party = Party(**asked["party"])
    parties.check_size(party, terms.tours)
    parties.check_open(conn, slot)
    seats = party.seats(infants_take_seats=tour.infants_take_seats)
    currency = terms.tours.currency_code
    price = price_party(party, per_person=slot.price_per_person, currency=currency, rates=terms.tours.rates)
    return Item(
        resource_id=tour.id,
        kind="booking",
        takes=[Take(tour.id, slot.slot_no, seats)],
        quantity=seats,
        title=tour.name,
        details={
            "slot_id": slot.id,
            "party": {"adult": party.adults, "child": party.children, "infant": party.infants},
            "slot_date": slot.slot_date.isoformat(),
            "start_time": slot.start_time.isoformat(),
            "start_at": _shown(slot.starts_at),
            "end_at": _shown(slot.ends_at),
            "time_zone": slot.time_zone,
        },
        term=_term(tour.hold_minutes, terms),
        # A party is ordered once, however many they are.
        line_quantity=1,
        unit_price=price.total_amount,
        currency_code=currency,
        variant_id=tour.metadata.get("variant_id") or terms.variant_id,
    )


def _read_service(conn: Connection, asked: dict[str, Any], before: Sequence[Item], terms: Terms) -> Item:
    """Somebody's time: of whom was asked for, or of who is free then and not wanted by an item `before`."""
    wish = Wish(service_id=asked["service_id"], start_at=asked["start_at"], staff_id=asked.get("staff_id"))
    start = quarter_slot(wish.start_at)
    if quarter_start(start) != wish.start_at:
        raise errors.OffGrid
    crew = placements.crew_for(conn, wish)
    service = crew.service
    claims = claims_of(service.shape, start)
    wanted = Counter({(take.resource_id, take.slot_no): take.quantity for item in before for take in item.takes})
    for diary in placements.candidates(crew, start):
        if all(wanted[diary.staff_id, slot] + weight <= _WHOLE_CHAIR for slot, weight in claims):
            break
    else:
        raise placements.unavailable(conn, wish, errors.SlotUnavailable)
    return Item(
        resource_id=diary.staff_id,
        kind="appointment",
        takes=[Take(diary.staff_id, slot, weight) for slot, weight in claims],
        quantity=1,
        title=service.name,
        details={
            "service_id": service.id,
            "staff_id": diary.staff_id,
            "start_at": _shown(wish.start_at),
            "end_at": _shown(wish.start_at + timedelta(minutes=service.duration_minutes)),
            "time_zone": diary.hours.time_zone,
        },
        term=_term(service.metadata.get("hold_minutes"), terms),
        line_quantity=1,
        unit_price=service.price,
        currency_code=service.currency_code.lower(),
        variant_id=service.metadata.get("variant_id") or terms.variant_id,
        wish=Wish(service_id=service.id, start_at=wish.start_at, staff_id=diary.staff_id),
        is_any=wish.staff_id is None,
    )


def _term(minutes: object, terms: Terms) -> timedelta:
    own = _price(minutes)
    return timedelta(minutes=float(own)) if own else terms.term


def _price(value: object) -> Decimal | None:
    """A number that staff wrote into some metadata; None where it is none that could be an amount."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= 10**9 else None


def _shown(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
