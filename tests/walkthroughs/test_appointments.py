"""That the walk-through of docs/appointments.md works as it is written."""

from __future__ import annotations

import pytest

from tests.walkthroughs.documents import walk_through


@pytest.mark.timeout(400)
def test_the_walk_through_books_and_pays() -> None:
    assert walk_through("docs/appointments.md") == ["confirmed", "confirmed", "10.0"]
