"""/ops/reservations: what is under each booking number, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask.typing import ResponseReturnValue

from bridge import db, letters
from bridge.core import reservation_reports, slots
from bridge.core.reservations import ReservedItem
from bridge.web.endpoints import read_query, settings
from bridge.web.ops import texts
from bridge.web.ops.console import new_blueprint, page
from bridge.web.ops.pages import PER_PAGE, pager
from schemas.reservation_reports import STATUSES, ReservationsQuerySchema

blueprint = new_blueprint("reservations", "/ops/reservations")

_query = ReservationsQuerySchema()
_NARROW = ("customer_email", "order_id", "resource_id", "start_date", "end_date")


@blueprint.get("")
def list_reservations() -> ResponseReturnValue:
    """Reservations, newest first, by whatever one looks for."""
    given = {name: value.strip() for name, value in read_query().items() if value.strip() and name in _query.fields}
    query = _query.load({"limit": PER_PAGE, **given})
    with db.transaction() as conn:
        rows, count = reservation_reports.list_reservations(conn, **query, time_zone=settings().booking_time_zone)
    return page(
        "reservations",
        reservations=[(row, _sentence(row)) for row in rows],
        statuses=STATUSES,
        wanted=query,
        is_narrow=any(query[name] for name in _NARROW),
        pager=pager("ops_reservations.list_reservations", given, query, count),
    )


@blueprint.get("/<booking_number>")
def show_reservation(booking_number: str) -> ResponseReturnValue:
    """A reservation: its items, the payments begun for it, and what was taken and given back."""
    with db.transaction() as conn:
        found = reservation_reports.get_reservation(conn, booking_number)
        journal = reservation_reports.list_journal(conn, booking_number)
        starts = slots.list_starts(conn, [entry["slot_no"] for entry in journal])
    return page(
        "reservation",
        reservation=found,
        sentence=_describe(found),
        items=[(item, _price(item)) for item in found.items],
        journal=[entry | {"change": _change(entry, starts)} for entry in journal],
    )


def _sentence(row: reservation_reports.Listed) -> str:
    return "; ".join(f"{item.title}, {item.when}" for item in row.items) or "Nothing is in it."


def _describe(row: reservation_reports.Listed) -> str:
    match row.status:
        case "open" if not any(item.status == "held" for item in row.items):
            return f"Nothing is held. Items may be added for {texts.span(row.seconds_left)} more."
        case "open":
            return f"All of it is held for {texts.span(row.seconds_left)} more."
        case "paid":
            return "It is paid for. What became of each item stands beside it."
        case "cancelled":
            return "An order had it, and gave all of it up."
        case "released":
            return "It was given back before it was paid for."
    return "Its time ran out before it was paid for."


def _price(item: ReservedItem) -> str:
    return "at the platform's price" if item.amount is None else letters.show_money(item.amount, item.currency_code)


def _change(entry: Mapping[str, Any], starts: Mapping[int, slots.Start]) -> str:
    words = ((entry["held_change"], "held"), (entry["allocated_change"], "sold"))
    changed = ", ".join(f"{number:+d} {word}" for number, word in words if number)
    return f"{changed} of {texts.slot(entry['slot_no'], entry['grain'], starts)}"
