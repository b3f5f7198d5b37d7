"""The calendar file of a reservation: an event for each item that has a time, all-day ones for days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.core import appointment_calendars, booking_calendars, bookings
from bridge.core.appointments import Appointment
from bridge.core.bookings import Booking
from bridge.core.reservation_news import News, Told
from bridge.db import Connection
from bridge.letters.calendars import Entry, write_calendar


def calendar_of(conn: Connection, news: News, *, urls: Mapping[str, str]) -> str:
    """What the news tells of. Bookings under the uids of their own files, which change and remove them later.

    `urls` are the pages of the items, by their ids.
    """
    return write_calendar([entry for told in news.told for entry in _entries(conn, news, told, urls[told.item.id])])


def _entries(conn: Connection, news: News, told: Told, url: str) -> Iterator[Entry]:
    match told.booking:
        case Booking() as booking:
            last = bookings.find_last_change(conn, booking.id)
            yield booking_calendars.entry_of(
                booking,
                sequence=last.n if last else 0,
                changed_at=last.created_at if last else booking.created_at,
                url=url,
            )
        case Appointment() as booking:
            yield appointment_calendars.entry_of(booking, url=url)
        case None:
            for first, last_day in told.runs:
                yield Entry(
                    uid=f"{told.item.id}-{first}@bridge",
                    sequence=0,
                    starts_at=first,
                    ends_at=last_day,
                    summary=f"{told.item.title}, {told.what}" if told.what else told.item.title,
                    changed_at=news.reservation.ordered_at or news.reservation.created_at,
                    description=news.reservation.booking_number,
                    url=url,
                )
