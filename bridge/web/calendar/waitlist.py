"""/api/calendar/waitlist: waiting for seats on departures that are full."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db, errors, links
from bridge.config import Config
from bridge.core import acceptances, offers, parties, terms, waitlist
from bridge.core.offers import Rule
from bridge.core.waitlist import Entry
from bridge.rules.pricing import Party
from bridge.web import auth
from bridge.web.calendar.bookings import show_made
from bridge.web.endpoints import endpoint, settings
from bridge.web.limits import limit, limit_writes
from schemas.bookings import MadeBookingSchema
from schemas.waitlist import (
    AcceptOfferSchema,
    EntriesSchema,
    EntrySchema,
    JoinedSchema,
    JoinWaitlistSchema,
    OwnEntriesQuerySchema,
    TokenQuerySchema,
)

LINK = "waitlist"  # The kind of a guest's link to an entry.

blueprint = Blueprint("calendar_waitlist", __name__, url_prefix="/api/calendar/waitlist")
blueprint.before_request(limit_writes)

_entry = EntrySchema()
_joined = JoinedSchema()
_page = EntriesSchema()


@blueprint.post("")
@endpoint(
    body=JoinWaitlistSchema,
    answers={201: JoinedSchema, 200: JoinedSchema},
    errors=(
        errors.ResourceNotFound,
        errors.SlotNotFound,
        errors.NothingToWaitFor,
        errors.SeatsAvailable,
        errors.AlreadyWaiting,
        errors.PartySize,
        errors.TooLate,
        errors.TooFarAhead,
        errors.BlackedOut,
        errors.SlotCancelled,
    ),
    creates=True,
)
def join_waitlist(body: dict[str, Any]) -> Any:
    """Wait for seats on a departure that is full, or on any of a date; 200 when one stands there already."""
    limit("email", body["customer_email"])
    config = settings()
    parties.check_size(Party(adults=body["num_people"]), terms.terms_of(config))
    caller = auth.identify()
    with db.transaction() as conn:
        offers.keep_rule(conn, Rule.from_config(config))
        joined = waitlist.join(
            conn,
            **body,
            customer_id=caller.customer_id if caller else None,
            advance_days=config.booking_advance_days,
        )
    return show_joined(joined.entry, config), 200 if joined.is_replay else 201


@blueprint.get("/me")
@endpoint(query=OwnEntriesQuerySchema, answers={200: EntriesSchema}, errors=(errors.Unauthorized,))
def list_own_entries(query: dict[str, Any]) -> Any:
    """One's own entries, the newest first. For customers who are signed in."""
    caller = auth.identify()
    if caller is None or caller.customer_id is None:
        raise errors.Unauthorized
    with db.transaction() as conn:
        page, count = waitlist.list_entries(conn, customer_id=caller.customer_id, **query)
    return _page.dump({"waitlist_entries": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<entry_id>")
@auth.for_somebody
@endpoint(
    query=TokenQuerySchema,
    answers={200: EntrySchema},
    errors=(errors.EntryNotFound, errors.NotYourEntry, errors.LinkInvalid),
    documents=auth.OR_LINK,
)
def get_entry(entry_id: str, query: dict[str, Any]) -> Any:
    """An entry as it stands this second, for who waits."""
    with db.transaction() as conn:
        entry = waitlist.get_entry(conn, entry_id)
    check_owner(entry, query["token"])
    return _entry.dump(entry)


@blueprint.post("/<entry_id>/accept")
@auth.for_somebody
@endpoint(
    body=AcceptOfferSchema,
    query=TokenQuerySchema,
    answers={200: MadeBookingSchema},
    errors=(
        errors.EntryNotFound,
        errors.NotYourEntry,
        errors.LinkInvalid,
        errors.NothingOffered,
        errors.OfferExpired,
        errors.EntryClosed,
        errors.PartySize,
    ),
    documents=auth.OR_LINK,
)
def accept_offer(entry_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Take the seats that are held: a booking in the very same, to be paid as any other. Again: the same booking."""
    with db.transaction() as conn:
        check_owner(waitlist.get_entry(conn, entry_id), query["token"])
        booking = acceptances.accept(conn, entry_id, party=read_party(body), terms=terms.terms_of(settings()))
    return show_made(booking)


@blueprint.delete("/<entry_id>")
@auth.for_somebody
@endpoint(
    query=TokenQuerySchema,
    answers={200: EntrySchema},
    errors=(errors.EntryNotFound, errors.NotYourEntry, errors.LinkInvalid, errors.EntryClosed),
    documents=auth.OR_LINK,
)
def leave_waitlist(entry_id: str, query: dict[str, Any]) -> Any:
    """Leave the queue, or decline what is offered: then it goes to the next."""
    with db.transaction() as conn:
        check_owner(waitlist.get_entry(conn, entry_id), query["token"])
        entry = waitlist.leave(conn, entry_id, actor=auth.actor())
    return _entry.dump(entry)


def read_party(body: dict[str, Any]) -> Party | None:
    """The party that accepts; None: as many adults as there are seats."""
    if body["num_adults"] is None:
        return None
    return Party(adults=body["num_adults"], children=body["num_children"], infants=body["num_infants"])


def check_owner(entry: Entry, token: str | None) -> None:
    """Let only its customer, the guest who has its link, and staff go on. Raises NotYourEntry or LinkInvalid."""
    caller = auth.identify()
    is_theirs = caller is not None and caller.customer_id is not None and caller.customer_id == entry.customer_id
    if is_theirs or (caller is not None and "admin" in caller.scopes):
        return
    if token is None or links.read(settings(), token) != (LINK, entry.id):
        raise errors.NotYourEntry


def show_joined(entry: Entry, config: Config) -> dict[str, Any]:
    """The entry with the link by which a guest manages it."""
    shown: dict[str, Any] = _joined.dump(entry)
    return shown | {"manage_url": links.manage_url(config, LINK, entry.id)}
