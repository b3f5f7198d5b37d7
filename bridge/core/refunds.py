"""Money owed back: the platform is asked for it once, however often the asking is tried; and then it is back."""

from __future__ import annotations

from decimal import Decimal

from bridge import outbox, sql
from bridge.core.booking_log import By, note_change
from bridge.db import Connection


def owe_refund(
    conn: Connection,
    *,
    refund_id: str,
    source: str,
    order_id: str,
    line_item_id: str | None = None,
    amount: Decimal | None = None,
) -> None:
    """Owe `amount` of an order back to who paid it, once for each `refund_id`.

    Without `amount`: what the line may still get back; without `line_item_id` either: all that was paid and not paid
    back yet.
    """
    outbox.add_work(
        conn,
        type="platform.refund",
        payload={
            "refund_id": refund_id,
            "source": source,
            "order_id": order_id,
            "line_item_id": line_item_id,
            # As text: a JSON number would pass through a binary fraction.
            "amount": None if amount is None else str(amount),
        },
        dedupe_key=f"refund:{refund_id}",
        order_id=order_id,
    )


def note_refund(conn: Connection, refund_id: str, *, by: By) -> None:
    """The platform has paid back: the cancelled booking it was for, if one, is refunded. Twice is as good as once."""
    if conn.execute(sql.load("bookings").note_refund, {"booking_id": refund_id}).fetchone() is not None:
        old, new = {"status": "cancelled"}, {"status": "refunded"}
        note_change(conn, refund_id, "status_change", old, new, by=by, reason=None)
