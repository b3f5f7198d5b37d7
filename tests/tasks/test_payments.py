"""Payments on Stripe, from the event to the ledger and back."""

from __future__ import annotations

import random
from itertools import permutations
from urllib.parse import parse_qs
from uuid import uuid4

import orjson
import pytest
import responses

from bridge import db, outbox
from bridge.core import audits, checkouts, reservations, resolutions
from bridge.platforms.stripe import session_metadata
from tasks.events import apply_event
from tasks.outgoing import do_work
from tests.factories import counters, lapse_reservation, make_reservation, make_resource
from tests.tasks.conftest import look, receive

STRIPE = "https://api.stripe.com/v1"

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def stripe(settings):
    """Stripe, answering what a test says."""
    settings(stripe_secret_key="sk_test_1")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


class Sale:
    """A reservation of two items, one place each, and Stripe's events about it."""

    def __init__(self, *, policy="flag", price=25, capacity=1):
        self.session, self.payment = f"cs_{uuid4().hex}", f"pi_{uuid4().hex}"
        with db.transaction() as conn:
            made = [make_resource(conn, capacity=capacity, days=2, shortfall_policy=policy) for _ in range(2)]
            ids = [resource_id for resource_id, _days in made]
            conn.execute(
                "UPDATE resource SET metadata = jsonb_build_object('price', %s::numeric) WHERE id = ANY (%s)",
                [price, ids],
            )
            self.number = make_reservation(conn, *made[0]).booking_number
            shown = make_reservation(conn, *made[1], booking_number=self.number)
        self.resources, self.days = ids, made[0][1]
        self.items = [item.id for item in shown.items]
        metadata = session_metadata(self.number, [(item.id, item.line_quantity) for item in shown.items])
        self.object = {
            "id": self.session,
            "payment_intent": self.payment,
            "payment_status": "paid",
            "metadata": metadata,
            "customer_details": {"email": "ada@example.test"},
        }

    def event(self, event_type, **fields):
        return {"id": f"evt_{uuid4().hex}", "type": event_type, "data": {"object": self.object | fields}}

    def refunded(self, amount=None, total=100):
        back = total if amount is None else amount
        charge = {"id": f"ch_{self.payment}", "payment_intent": self.payment, "amount": total, "amount_refunded": back}
        document = {"id": f"evt_{uuid4().hex}", "type": "charge.refunded"}
        return document | {"data": {"object": charge | {"refunded": back == total}}}

    def taken(self):
        with db.transaction() as conn:
            return [counters(conn, resource_id)[0] for resource_id in self.resources]

    def status(self):
        with db.transaction() as conn:
            shown = reservations.get_reservation(conn, self.number)
        return shown.status, [item.status for item in shown.items]

    def take(self, n):
        """Somebody else takes what the n-th item had."""
        with db.transaction() as conn:
            make_reservation(conn, self.resources[n], self.days)

    def drift(self):
        with db.transaction() as conn:
            found = audits.audit(conn)
        return [one for one in found if one.get("resource_id") in self.resources or one.get("order_id") == self.payment]


def apply(document):
    event_id = receive(document, source="stripe", dedupe_key=document["id"])
    apply_event(event_id)
    return look(event_id)


def owe(work_type, payload):
    key = uuid4().hex
    with db.transaction() as conn:
        outbox.add_work(conn, type=work_type, payload=payload, dedupe_key=key)
        return conn.execute("SELECT id FROM event WHERE dedupe_key = %s", [key]).fetchone()["id"]


def do(work_type, payload):
    event_id = owe(work_type, payload)
    do_work(event_id)
    return look(event_id)


def form(call):
    body = call.request.body
    return {name: values[0] for name, values in parse_qs(body.decode() if isinstance(body, bytes) else body).items()}


# -- events ------------------------------------------------------------------------------------------------------------


def test_a_payment_makes_every_item_permanent():
    sale = Sale()

    event = apply(sale.event("checkout.session.completed"))

    assert event["status"] == "applied"
    assert sale.status() == ("paid", ["confirmed", "confirmed"])
    assert sale.taken() == [(0, 1), (0, 1)]
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT source, line_item_id, customer_email FROM allocation WHERE order_id = %s ORDER BY line_item_id",
            [sale.payment],
        ).fetchall()
    assert rows == [
        {"source": "stripe", "line_item_id": held, "customer_email": "ada@example.test"} for held in sorted(sale.items)
    ]
    assert sale.drift() == []


