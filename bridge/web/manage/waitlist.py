"""A guest's page of an entry of the waitlist: where it stands, and what is offered."""

from __future__ import annotations

from collections.abc import Callable

from flask import jsonify, redirect, url_for
from flask.typing import ResponseReturnValue

from bridge import db, letters, links
from bridge.core import acceptances, waitlist
from bridge.core.terms import terms_of
from bridge.rules.pricing import Party
from bridge.web.endpoints import settings
from bridge.web.manage import guest, load_form, page, wants_json
from schemas.waitlist import EntrySchema, GuestAcceptSchema

_one = EntrySchema()
_accept = GuestAcceptSchema()


def show(entry_id: str, token: str) -> ResponseReturnValue:
    """Where the entry stands this second."""
    with db.transaction() as conn:
        entry = waitlist.get_entry(conn, entry_id)
    if wants_json():
        return jsonify(_one.dump(entry))
    booking_url = links.manage_url(settings(), "booking", entry.booking_id) if entry.booking_id else None
    return page(
        "waitlist",
        entry=entry,
        token=token,
        booking_url=booking_url,
        when=letters.show_time,
        show_day=letters.show_day,
    )


def accept(entry_id: str, token: str) -> ResponseReturnValue:
    """Take the seats that are held: from here on it is a booking, with a page of its own."""
    body = load_form(_accept)
    party = Party(**body) if body.get("adults") else None
    with db.transaction() as conn:
        booking = acceptances.accept(conn, entry_id, party=party, terms=terms_of(settings()))
    if wants_json():
        return show(entry_id, token)
    return redirect(links.manage_url(settings(), "booking", booking.id), 303)


def leave(entry_id: str, token: str) -> ResponseReturnValue:
    """Leave the queue, or decline what is offered."""
    with db.transaction() as conn:
        waitlist.leave(conn, entry_id, actor=guest().name)
    if wants_json():
        return show(entry_id, token)
    return redirect(url_for("manage.show", token=token), 303)


ACTIONS: dict[str, Callable[[str, str], ResponseReturnValue]] = {"accept": accept, "leave": leave}
READS: set[str] = set()
