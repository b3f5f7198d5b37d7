"""/api/calendar/admin/waitlist: who waits for which departure, and who goes first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db
from bridge.core import offers, waitlist
from bridge.core.offers import Rule
from bridge.errors import EntryClosed, EntryNotFound, InsufficientCapacity
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from schemas.waitlist import ChangeEntrySchema, EntriesQuerySchema, EntriesSchema, EntrySchema

blueprint = Blueprint("calendar_admin_waitlist", __name__, url_prefix="/api/calendar/admin/waitlist")
blueprint.before_request(auth.demand("admin"))

_entry = EntrySchema()
_page = EntriesSchema()


@blueprint.get("")
@endpoint(query=EntriesQuerySchema, answers={200: EntriesSchema})
def list_entries(query: dict[str, Any]) -> Any:
    """List entries, the newest first."""
    with db.transaction() as conn:
        page, count = waitlist.list_entries(conn, **query)
    return _page.dump({"waitlist_entries": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<entry_id>")
@endpoint(answers={200: EntrySchema}, errors=(EntryNotFound,))
def get_entry(entry_id: str) -> Any:
    """An entry as it stands this second."""
    with db.transaction() as conn:
        return _entry.dump(waitlist.get_entry(conn, entry_id))


@blueprint.put("/<entry_id>")
@endpoint(body=ChangeEntrySchema, answers={200: EntrySchema}, errors=(EntryNotFound,))
def change_entry(entry_id: str, body: dict[str, Any]) -> Any:
    """Give an entry another priority: it goes before all of less, from the next seat on."""
    with db.transaction() as conn:
        return _entry.dump(waitlist.set_priority(conn, entry_id, priority=body["priority"]))


@blueprint.post("/<entry_id>/offer")
@endpoint(answers={200: EntrySchema}, errors=(EntryNotFound, EntryClosed, InsufficientCapacity))
def offer_seats(entry_id: str) -> Any:
    """Offer an entry its seats by hand, whoever else waits: where nothing is offered automatically, say."""
    with db.transaction() as conn:
        offers.keep_rule(conn, Rule.from_config(settings()))
        offers.offer_by_hand(conn, entry_id)
        return _entry.dump(waitlist.get_entry(conn, entry_id))