def test_a_payment_told_twice_is_one():
    sale = Sale()

    apply(sale.event("checkout.session.completed"))
    again = apply(sale.event("checkout.session.completed"))

    assert again["status"] == "applied"
    assert sale.taken() == [(0, 1), (0, 1)]


def test_a_payment_that_names_only_the_number_has_all_of_it():
    sale = Sale()

    apply(sale.event("checkout.session.completed", metadata={}, client_reference_id=sale.number))

    assert sale.status() == ("paid", ["confirmed", "confirmed"])


def test_a_late_payment_has_what_is_left_and_is_short_of_the_rest():
    sale = Sale()
    with db.transaction() as conn:
        lapse_reservation(conn, sale.number)
    sale.take(1)

    event = apply(sale.event("checkout.session.completed"))

    assert "posted_late" in event["outcome"]
    assert sale.status() == ("paid", ["confirmed", "short"])
    assert sale.taken() == [(0, 1), (1, 0)]
    assert sale.drift() == []


def test_a_payment_after_the_page_gave_everything_back_has_it_again():
    sale = Sale()
    with db.transaction() as conn:
        reservations.release(conn, sale.number, actor="tests", reason="the page was closed")

    apply(sale.event("checkout.session.completed"))

    assert sale.taken() == [(0, 1), (0, 1)]
    assert sale.status()[0] == "paid"
    assert sale.drift() == []


def test_an_item_added_after_the_session_was_made_is_not_paid_by_it():
    sale = Sale(capacity=5)
    with db.transaction() as conn:
        make_reservation(conn, sale.resources[0], sale.days, booking_number=sale.number)

    apply(sale.event("checkout.session.completed"))

    assert sale.status() == ("paid", ["confirmed", "confirmed", "held"])
    assert sale.taken() == [(1, 1), (0, 1)]


def test_a_session_that_ran_out_gives_the_items_back():
    sale = Sale()

    event = apply(sale.event("checkout.session.expired", payment_status="unpaid", payment_intent=None))

    assert event["status"] == "applied"
    assert sale.status() == ("released", ["released", "released"])
    assert sale.taken() == [(0, 0), (0, 0)]


def test_a_session_that_is_not_paid_yet_changes_nothing():
    sale = Sale()

    event = apply(sale.event("checkout.session.completed", payment_status="unpaid"))

    assert event["status"] == "ignored"
    assert sale.status() == ("open", ["held", "held"])
    apply(sale.event("checkout.session.async_payment_succeeded"))
    assert sale.status()[0] == "paid"


def test_a_refund_of_everything_cancels():
    sale = Sale()
    apply(sale.event("checkout.session.completed"))

    apply(sale.refunded())

    assert sale.status() == ("cancelled", ["cancelled", "cancelled"])
    assert sale.taken() == [(0, 0), (0, 0)]
    assert sale.drift() == []


def test_a_refund_of_a_part_changes_nothing_and_says_so():
    sale = Sale()
    apply(sale.event("checkout.session.completed"))

    event = apply(sale.refunded(amount=40))

    assert event["status"] == "ignored"
    assert "a part was paid back" in event["outcome"]
    assert sale.status() == ("paid", ["confirmed", "confirmed"])


def test_a_refund_that_comes_before_its_payment_is_the_last_word():
    sale = Sale()

    apply(sale.refunded())
    apply(sale.event("checkout.session.completed"))

    assert sale.taken() == [(1, 0), (1, 0)]  # Held until the time is over.
    assert sale.status()[0] == "open"


def test_events_in_any_order_and_twice_come_to_the_same():
    kinds = ("completed", "completed again", "part", "refunded")
    for n, order in enumerate(permutations(kinds)):
        sale = Sale()
        told = {
            "completed": sale.event("checkout.session.completed"),
            "completed again": sale.event("checkout.session.completed"),
            "part": sale.refunded(amount=40),
            "refunded": sale.refunded(),
        }
        documents = [told[kind] for kind in order]
        documents += random.Random(n).sample(documents, 2)

        for document in documents:
            event_id = receive(document, source="stripe", dedupe_key=document["id"])
            apply_event(event_id)
            assert look(event_id)["status"] in {"applied", "ignored"}

        assert [allocated for _held, allocated in sale.taken()] == [0, 0], order
        assert sale.drift() == []


