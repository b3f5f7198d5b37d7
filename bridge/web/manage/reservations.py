"""A guest's page of a reservation: what is in it, with links to what has a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from flask import jsonify
from flask.typing import ResponseReturnValue

from bridge import db, letters, links
from bridge.core import reservations
from bridge.core.reservations import ReservedItem
from bridge.rules.slots import day_runs
from bridge.web.api.reservations import show as show_json
from bridge.web.endpoints import settings
from bridge.web.manage import KINDS, page, wants_json

ACTIONS: dict[str, Callable[[str, str], ResponseReturnValue]] = {}
READS: set[str] = set()


def show(booking_number: str, _token: str) -> ResponseReturnValue:
    """The reservation as it stands this second."""
    with db.transaction() as conn:
        reservation = reservations.get_reservation(conn, booking_number)
        pages = reservations.list_bookings(conn, booking_number)
    if wants_json():
        return jsonify(show_json(reservation))
    # Cancelling goes by the terms of each: those of the tour, of the service.
    urls = {
        hold_id: links.manage_url(settings(), kind, booking_id)
        for hold_id, (kind, booking_id) in pages.items()
        if kind in KINDS
    }
    return page("reservation", reservation=reservation, links=urls, when=_when, money=letters.show_money)


def _when(item: ReservedItem) -> str:
    """When an item is, as its letter says it."""
    if days := [date.fromisoformat(day) for day in item.details.get("dates", [])]:
        return "; ".join(
            letters.show_day(first) if first == last else f"{letters.show_day(first)} to {letters.show_day(last)}"
            for first, last in day_runs(days)
        )
    return letters.show_time(datetime.fromisoformat(item.details["start_at"]), item.details["time_zone"])
