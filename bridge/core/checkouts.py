"""Checkouts: the payment that was begun for a reservation, and when it no longer stands for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bridge import outbox, sql
from bridge.db import Connection
from bridge.ids import new_id

queries = sql.load("checkouts")

# Longer than a platform is waited for, so that nobody asks while another still does.
CLAIM = timedelta(seconds=30)


def find_open(conn: Connection, booking_number: str) -> dict[str, Any] | None:
    """The payment that stands for the reservation, or is being asked for; the caller has the reservation's lock."""
    return conn.execute(queries.find_open_checkout, {"booking_number": booking_number}).fetchone()


def is_paying(conn: Connection, booking_number: str) -> bool:
    """Whether the customer has been sent to pay, or is about to be."""
    checkout = find_open(conn, booking_number)
    return checkout is not None and (checkout["reference"] is not None or checkout["is_claimed"])


def claim(conn: Connection, booking_number: str, *, platform: str, hold_ids: list[str]) -> str:
    """Begin a checkout, and be the one who asks the platform for it; its id."""
    checkout_id = new_id("chk")
    conn.execute(
        queries.insert_checkout,
        {
            "id": checkout_id,
            "booking_number": booking_number,
            "platform": platform,
            "hold_ids": hold_ids,
            "claim": CLAIM,
        },
    )
    return checkout_id


def keep(conn: Connection, checkout_id: str, *, reference: str, url: str) -> bool:
    """Write down what the platform answered; False when the checkout no longer stands."""
    kept = conn.execute(queries.keep_checkout, {"id": checkout_id, "reference": reference, "url": url})
    return kept.rowcount == 1


def forget(conn: Connection, checkout_id: str) -> None:
    """Undo the claim of a checkout of which nothing came."""
    conn.execute(queries.forget_checkout, {"id": checkout_id})


def close(conn: Connection, booking_number: str) -> None:
    """Have the open checkout no longer stand for the reservation: on Stripe nobody can pay it any more.

    A cart stays on its platform; whoever still pays it has what its lines name, as far as that can be had.
    """
    closed = conn.execute(queries.close_checkout, {"booking_number": booking_number}).fetchone()
    if closed and closed["platform"] == "stripe" and closed["reference"]:
        owe_end(conn, booking_number, closed["reference"], cause="changed")


def owe_end(conn: Connection, booking_number: str, session_id: str, *, cause: str, at: datetime | None = None) -> None:
    """Owe the end of a Stripe session, once for each `cause`, now or when the reservation runs out.

    Stripe's own shortest session is half an hour, longer than most reservations.
    """
    outbox.add_work(
        conn,
        type="stripe.end_session",
        payload={"session_id": session_id, "booking_number": booking_number},
        dedupe_key=f"stripe.end_session:{booking_number}:{session_id}:{cause}",
        not_before=at,
    )
