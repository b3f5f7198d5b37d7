"""Booking an appointment: with somebody, or with whoever is free; and what is near it when it cannot be had."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bridge import db, errors, sql
from bridge.core import diaries
from bridge.core.appointments import Appointment
from bridge.core.diaries import Crew, Diary
from bridge.core.services import Service
from bridge.db import Connection
from bridge.ids import new_id
from bridge.rules.openings import claims_of, local_date
from bridge.rules.slots import quarter_slot, quarter_start

queries = sql.load("appointments")

ALTERNATIVES = 5
_DAYS_AROUND = 7  # How far from the wanted day alternatives are looked for.
_TRIES = 5  # Rules that change five times while somebody books are changing for good.
# Letters and digits nobody takes for one another, as in the ids.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to book. Without `staff_id`: with anybody."""

    service_id: str
    start_at: datetime
    staff_id: str | None = None
    customer_id: str | None = None
    customer_name: str | None = None
    customer_email: str | None = None
    customer_phone: str | None = None
    notes: str | None = None
    internal_notes: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class _Stale(Exception):
    """The rules, or the service, were changed since they were read."""


def place_appointment(
    conn: Connection,
    wish: Wish,
    *,
    term: timedelta,
    hard_term: timedelta,
    actor: str,
    booking_number: str | None = None,
) -> Appointment:
    """Hold the time of the member of staff wanted, or of the one with the least to do that day who is free.

    Raises ServiceNotFound, StaffNotFound, ServiceNotOffered, OffGrid, InThePast, TooLate, TooFarAhead,
    OutsideBusinessHours, SlotUnavailable; the last two name the nearest times that are free.
    """
    start = quarter_slot(wish.start_at)
    if quarter_start(start) != wish.start_at:
        raise errors.OffGrid
    terms: dict[str, Any] = {
        "term": term,
        "hard_term": hard_term,
        "actor": actor,
        "booking_number": booking_number or new_number(),
    }
    if placed := _place_by_memory(conn, wish, start, **terms):
        return placed
    for _ in range(_TRIES):
        crew = crew_for(conn, wish)
        try:
            # Whoever is asked for several times over tries them one after another: see _try.
            for diary in candidates(crew, start):
                if placed := _try(conn, crew.service, diary, wish, start, **terms):
                    return placed
        except _Stale:
            continue
        raise unavailable(conn, wish, errors.SlotUnavailable)
    raise errors.Unavailable("The opening hours are being changed right now; try again.", retry_after=1)


def _place_by_memory(conn: Connection, wish: Wish, start: int, **terms: Any) -> Appointment | None:
    """The appointment by the hours as they were read last, in one round trip; None when that was not to be.

    Then nothing has happened, and the way that reads what is true now also says why.
    """
    known = diaries.recall(wish.service_id, wish.staff_id) if wish.staff_id is not None else None
    if known is None or not known[1].works_at(start, known[0].shape):
        return None
    try:
        return _try(conn, *known, wish, start, **terms)
    except _Stale:
        return None


def list_alternatives(conn: Connection, wish: Wish) -> list[dict[str, Any]]:
    """The nearest free times {start_at, end_at, staff_id}: of the member of staff wanted, or of anybody."""
    wanted = wish.start_at.date()
    crew = diaries.open_crew(
        conn,
        service_id=wish.service_id,
        staff_id=wish.staff_id,
        first_day=wanted - timedelta(days=_DAYS_AROUND),
        last_day=wanted + timedelta(days=_DAYS_AROUND),
    )
    start = quarter_slot(wish.start_at)
    free: dict[int, str] = {}  # One for each time: who wants other times is not helped by other staff.
    for n in range(-_DAYS_AROUND, _DAYS_AROUND + 1):
        for diary in crew.diaries:
            for slot in crew.starts(diary, wanted + timedelta(days=n)).free:
                free.setdefault(slot, diary.staff_id)
    nearest = sorted(sorted(free, key=lambda slot: (abs(slot - start), slot))[:ALTERNATIVES])
    length = timedelta(minutes=crew.service.duration_minutes)
    return [
        {"start_at": quarter_start(slot), "end_at": quarter_start(slot) + length, "staff_id": free[slot]}
        for slot in nearest
    ]


def check_time(crew: Crew, wish: Wish, start: int) -> None:
    """Raise InThePast, TooLate, TooFarAhead or ServiceNotOffered where no opening hours could help."""
    service = crew.service
    if wish.start_at <= crew.now:
        raise errors.InThePast
    if start < crew.earliest:
        raise _too_late(service)
    if wish.staff_id is not None and not crew.diaries:
        raise errors.ServiceNotOffered
    if crew.diaries and all(crew.is_too_far(diary, _day(diary, start)) for diary in crew.diaries):
        raise _too_far(service)


def unavailable(conn: Connection, wish: Wish, refusal: type[errors.Conflict]) -> errors.Conflict:
    """The refusal, with the nearest times that are free."""
    return refusal(alternatives=list_alternatives(conn, wish))


