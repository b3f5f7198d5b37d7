"""Calendars: whether a party can come along on a date, why not, and when else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta

from bridge.core import slots
from bridge.core.slots import Slot, Tour
from bridge.core.terms import Terms
from bridge.db import Connection

_NOON = time(12)  # What is nearest to a date is nearest to the middle of it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Departures with room for the whole party. Without any, `reason` says why, and `alternatives` when else."""

    tour: Tour
    slots: Sequence[Slot]
    reason: str | None
    waitlist_available: bool
    alternatives: Sequence[Slot]


def check_availability(
    conn: Connection,
    *,
    tour_id: str,
    requested_date: date,
    num_people: int,
    requested_time: time | None,
    terms: Terms,
) -> Availability:
    """Whether a party can book a departure on a date, and at a time if one is given. Raises ResourceNotFound.

    One statement, and one more for the alternatives of a refusal.
    """
    tour, found = slots.list_slots(
        conn, tour_id=tour_id, start_date=requested_date, end_date=requested_date, window=terms.window
    )
    departures = [slot for slot in found if requested_time in {None, slot.start_time}]
    if not terms.min_size <= num_people <= terms.max_size:
        return Availability(tour=tour, slots=[], reason="party_size", waitlist_available=False, alternatives=[])
    roomy = [slot for slot in departures if slot.fits(num_people)]
    if roomy:
        return Availability(tour=tour, slots=roomy, reason=None, waitlist_available=False, alternatives=[])
    reason = _reason(tour, departures, requested_date, terms)
    return Availability(
        tour=tour,
        slots=[],
        reason=reason,
        # Who would never fit need not wait.
        waitlist_available=any(slot.reason is None and slot.max_capacity >= num_people for slot in departures),
        alternatives=slots.nearest_slots(
            conn,
            tour_id=tour_id,
            on_date=requested_date,
            at_time=requested_time or _NOON,
            seats=num_people,
            window=terms.window,
        ),
    )


def _reason(tour: Tour, departures: Sequence[Slot], on_date: date, terms: Terms) -> str:
    if not departures:
        if tour.is_closed:
            return "blackout"
        if on_date < tour.today:
            return "too_late"
        is_beyond = on_date > tour.today + timedelta(days=terms.window.advance_days)
        return "too_far_ahead" if is_beyond else "no_departures"
    reasons = [slot.reason for slot in departures]
    if None in reasons:
        return "sold_out"
    return next((reason for reason in _WORDS if reason in reasons), "slot_cancelled")


_WORDS = ("blackout", "too_late", "too_far_ahead")  # By what says most; whatever else closes one reads as cancelled.
