"""A bridge for each set-up, which the tests share: what one of them breaks must not trouble the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import setups
from tests.faults.setups import Stage


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A bridge that is up, on the set-up that the test names (`on` below); skipped, loudly, where it cannot be."""
    if absent := setups.absent(request.param):
        pytest.skip(f"NOT TESTED on {request.param}: this machine has no {', '.join(absent)}")
    with setups.stage(request.param) as running:
        yield running
