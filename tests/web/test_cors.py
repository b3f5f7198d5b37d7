"""What a cache is told of answers to pages of other origins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.config import Config
from bridge.web import create_app

SHOP = "https://shop.test"

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.mark.parametrize("path", ["/api/reservations/BK-1", "/store/resource-booking/holds/hold_1"])
@pytest.mark.parametrize("origin", [SHOP, "https://another.test", None])
def test_an_answer_that_depends_on_who_asks_says_so(config: Config, path: str, origin: str | None) -> None:
    client = create_app(replace(config, cors_origins=(SHOP,))).test_client()

    answer = client.get(path, headers={"Origin": origin} if origin else {})

    assert "Origin" in answer.headers["Vary"]
    # Without an origin it is nobody's page that asks.
    if origin is not None:
        assert answer.headers.get("Access-Control-Allow-Origin") == (SHOP if origin == SHOP else None)