# -- sessions that end -------------------------------------------------------------------------------------------------


def begin(sale):
    with db.transaction() as conn:
        checkout_id = checkouts.claim(conn, sale.number, platform="stripe", hold_ids=sale.items)
        checkouts.keep(conn, checkout_id, reference=sale.session, url="https://pay.test/1")


def end(sale):
    return do("stripe.end_session", {"session_id": sale.session, "booking_number": sale.number})


def test_a_session_ends_with_its_reservation(stripe):
    sale = Sale()
    begin(sale)
    with db.transaction() as conn:
        lapse_reservation(conn, sale.number)
    url = f"{STRIPE}/checkout/sessions/{sale.session}"
    stripe.get(url, json={"id": sale.session, "object": "checkout.session", "status": "open"})
    ended = stripe.post(f"{url}/expire", json={"id": sale.session, "object": "checkout.session", "status": "expired"})

    event = end(sale)

    assert (event["status"], event["outcome"]) == ("applied", "the session is expired")
    assert ended.call_count == 1


def test_a_session_somebody_paid_meanwhile_is_left_to_its_event(stripe):
    sale = Sale()
    with db.transaction() as conn:
        lapse_reservation(conn, sale.number)
    url = f"{STRIPE}/checkout/sessions/{sale.session}"
    stripe.get(url, json={"id": sale.session, "object": "checkout.session", "status": "complete"})

    assert end(sale)["outcome"] == "the session is complete"


def test_a_session_whose_reservation_goes_on_is_looked_at_again(stripe):
    sale = Sale()
    begin(sale)

    event = end(sale)

    assert event["status"] == "ignored"
    with db.transaction() as conn:
        again = conn.execute(
            "SELECT next_attempt_at FROM event WHERE type = 'stripe.end_session' AND status = 'pending'"
            " AND convert_from(raw, 'UTF8') LIKE %s",
            [f"%{sale.session}%"],
        ).fetchall()
        until = reservations.get_reservation(conn, sale.number).expires_at
    assert [row["next_attempt_at"] for row in again] == [until]


def test_a_session_that_was_replaced_ends_though_the_reservation_goes_on(stripe):
    sale = Sale()
    begin(sale)
    with db.transaction() as conn:
        checkouts.close(conn, sale.number)
    url = f"{STRIPE}/checkout/sessions/{sale.session}"
    stripe.get(url, json={"id": sale.session, "object": "checkout.session", "status": "expired"})

    assert end(sale)["outcome"] == "the session is expired"


@pytest.mark.parametrize("status", [500, 429])
def test_stripe_out_of_order_is_tried_again(stripe, monkeypatch, status):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # The library waits between its tries.
    sale = Sale()
    with db.transaction() as conn:
        lapse_reservation(conn, sale.number)
    stripe.get(f"{STRIPE}/checkout/sessions/{sale.session}", status=status, json={"error": {"message": "later"}})

    event = end(sale)

    assert (event["status"], event["error_code"]) == ("pending", "platform_unavailable")


# -- money back --------------------------------------------------------------------------------------------------------


def no_refunds_yet(stripe, payment):
    stripe.get(f"{STRIPE}/refunds", json={"object": "list", "data": [], "has_more": False})
    stripe.get(
        f"{STRIPE}/payment_intents/{payment}", json={"id": payment, "object": "payment_intent", "currency": "aud"}
    )


def refund_of(payment):
    with db.transaction() as conn:
        return conn.execute(
            "SELECT id FROM event WHERE type = 'platform.refund' AND order_id = %s", [payment]
        ).fetchall()


def test_an_item_that_cannot_be_had_is_paid_back_by_policy(stripe):
    sale = Sale(policy="refund", price=12.5)
    with db.transaction() as conn:
        lapse_reservation(conn, sale.number)
    sale.take(1)
    apply(sale.event("checkout.session.completed"))
    no_refunds_yet(stripe, sale.payment)
    stripe.post(f"{STRIPE}/refunds", json={"id": "re_1", "object": "refund", "status": "succeeded"})

    [owed] = refund_of(sale.payment)
    do_work(owed["id"])

    made = stripe.calls[-1]
    assert look(owed["id"])["status"] == "applied"
    assert form(made) == {
        "payment_intent": sale.payment,
        "amount": "2500",  # Two days of 12.50.
        "metadata[refund_id]": form(made)["metadata[refund_id]"],
    }
    assert made.request.headers["Idempotency-Key"].startswith("refund:short_")
    # What Stripe then tells us of it is a part, and changes nothing.
    assert apply(sale.refunded(amount=25, total=50))["status"] == "ignored"
    assert sale.taken() == [(0, 1), (1, 0)]


