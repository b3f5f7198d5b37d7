"""One letter for a number of all kinds of items: what is in it, what is sent beside it, whom later letters reach."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import orjson
import pytest
from icalendar import Calendar

from bridge import db
from bridge.core import appointments, moves, orders, payments, reservation_items, reservations, resolutions, terms
from bridge.rules.orders import LineFacts, OrderFacts
from tasks.outgoing import do_work
from tests.factories import at, future_day, lapse_reservation, make_reservation, make_resource, make_shop
from tests.waiting import make_slot, make_tour, slot_id_of

pytestmark = pytest.mark.usefixtures("settings")
DAY = future_day(20)
NEWS = ("booking.notify", "appointment.news", "reservation.notify")


@dataclass(frozen=True, kw_only=True)
class Basket:
    """A number of a van for three days with a gap, two seats, and somebody's hour."""

    number: str
    email: str
    holds: list[str]
    van: str
    tour: str
    days: list[date]

    def order(self, **fields):
        """The order that pays for all of it."""
        lines = tuple(LineFacts(id=hold_id, quantity=1, ordered=1, hold_ids=(hold_id,)) for hold_id in self.holds)
        values = {"source": "medusa", "id": f"order_{uuid4().hex}", "booking_number": self.number, "lines": lines}
        return OrderFacts(**{**values, **fields})

    def number_of(self, table):
        """The id of the booking or the appointment that one of the items is."""
        with db.transaction() as conn:
            query = f"SELECT id FROM {table} WHERE hold_id = ANY (%s)"
            return conn.execute(query, [self.holds]).fetchone()["id"]


def basket(*, email_now=True):
    email = f"{uuid4().hex[:12]}@example.test"
    with db.transaction() as conn:
        van, days = make_resource(conn, capacity=1, days=4, first_day=DAY, name="A van")
        days = [days[0], days[1], days[3]]
        tour = make_tour(conn)
        slot = slot_id_of(conn, make_slot(conn, tour, capacity=2, on=DAY))
        service, _staff = make_shop(conn, name="A guide", price=80, duration_minutes=60)
        asked = [
            {"resource_id": van, "dates": days, "quantity": 1},
            {"slot_id": slot, "party": {"adults": 1, "children": 1, "infants": 0}},
            {"service_id": service, "start_at": at("10:00", DAY)},
        ]
        made = add(conn, asked, customer_email=email if email_now else None)
    holds = [item.id for item in made.items]
    return Basket(number=made.booking_number, email=email, holds=holds, van=van, tour=tour, days=days)


def add(conn, asked, *, customer_email=None, booking_number=None):
    sold = reservation_items.Terms(term=timedelta(minutes=15), currency_code="aud", tours=terms.kept_terms())
    made, _added = reservations.add_items(
        conn,
        reservation_items.read_items(conn, asked, terms=sold),
        booking_number=booking_number,
        customer_email=customer_email,
        hard_term=timedelta(hours=2),
        actor="tests",
    )
    return made


def apply(*facts):
    for one in facts:
        with db.transaction() as conn:
            orders.reconcile(conn, one, actor="tests")


def work(chance=None):
    """Do all that is owed, twice, in the order it came or any other."""
    for _ in range(2):
        with db.transaction() as conn:
            query = "SELECT id FROM event WHERE type = ANY (%s) AND status = 'pending' ORDER BY received_at, id"
            due = [row["id"] for row in conn.execute(query, [list(NEWS)])]
        if chance:
            chance.shuffle(due)
        for event_id in due:
            do_work(event_id)


def sent(email):
    """The letters to an address, oldest first."""
    with db.transaction() as conn:
        rows = conn.execute("SELECT raw FROM event WHERE type = 'mail' ORDER BY received_at, id").fetchall()
    return [letter for row in rows if (letter := orjson.loads(row["raw"]))["to"] == email]


def subjects(email):
    return [letter["subject"] for letter in sent(email)]


def events_of(letter):
    return {event["UID"]: event for event in Calendar.from_ical(letter["ics"]).walk("VEVENT")}


def addresses(made):
    """Whom a word would reach: by the hold of each item, its appointment, its booking."""
    with db.transaction() as conn:
        return {
            row["customer_email"]
            for table in ("appointment", "booking")
            for row in conn.execute(f"SELECT customer_email FROM {table} WHERE hold_id = ANY (%s)", [made.holds])
        }


# -- the letter --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_number_of_all_kinds_is_one_letter_in_whatever_order_its_news_are_told(seed):
    made = basket()
    apply(made.order())

    work(random.Random(seed))

    [letter] = sent(made.email)
    assert letter["subject"] == f"Confirmed: your booking {made.number}"


