"""Processes are killed while customers race and orders come in; in the end everybody has what is theirs."""

from __future__ import annotations

import pytest

from tests.faults.load import under_load
from tests.faults.platform import Platform
from tests.faults.running import Bridge

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(300)]


def test_a_worker_that_is_killed_again_and_again_loses_nothing(bridge: Bridge, shop: Platform) -> None:
    with under_load(bridge, shop) as load:
        for _ in range(3):
            bridge.kill_at_work()
            load.kills += 1

    assert load.proof.died > 0
