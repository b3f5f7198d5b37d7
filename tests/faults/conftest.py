"""A bridge for each set-up, which the tests of one session share: what one breaks must not trouble the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.platform import Platform, platform
from tests.faults.running import Bridge, running_bridge


@pytest.fixture(scope="session")
def shop() -> Iterator[Platform]:
    """The platform whose orders the bridge looks up."""
    with platform() as running:
        yield running


@pytest.fixture(scope="session")
def bridge(shop: Platform) -> Iterator[Bridge]:
    """A bridge that is up, on servers of its own."""
    with running_bridge({"MEDUSA_URL": shop.url}) as running:
        yield running