def test_it_says_of_each_item_what_when_and_how_it_is_called_and_where_it_is_changed():
    made = basket()
    apply(made.order())

    work()

    [letter] = sent(made.email)
    booking_id, appointment_id = made.number_of("booking"), made.number_of("appointment")
    with db.transaction() as conn:
        reference = conn.execute("SELECT reference FROM booking WHERE id = %s", [booking_id]).fetchone()["reference"]
    for part in ("text", "html"):
        assert "Harbour tour, " in letter[part] and "09:00 (Australia/Brisbane)" in letter[part]
        assert "1 adult, 1 child" in letter[part] and reference in letter[part]
        assert (
            "A guide, " in letter[part] and "10:00 (Australia/Brisbane)" in letter[part] and "with Sam" in letter[part]
        )
        assert letter[part].count("/manage/") == 3
    assert reference.startswith("ST-")
    first, _second, last = (f"{day:%A} {day.day} {day:%B %Y}" for day in made.days)
    assert f"A van, {first} to " in letter["text"] and f"; {last}" in letter["text"]
    assert "80.00 AUD" in letter["text"]
    found = events_of(letter)
    assert {f"{booking_id}@bridge", f"{appointment_id}@bridge"} <= set(found)
    assert found[f"{booking_id}@bridge"]["DTSTART"].dt.astimezone().timestamp() == at("09:00", DAY).timestamp()
    assert found[f"{appointment_id}@bridge"]["DTEND"].dt.timestamp() == at("11:00", DAY).timestamp()
    whole_days = [event for event in found.values() if type(event["DTSTART"].dt) is date]
    assert [(event["DTSTART"].dt, event["DTEND"].dt) for event in whole_days] == [
        (made.days[0], made.days[1] + timedelta(days=1)),
        (made.days[2], made.days[2] + timedelta(days=1)),
    ]
    assert len(found) == 4


def test_what_is_changed_and_cancelled_later_is_told_by_itself_and_followed_in_the_calendar():
    made = basket()
    apply(made.order())
    work()
    appointment_id = made.number_of("appointment")

    with db.transaction() as conn:
        moves.move_appointment(conn, appointment_id, start_at=at("14:00", DAY), actor="user:1")
    work()
    with db.transaction() as conn:
        appointments.cancel_appointment(conn, appointment_id, actor="user:1", reason="ill")
    work()

    letters = sent(made.email)
    assert [letter["subject"].partition(":")[0] for letter in letters] == ["Confirmed", "Moved", "Cancelled"]
    followed = [events_of(letter)[f"{appointment_id}@bridge"] for letter in letters]
    sequences = [event["SEQUENCE"] for event in followed]
    assert sequences == sorted(set(sequences))
    assert followed[-1]["STATUS"] == "CANCELLED"


# -- twice, short, cancelled, in another order -------------------------------------------------------------------------


def test_paid_twice_it_is_one_letter():
    made = basket()
    first = made.order()
    apply(first, first)
    work()

    apply(made.order(lines=(), email="somebody.else@example.test"), first)
    work()

    assert subjects(made.email) == [f"Confirmed: your booking {made.number}"]
    assert sent("somebody.else@example.test") == []


def test_one_item_short_is_said_and_told_of_when_it_can_be_had():
    made = basket()
    with db.transaction() as conn:
        lapse_reservation(conn, made.number)
        others = make_reservation(conn, made.van, [made.days[0]])
    apply(made.order())
    work()
    with db.transaction() as conn:
        reservations.release(conn, others.booking_number, actor="tests", reason="tests")
        short = conn.execute("SELECT id FROM shortfall WHERE hold_id = %s", [made.holds[0]]).fetchone()["id"]
        resolutions.resolve_shortfall(conn, short, action="retry", actor="tests")
    work()

    first, then = sent(made.email)
    assert "could not keep" in first["text"]
    assert "A van" in first["text"].partition("could not keep")[2]
    assert len(events_of(first)) == 2
    assert "yours now as well" in then["text"]
    assert "Harbour tour" not in then["text"] and "A van, " in then["text"]
    assert len(events_of(then)) == 2
    work()
    assert len(sent(made.email)) == 2


def test_cancelled_before_the_letter_nobody_is_told_that_it_is_theirs():
    made = basket()
    facts = made.order()
    apply(facts, OrderFacts(source="medusa", id=facts.id, is_cancelled=True))

    work()

    assert not [subject for subject in subjects(made.email) if subject.startswith("Confirmed")]


def test_a_cancellation_that_comes_first_is_the_last_word():
    made = basket()
    facts = made.order()
    apply(OrderFacts(source="medusa", id=facts.id, is_cancelled=True), facts)

    work()

    assert sent(made.email) == []


def test_what_an_order_gives_up_and_wants_again_is_told_again():
    made = basket()
    facts = made.order(version=1)
    without = replace(facts, version=2, lines=tuple(replace(line, quantity=0) for line in facts.lines))
    apply(facts)
    work()
    apply(without)
    work()
    apply(replace(facts, version=3))
    work()

    told = [subject.partition(",")[0] for subject in subjects(made.email)]
    assert told.count(f"Confirmed: your booking {made.number}") == 1
    assert told.count("Confirmed: A guide") == 1
    assert told.count("Confirmed: Harbour tour") == 1


