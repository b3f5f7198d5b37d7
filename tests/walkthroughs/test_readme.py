"""That the README can be copied and pasted: all of it, against a running bridge."""

from __future__ import annotations

import pytest

from tests.walkthroughs.documents import walk_through


@pytest.mark.timeout(400)
def test_the_walk_through_sells_two_seats_and_gives_them_back() -> None:
    opened, before, sent, sold, cancelled, after = walk_through("README.md")

    assert '"capacity_records_created":1' in opened
    assert '"available_capacity":8' in before
    assert sent.startswith("202 ")
    assert '"quantity":2' in sold
    assert cancelled.startswith("202 ")
    assert '"available_capacity":8' in after
