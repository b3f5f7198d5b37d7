"""Links for guests: nobody can make one, and none is good for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
import time_machine

from bridge import links
from bridge.errors import LinkInvalid


def test_a_link_says_what_it_was_signed_for(config):
    assert links.read(config, links.sign(config, "booking", "book_1")) == ("booking", "book_1")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "WyJib29raW5nIiwiYm9va18xIl0.aaaaaa.bbbb", "é", "." * 500])
def test_what_was_not_signed_here_is_refused(config, token):
    with pytest.raises(LinkInvalid):
        links.read(config, token)


def test_a_link_of_another_secret_is_refused(config):
    token = links.sign(replace(config, secret_key="another"), "booking", "book_1")

    with pytest.raises(LinkInvalid):
        links.read(config, token)


def test_a_link_is_good_for_a_limited_time(config):
    with time_machine.travel("2026-01-01"):
        token = links.sign(config, "booking", "book_1")

    with time_machine.travel("2027-01-30"):
        links.read(config, token)
    with time_machine.travel("2027-02-10"), pytest.raises(LinkInvalid):
        links.read(config, token)


def test_the_address_is_the_one_customers_know(config):
    url = links.manage_url(replace(config, public_url="https://book.example.test/"), "booking", "book_1")

    assert url.startswith("https://book.example.test/manage/")