def test_an_appointment_of_no_number_is_told_by_itself():
    with db.transaction() as conn:
        service, _staff = make_shop(conn, name="A guide", price=Decimal(80))
    email = f"{uuid4().hex[:12]}@example.test"
    line = LineFacts(id="l", quantity=1, ordered=1, service_id=service, start_at=at("10:00", DAY))
    apply(OrderFacts(source="medusa", id=f"order_{uuid4().hex}", email=email, lines=(line,)))

    work()

    [subject] = subjects(email)
    assert subject.startswith("Confirmed: A guide")


# -- whom later letters reach ------------------------------------------------------------------------------------------


def begin_payment(made, **customer):
    with db.transaction() as conn:
        payments.begin(
            conn,
            made.number,
            platform="stripe",
            customer=payments.Customer(**customer),
            grace=timedelta(minutes=10),
        )


def price_van(made):
    with db.transaction() as conn:
        conn.execute("UPDATE reservation_item SET unit_price = 40 WHERE hold_id = %s", [made.holds[0]])


def test_an_address_given_only_at_checkout_is_that_of_all_that_is_in_the_basket():
    made = basket(email_now=False)
    price_van(made)

    begin_payment(made, email=made.email, name="Ada", phone="+61 1")
    apply(made.order())

    assert addresses(made) == {made.email}
    with db.transaction() as conn:
        appointment = appointments.get_appointment(conn, made.number_of("appointment"))
        booking = conn.execute("SELECT * FROM booking WHERE hold_id = ANY (%s)", [made.holds]).fetchone()
        held = conn.execute("SELECT DISTINCT customer_email FROM hold WHERE id = ANY (%s)", [made.holds]).fetchall()
    assert (appointment.customer_name, appointment.customer_phone) == ("Ada", "+61 1")
    assert (booking["customer_name"], booking["customer_phone"]) == ("Ada", "+61 1")
    assert held == [{"customer_email": made.email}]


def test_a_later_address_counts_and_what_was_not_said_again_stays():
    made = basket()
    price_van(made)

    begin_payment(made, name="Ada")
    assert addresses(made) == {made.email}
    begin_payment(made, email="ada.lovelace@example.test")
    assert addresses(made) == {"ada.lovelace@example.test"}
    with db.transaction() as conn:
        service, _staff = make_shop(conn)
        more = add(conn, [{"service_id": service, "start_at": at("15:00", DAY)}], booking_number=made.number)

    later = replace(made, holds=[more.items[-1].id])
    assert addresses(later) == {"ada.lovelace@example.test"}
    with db.transaction() as conn:
        assert appointments.get_appointment(conn, later.number_of("appointment")).customer_name == "Ada"


def test_an_address_that_only_the_order_knows_reaches_everything_it_paid_for():
    made = basket(email_now=False)
    facts = made.order(email=made.email, customer_name="Ada")

    apply(facts)
    work()
    apply(OrderFacts(source="medusa", id=facts.id, is_cancelled=True))
    work()

    assert addresses(made) == {made.email}
    told = [subject.partition(":")[0] for subject in subjects(made.email)]
    assert told[0] == "Confirmed"
    assert len(told) == 3  # And what became of the seats and of the hour.


def test_where_only_the_appointment_has_an_address_the_letter_goes_there():
    made = basket(email_now=False)
    with db.transaction() as conn:
        conn.execute("UPDATE appointment SET customer_email = %s WHERE hold_id = ANY (%s)", [made.email, made.holds])

    apply(made.order())
    work()

    assert subjects(made.email) == [f"Confirmed: your booking {made.number}"]


def test_without_any_address_nobody_is_written_to():
    made = basket(email_now=False)

    apply(made.order())
    work()

    with db.transaction() as conn:
        query = (
            "SELECT status::text, outcome FROM event WHERE type = 'reservation.notify' AND starts_with(dedupe_key, %s)"
        )
        rows = conn.execute(query, [f"reservation.notify:{made.number}:"]).fetchall()
        mails = conn.execute("SELECT raw FROM event WHERE type = 'mail'").fetchall()
    assert [row["status"] for row in rows] == ["ignored"]
    assert "nobody to write to" in rows[0]["outcome"]
    assert not [row for row in mails if made.number.encode() in row["raw"]]


def test_the_orders_address_does_not_replace_the_one_that_was_given_here():
    made = basket()

    apply(made.order(email="billing@example.test"))
    work()

    with db.transaction() as conn:
        appointment = appointments.get_appointment(conn, made.number_of("appointment"))
    assert appointment.customer_email == made.email
    assert len(sent(made.email)) == 1


def test_an_address_that_comes_with_a_later_word_of_the_order_is_written_where_there_was_none():
    made = basket(email_now=False)
    facts = made.order(version=1)

    apply(facts)
    assert addresses(made) == {None}
    apply(replace(facts, version=2, email=made.email))

    assert addresses(made) == {made.email}
