"""Letters: what customers wrote is shown and never obeyed; calendar files that programs can follow."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from icalendar import Calendar
from jinja2 import DictLoader, Environment, UndefinedError

from bridge import letters
from bridge.letters.calendars import Entry, write_calendar

NINE = datetime(2026, 12, 24, 23, 0, tzinfo=UTC)


@pytest.fixture
def templates(monkeypatch):
    """Templates of the test's own, in the environment that letters have."""

    def give(**texts: str) -> None:
        environment = letters._environment().overlay()
        environment.loader = DictLoader({name.replace("_", "."): text for name, text in texts.items()})
        monkeypatch.setattr(letters, "_environment", lambda: environment)

    return give


def test_what_a_customer_wrote_is_escaped_in_html_alone(templates):
    templates(hello_subject="Hello {{ name }}", hello_txt="Hello {{ name }}", hello_html="<p>{{ name }}</p>")

    letter = letters.render("hello", name="<b>Ada</b> & co")

    assert letter.html == "<p>&lt;b&gt;Ada&lt;/b&gt; &amp; co</p>"
    assert letter.text == "Hello <b>Ada</b> & co\n"


def test_a_line_break_in_a_name_does_not_end_the_subject(templates):
    templates(hello_subject="Hello {{ name }}", hello_txt="-", hello_html="-")

    assert letters.render("hello", name="Ada\r\nBcc: all@example.test").subject == "Hello Ada Bcc: all@example.test"


def test_a_template_that_asks_for_what_is_not_there_is_an_error(templates):
    templates(hello_subject="{{ nobody }}", hello_txt="-", hello_html="-")

    with pytest.raises(UndefinedError):
        letters.render("hello")


def test_every_template_is_one_that_can_be_read():
    environment: Environment = letters._environment()

    for name in environment.list_templates():
        environment.get_template(name)


def test_money_and_times_are_shown_as_people_read_them():
    assert letters.show_money(Decimal("192.50"), "aud") == "192.50 AUD"
    assert letters.show_time(NINE, "Australia/Brisbane") == "Friday 25 December 2026, 09:00 (Australia/Brisbane)"


def test_a_calendar_file_changes_and_removes_the_event_it_made():
    common = {"uid": "book_1@bridge", "starts_at": NINE, "ends_at": NINE, "changed_at": NINE, "summary": "Tour; Ada, 2"}

    made = Calendar.from_ical(write_calendar([Entry(sequence=0, **common)]))
    removed = Calendar.from_ical(write_calendar([Entry(sequence=1, **common)], method="CANCEL"))

    [event], [gone] = made.walk("VEVENT"), removed.walk("VEVENT")
    assert (made["method"], removed["method"]) == ("PUBLISH", "CANCEL")
    assert event["uid"] == gone["uid"]
    assert (event["sequence"], gone["sequence"]) == (0, 1)
    assert (event["status"], gone["status"]) == ("CONFIRMED", "CANCELLED")
    assert event.decoded("dtstart") == NINE
    assert event["summary"] == "Tour; Ada, 2"