def test_a_refund_made_before_is_not_made_again(stripe):
    refund = {"id": "re_1", "object": "refund", "status": "succeeded", "metadata": {"refund_id": "refund_1"}}
    stripe.get(f"{STRIPE}/refunds", json={"object": "list", "data": [refund], "has_more": False})

    event = do("platform.refund", refund_payload(amount="10"))

    assert event["status"] == "applied"
    assert [call.request.method for call in stripe.calls] == ["GET"]


def refund_payload(**fields):
    return {
        "refund_id": "refund_1",
        "source": "stripe",
        "order_id": "pi_1",
        "line_item_id": None,
        "amount": None,
    } | fields


def test_all_of_an_order_is_paid_back_without_an_amount(stripe):
    no_refunds_yet(stripe, "pi_1")
    stripe.post(f"{STRIPE}/refunds", json={"id": "re_1", "object": "refund", "status": "pending"})

    event = do("platform.refund", refund_payload())

    assert (event["status"], event["outcome"]) == ("applied", "all that was left paid back")
    assert "amount" not in form(stripe.calls[-1])


@pytest.mark.parametrize(
    ("currency", "amount", "units"), [("jpy", "500", "500"), ("aud", "0.125", "13"), ("kwd", "1.234", "1230")]
)
def test_amounts_are_in_the_currencys_own_unit(stripe, currency, amount, units):
    stripe.get(f"{STRIPE}/refunds", json={"object": "list", "data": [], "has_more": False})
    stripe.get(f"{STRIPE}/payment_intents/pi_1", json={"id": "pi_1", "object": "payment_intent", "currency": currency})
    stripe.post(f"{STRIPE}/refunds", json={"id": "re_1", "object": "refund", "status": "succeeded"})

    do("platform.refund", refund_payload(amount=amount))

    assert form(stripe.calls[-1])["amount"] == units


def test_what_was_paid_back_before_is_done(stripe):
    stripe.get(f"{STRIPE}/refunds", json={"object": "list", "data": [], "has_more": False})
    error = {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "refunded"}
    stripe.post(f"{STRIPE}/refunds", status=400, json={"error": error})

    event = do("platform.refund", refund_payload())

    assert (event["status"], event["outcome"]) == ("applied", "all of it was paid back before")


def test_an_order_without_a_payment_has_nothing_to_pay_back(stripe):
    assert do("platform.refund", refund_payload(order_id="cs_1"))["status"] == "ignored"


@pytest.mark.parametrize("line_id", ["", "hold_unknown"])
def test_an_item_nobody_knows_the_price_of_needs_a_person(stripe, line_id):
    event = do("platform.refund", refund_payload(line_item_id=line_id))

    assert event["status"] == "failed"
    assert "give an `amount`" in event["error"]


def test_a_shortfall_is_resolved_when_there_is_room_again():
    sale = Sale()
    with db.transaction() as conn:
        lapse_reservation(conn, sale.number)
    sale.take(1)
    apply(sale.event("checkout.session.completed"))
    with db.transaction() as conn:
        conn.execute("UPDATE capacity SET max_capacity = 2 WHERE resource_id = %s", [sale.resources[1]])
        short = conn.execute("SELECT id FROM shortfall WHERE order_id = %s", [sale.payment]).fetchone()["id"]
        resolutions.resolve_shortfall(conn, short, action="retry", actor="tests")

    assert sale.status() == ("paid", ["confirmed", "confirmed"])
    assert sale.drift() == []


def test_an_event_that_is_no_object_needs_a_person():
    """The captured bytes are what is applied, whatever stood in them."""
    event_id = receive(
        {}, source="stripe", dedupe_key=uuid4().hex, type="checkout.session.completed", raw=orjson.dumps([])
    )

    apply_event(event_id)

    assert look(event_id)["error_code"] == "unreadable_event"
