"""How limits are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.errors import TooManyRequests
from bridge.web.limits import Limits


def test_each_process_lets_its_share_through(config):
    limits = Limits(replace(config, rate_limits="5/minute", web_processes=2))

    for _ in range(3):
        limits.hit("address", "10.0.0.1")
    with pytest.raises(TooManyRequests) as refusal:
        limits.hit("address", "10.0.0.1")
    limits.hit("address", "10.0.0.2")

    assert refusal.value.retry_after == 60


def test_signing_in_is_limited_whatever_the_setting(config):
    limits = Limits(replace(config, rate_limits="off"))

    for _ in range(10):
        limits.hit("sign_in", "10.0.0.1")
    with pytest.raises(TooManyRequests):
        limits.hit("sign_in", "10.0.0.1")
    for _ in range(2000):
        limits.hit("address", "10.0.0.1")