def candidates(crew: Crew, start: int) -> Iterator[Diary]:
    """Who is free at `start`, the one with the least to do that day first."""
    free = [diary for diary in crew.diaries if start in crew.starts(diary, _day(diary, start)).free]
    # Drawn by lot among equals: all who ask at the same instant would try the same one first.
    lots = {diary.staff_id: secrets.randbelow(1 << 16) for diary in free}
    return iter(sorted(free, key=lambda diary: (_load(diary, _day(diary, start)), lots[diary.staff_id])))


def new_number() -> str:
    """A fresh booking number, such as BK-7Q2MXK9T."""
    bits = secrets.randbits(40)
    return "BK-" + "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 40, 5))


def crew_for(conn: Connection, wish: Wish) -> Crew:
    """Who could do it, by the rules and what is taken; a refusal where that is nobody. See place_appointment."""
    around = wish.start_at.date()  # In UTC: the local date is this one or beside it.
    crew = diaries.open_crew(
        conn,
        service_id=wish.service_id,
        staff_id=wish.staff_id,
        first_day=around - timedelta(days=1),
        last_day=around + timedelta(days=1),
    )
    start = quarter_slot(wish.start_at)
    check_time(crew, wish, start)
    if any(start in crew.starts(diary, _day(diary, start)).offered for diary in crew.diaries):
        return crew
    raise unavailable(conn, wish, errors.OutsideBusinessHours)


def _load(diary: Diary, day: date) -> int:
    return sum(1 for slot in diary.taken.full if local_date(diary.hours.time_zone, slot) == day)


def _day(diary: Diary, start: int) -> date:
    return local_date(diary.hours.time_zone, start)


def _try(
    conn: Connection, service: Service, diary: Diary, wish: Wish, start: int, *, booking_number: str, **terms: Any
) -> Appointment | None:
    """The appointment with one member of staff; None when somebody was faster. Raises _Stale, and why not.

    A transaction of its own, or a savepoint: what it locks in vain is let go before the next one is tried, so that
    nobody waits for two members of staff at once.
    """
    claims = claims_of(service.shape, start)
    given = {
        "id": new_id("book"),
        "hold_id": new_id("hold"),
        "booking_number": booking_number,
        "staff_id": diary.staff_id,
        "staff_revision": diary.revision,
        "time_zone": diary.hours.time_zone,
        "service_id": service.id,
        "service_revision": service.revision,
        "start_at": wish.start_at,
        "slots": [slot for slot, _weight in claims],
        "quantities": [weight for _slot, weight in claims],
        "deposit": service.deposit,
        "customer_id": wish.customer_id,
        "name": wish.customer_name,
        "email": wish.customer_email,
        "phone": wish.customer_phone,
        "notes": wish.notes,
        "internal_notes": wish.internal_notes,
        "metadata": Jsonb(wish.metadata),
        # What the hold stands for, also when some of it is gone: an order wants all of it or none.
        "hold_metadata": Jsonb({"slots": [[diary.staff_id, slot, weight] for slot, weight in claims]}),
        **terms,
    }
    if conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        answer = db.one(conn.execute(queries.place_appointment, given))
    else:
        with conn.transaction() as attempt:
            answer = db.one(conn.execute(queries.place_appointment, given))
            if answer["outcome"] != "placed":
                raise psycopg.Rollback(attempt)
    match answer["outcome"]:
        case "placed":
            return _placed(service, diary, wish, given, answer)
        case "stale":
            raise _Stale
        case "past":
            raise errors.InThePast
        case "too_late":
            raise _too_late(service)
        case "too_far":
            raise _too_far(service)
        case "resource_not_found":
            raise errors.StaffNotFound
    return None


def _too_late(service: Service) -> errors.TooLate:
    return errors.TooLate(f"This has to be booked {service.notice_minutes} minutes before it starts.")


def _too_far(service: Service) -> errors.TooFarAhead:
    return errors.TooFarAhead(f"This can be booked {service.advance_days} days ahead.")


def _placed(service: Service, diary: Diary, wish: Wish, given: dict[str, Any], answer: dict[str, Any]) -> Appointment:
    return Appointment(
        **{name: getattr(wish, name) for name in Wish.__dataclass_fields__ if name != "staff_id"},
        id=given["id"],
        display_id=answer["display_id"],
        booking_number=given["booking_number"],
        hold_id=given["hold_id"],
        staff_id=diary.staff_id,
        time_zone=diary.hours.time_zone,
        end_at=wish.start_at + timedelta(minutes=service.duration_minutes),
        status="held",
        hold_expires_at=answer["expires_at"],
        service_name=service.name,
        price_amount=service.price,
        currency_code=service.currency_code,
        deposit_amount=service.deposit,
        created_at=answer["created_at"],
        updated_at=answer["created_at"],
        read_at=answer["created_at"],
    )
