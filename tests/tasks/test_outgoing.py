"""What we owe others is done, and done once where it costs money."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from bridge import db, outbox
from bridge.errors import PlatformUnavailable
from tasks.outgoing import do_work
from tests.clients.test_mail import FakeSmtp
from tests.tasks.conftest import look

pytestmark = pytest.mark.usefixtures("settings")


def owe(work_type, payload):
    key = uuid4().hex
    with db.transaction() as conn:
        outbox.add_work(conn, type=work_type, payload=payload, dedupe_key=key)
        row = conn.execute("SELECT id FROM event WHERE dedupe_key = %s", [key]).fetchone()
    return row["id"]


def do(work_type, payload):
    event_id = owe(work_type, payload)
    do_work(event_id)
    return look(event_id)


class FakeMedusa:
    """A platform with one order; its payments remember what was paid back."""

    def __init__(self, captures, line=None):
        self.payments = [
            {"id": f"pay_{n}", "captures": [{"amount": amount}] if amount else [], "refunds": []}
            for n, amount in enumerate(captures)
        ]
        self.items = [{"id": "item_1", "refundable_total": line}]
        self.breaks_after = None

    def __call__(self, _config):
        return self

    def get_order(self, order_id):
        return {"id": order_id, "items": self.items}

    def list_payments(self, _order_id):
        return self.payments

    def refund_payment(self, payment_id, amount, note):
        payment = next(payment for payment in self.payments if payment["id"] == payment_id)
        assert note not in {refund["note"] for refund in payment["refunds"]}
        payment["refunds"].append({"amount": float(amount), "note": note})
        if self.breaks_after == payment_id:
            raise PlatformUnavailable(retry_after=60)

    def paid_back(self):
        return [sum(Decimal(str(refund["amount"])) for refund in payment["refunds"]) for payment in self.payments]


@pytest.fixture
def medusa(monkeypatch):
    def use(*captures, line=None):
        fake = FakeMedusa(captures, line)
        monkeypatch.setattr("tasks.outgoing.Medusa", fake)
        return fake

    return use


def refund(amount=None):
    return {"refund_id": "short_1", "order_id": "order_1", "line_item_id": "item_1", "amount": amount}


def test_a_calendar_file_goes_with_its_mail(settings):
    server = FakeSmtp()
    settings(smtp_url=server.url)

    do("mail", {"to": "ada@example.test", "subject": "s", "text": "t", "html": "<p>t</p>", "ics": "BEGIN:VCALENDAR"})

    assert any(line.startswith("Content-Type: text/calendar") for line in server.lines)
    assert any('filename="booking.ics"' in line for line in server.lines)


def test_without_a_mail_server_a_mail_is_kept_as_a_row():
    event = do("mail", {"to": "ada@example.test", "subject": "s", "text": "t"})

    assert (event["status"], event["outcome"]) == ("ignored", "kept: SMTP_URL is not set")


def test_a_mail_is_sent(settings):
    server = FakeSmtp()
    settings(smtp_url=server.url)

    event = do("mail", {"to": "ada@example.test", "subject": "s", "text": "t"})

    assert event["status"] == "applied"
    assert f"Message-ID: <{event['id']}@localhost>" in server.lines


@pytest.mark.parametrize(("ops_email", "to"), [("ops@example.test", "ops@example.test"), ("", "bookings@localhost")])
def test_a_mail_to_nobody_goes_to_operations(settings, ops_email, to):
    server = FakeSmtp()
    settings(smtp_url=server.url, ops_email=ops_email)

    do("mail", {"to": None, "subject": "s", "text": "t"})

    assert f"rcpt TO:<{to}>" in server.lines


def test_a_busy_mail_server_is_tried_later_and_a_refusal_fails(settings):
    settings(smtp_url=FakeSmtp(rcpt="450 busy").url)
    busy = do("mail", {"to": "ada@example.test", "subject": "s", "text": "t"})
    settings(smtp_url=FakeSmtp(rcpt="550 gone").url)
    gone = do("mail", {"to": "ada@example.test", "subject": "s", "text": "t"})

    assert (busy["status"], busy["error_code"]) == ("pending", "mail_unavailable")
    assert (gone["status"], gone["error_code"]) == ("failed", "mail_refused")


def test_a_mail_without_a_text_fails(settings):
    settings(smtp_url="smtp://127.0.0.1:1")

    event = do("mail", {"to": "ada@example.test", "subject": "s"})

    assert (event["status"], event["error_code"]) == ("failed", "unreadable_event")


def test_a_line_is_paid_back_in_full(medusa):
    fake = medusa(170, line=80.1)

    event = do("platform.refund", refund())

    assert (event["status"], event["outcome"]) == ("applied", "80.1 paid back")
    assert fake.paid_back() == [Decimal("80.1")]


def test_an_amount_may_be_given(medusa):
    fake = medusa(170, line=80)

    do("platform.refund", refund("12.50"))

    assert fake.paid_back() == [Decimal("12.5")]


def test_a_refund_is_shared_among_payments(medusa):
    fake = medusa(50, 0, 50)

    do("platform.refund", refund("80"))

    assert fake.paid_back() == [50, 0, 30]


def test_a_refund_that_broke_off_is_completed_and_not_repeated(medusa):
    fake = medusa(50, 50)
    fake.breaks_after = "pay_0"
    event_id = owe("platform.refund", refund("80"))
    do_work(event_id)
    assert look(event_id)["status"] == "pending"
    fake.breaks_after = None

    for _ in range(2):
        with db.transaction() as conn:
            conn.execute("UPDATE event SET next_attempt_at = now() WHERE id = %s", [event_id])
        do_work(event_id)

    assert look(event_id)["status"] == "applied"
    assert fake.paid_back() == [50, 30]


def test_the_same_shortfall_is_paid_back_once(medusa):
    fake = medusa(170, line=80)

    do("platform.refund", refund())
    again = do("platform.refund", refund())

    assert again["status"] == "applied"
    assert fake.paid_back() == [80]


def test_more_than_was_paid_is_left_to_people(medusa):
    fake = medusa(50)

    event = do("platform.refund", refund("80"))

    assert (event["status"], event["error_code"]) == ("failed", "platform_refused")
    assert fake.paid_back() == [0]


def test_a_line_without_an_amount_is_left_to_people(medusa):
    medusa(50)

    assert "give an `amount`" in do("platform.refund", refund())["error"]


@pytest.mark.parametrize("payload", [{}, refund("a lot"), {**refund("1"), "refund_id": None}])
def test_a_payload_that_makes_no_sense_fails(medusa, payload):
    medusa(50)

    assert do("platform.refund", payload)["error_code"] == "unreadable_event"


def test_work_nobody_knows_fails():
    assert "brew.coffee" in do("brew.coffee", {})["error"]


def test_a_whole_order_gets_back_all_that_is_left_of_what_was_paid(medusa):
    platform = medusa(30, 20)
    platform.payments[0]["refunds"].append({"amount": 10, "note": "somebody else's"})
    whole = {"refund_id": "refund_1", "source": "medusa", "order_id": "order_1", "line_item_id": None, "amount": None}

    first, again = do("platform.refund", whole), do("platform.refund", whole)

    assert first["outcome"] == "40 paid back"
    assert again["status"] == "applied"
    assert [sum(r["amount"] for r in payment["refunds"]) for payment in platform.payments] == [30, 20]


def test_where_nothing_was_paid_nothing_is_paid_back(medusa):
    medusa(0)

    event = do("platform.refund", {"refund_id": "r", "order_id": "order_1", "line_item_id": None, "amount": None})

    assert (event["status"], event["outcome"]) == ("applied", "nothing was paid, so nothing is paid back")
