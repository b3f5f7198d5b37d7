"""A guest's page of a reservation: what is in it, with links to what has a page of its own."""

from __future__ import annotations

from collections.abc import Callable

from flask import jsonify
from flask.typing import ResponseReturnValue

from bridge import db, links
from bridge.core import reservations
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
    return page("reservation", reservation=reservation, links=urls)
