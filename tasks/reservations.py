"""What became of a reservation, told to its customer: one letter for all of it."""

from __future__ import annotations

from typing import Any

from bridge import db, letters, links
from bridge.core import mails, reservation_news
from bridge.core.events import Event, Status
from bridge.core.reservation_calendars import calendar_of
from bridge.errors import UnreadableEvent
from tasks import settings


def tell(event: Event, payload: dict[str, Any]) -> tuple[Status, str]:
    """Write to who paid for a reservation what they have, and what of it is missing. Of each item once.

    Usually that is one letter for the number; what could only be had later is told of when it is.
    """
    number = payload.get("booking_number")
    if not isinstance(number, str):
        raise UnreadableEvent("booking_number: must be a text.")
    with db.transaction() as conn:
        news = reservation_news.find_news(conn, number)
        if not news.told or news.email is None:
            return "ignored", "there is nobody to write to, or nothing to write of any more"
        page = links.manage_url(settings(), "reservation", number)
        urls = {
            told.item.id: links.manage_url(settings(), told.kind, told.booking.id)
            if told.kind is not None and told.booking is not None
            else page
            for told in news.told
        }
        mails.owe_mail(
            conn,
            letters.render("reservations/confirmed", news=news, manage_url=page, urls=urls),
            to=news.email,
            dedupe_key=event.id,
            order_id=news.reservation.order_id,
            ics=calendar_of(conn, news, urls=urls),
        )
        reservation_news.note_told(conn, news)
    return "applied", "a confirmation is on its way"
