"""What we owe others: mail, and calls to the platform. Each is looked up, done, and then finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge import db
from bridge.clients.mail import MailServer, make_message
from bridge.clients.medusa import Medusa
from bridge.core import events, refunds
from bridge.core.booking_log import By
from bridge.core.events import Event, Status
from bridge.errors import PlatformRefused, UnreadableEvent
from bridge.platforms import stripe
from tasks import appointments, bookings, event_task, reservations, settings, slot_cancellations, waitlist
from tasks import payments as on_stripe

Done = tuple[Status, str]


@event_task(lease_seconds=events.OUTGOING_LEASE_SECONDS)
def do_work(event: Event) -> None:
    """Do a piece of outgoing work. Twice is as good as once, except that a mail may arrive again."""
    if event.type not in WORK:
        raise UnreadableEvent(f"Nobody knows how to do {event.type!r}.")

    # Outside any transaction: no row stays locked while we wait on the network.
    status, outcome = WORK[event.type](event, event.document())

    with db.transaction() as conn:
        events.finish_event(conn, event, status=status, outcome=outcome)


def _send_mail(event: Event, payload: dict[str, Any]) -> Done:
    config = settings()
    # Nobody named: whoever looks after operations.
    to = payload.get("to") or config.ops_email or config.mail_from
    if not config.smtp_url:
        return "ignored", "kept: SMTP_URL is not set"
    message = make_message(
        sender=config.mail_from,
        to=to,
        subject=_text(payload, "subject"),
        text=_text(payload, "text"),
        html=payload.get("html"),
        ics=payload.get("ics"),
        message_id=event.id,
    )
    MailServer.from_url(config.smtp_url).send(message)
    return "applied", "the mail server took it"


def _refund(_event: Event, payload: dict[str, Any]) -> Done:
    order_id, note = _text(payload, "order_id"), f"bridge {_text(payload, 'refund_id')}"
    given = _amount(payload["amount"]) if payload.get("amount") is not None else None
    if payload.get("source") == stripe.SOURCE:
        return on_stripe.refund(payload, given)
    medusa = Medusa(settings())
    payments = medusa.list_payments(order_id)
    if given is not None:
        amount = given
    elif payload.get("line_item_id") is not None:
        amount = _refundable(medusa.get_order(order_id), _text(payload, "line_item_id"))
    else:
        amount = _all_left(payments, note)
    for payment_id, part in _share_out(payments, amount, note):
        medusa.refund_payment(payment_id, part, note)
    with db.transaction() as conn:
        refunds.note_refund(conn, str(payload.get("refund_id")), by=By(name="platform"))
    return "applied", f"{amount} paid back" if amount else "nothing was paid, so nothing is paid back"


def _all_left(payments: list[dict[str, Any]], note: str) -> Decimal:
    """All that was paid, less what other refunds have given back."""
    return sum(
        (
            _total(payment, "captures") - _total(payment, "refunds") + _total(payment, "refunds", note)
            for payment in payments
        ),
        Decimal(0),
    )


def _refundable(order: dict[str, Any], line_id: str) -> Decimal:
    for line in order.get("items") or ():
        if line.get("id") == line_id and line.get("refundable_total") is not None:
            return _amount(line["refundable_total"])
    # A person can give the amount by editing the payload.
    raise PlatformRefused(f"The platform does not say what may be paid back for line {line_id}; give an `amount`.")


def _share_out(payments: list[dict[str, Any]], amount: Decimal, note: str) -> Iterator[tuple[str, Decimal]]:
    """Which payment gives back how much, less what this very refund has given back before.

    Raises PlatformRefused, before anything is paid, when the payments do not hold as much.
    """
    own = [_total(payment, "refunds", note) for payment in payments]
    left = [_total(payment, "captures") - _total(payment, "refunds") for payment in payments]
    wanted = amount - sum(own)
    if wanted > sum(left):
        raise PlatformRefused(f"{wanted} is to be paid back, and the order's payments hold {sum(left)}.")
    for payment, given, rest in zip(payments, own, left, strict=True):
        part = min(wanted, rest)
        # One refund a payment carries the note; a second would be taken for the first.
        if part > 0 and not given:
            wanted -= part
            yield payment["id"], part
    if wanted > 0:
        raise PlatformRefused(f"{wanted} of {amount} could not be paid back; pay that by hand.")


def _total(payment: dict[str, Any], what: str, note: str | None = None) -> Decimal:
    parts = [part for part in payment.get(what) or () if not part.get("deleted_at")]
    return sum((_amount(part["amount"]) for part in parts if note in {None, part.get("note")}), Decimal(0))


def _amount(value: object) -> Decimal:
    try:
        # By way of text: a JSON number is the decimal it is written as, not the binary fraction nearest to it.
        return Decimal(str(value))
    except InvalidOperation as error:
        raise UnreadableEvent(f"{value!r} is not an amount of money.") from error


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableEvent(f"{name}: must be a text.")
    return value


WORK: dict[str, Callable[[Event, dict[str, Any]], Done]] = {
    "mail": _send_mail,
    "platform.refund": _refund,
    "booking.notify": bookings.tell,
    "booking.remind": bookings.remind,
    "appointment.news": appointments.tell,
    "appointment.remind": appointments.remind,
    "waitlist.notify": waitlist.tell,
    "slot.cancel": slot_cancellations.carry_on,
    "reservation.notify": reservations.tell,
    "stripe.end_session": on_stripe.end_session,
}
