"""That docs/tours.md can be copied and pasted: all of it, against a running bridge."""

from __future__ import annotations

import pytest

from tests.walkthroughs.documents import walk_through

# What each command says, in the order of the document.
SAYS = [
    "1",  # departures created
    "available",
    "Ada's own page",
    "247.5",  # three adults and the tax
    '202 {"event_id"',
    "pending",  # Ben
    "insufficient_capacity",  # Cleo
    "1",  # Jane's place
    "cancelled",  # Ada
    "notified",  # Jane
    "False",  # not two more seats
    "1",  # but one
    "pending",  # Jane's booking
    "converted",
    "2",  # Ben and Jane would be cancelled,
    "2",  # and are
]


@pytest.mark.timeout(400)
def test_the_walk_through_does_what_it_says() -> None:
    lines = walk_through("docs/tours.md")

    assert len(lines) == len(SAYS), lines
    for line, said in zip(lines, SAYS, strict=True):
        assert said in line, lines
