"""What became of an entry of the waitlist, told to whoever waits and to subscribers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bridge import db, letters, links
from bridge.core import announcements, mails, waitlist
from bridge.core.events import Event, Status
from bridge.errors import UnreadableEvent
from tasks import settings

# Of these there is something to say. Who leaves knows it, and who accepts gets the booking's letters.
LETTERS = {"joined", "offered", "expired", "closed"}
# What subscribers are told of it: somebody takes the place, or does not wait any more, for whatever reason.
ANNOUNCED = {
    "joined": "joined",
    "offered": "offered",
    "expired": "expired",
    "converted": "accepted",
    "cancelled": "left",
    "closed": "left",
}


def tell(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Announce `what` became of the entry `entry_id`, and write to whom it concerns. Twice is as good as once."""
    entry_id, what = payload.get("entry_id"), payload.get("what")
    if not isinstance(entry_id, str) or what not in ANNOUNCED:
        raise UnreadableEvent("entry_id must be a text, and what one of the things that become of an entry.")
    with db.transaction() as conn:
        entry = waitlist.get_entry(conn, entry_id)
        if what == "offered" and entry.status != "notified":
            return "ignored", "the offer is over already"
        if what in LETTERS:
            url = links.manage_url(settings(), "waitlist", entry.id)
            letter = letters.render(f"waitlist/{what}", entry=entry, manage_url=url)
            # One letter for each piece of work, however often that is done.
            mails.owe_mail(conn, letter, to=entry.customer_email, dedupe_key=event.id)
        told = ANNOUNCED[what]
        announcements.announce(
            conn, f"waitlist.{told}", asdict(entry), key=f"{entry.id}:{told}:{payload.get('hold_id')}"
        )
    return "applied", f"waitlist.{told} announced"
