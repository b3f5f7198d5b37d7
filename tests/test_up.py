"""What `python -m bridge up` says once everything is up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge import db, up
from bridge.config import Config
from tests.factories import make_resource, make_staff


def test_what_one_is_told_to_try_can_be_asked(
    config: Config, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody whose time is sold is newer than what is sold by the day."""
    with db.transaction() as conn:
        make_resource(conn)
        make_staff(conn)

    def get(_config: Config, path: str, key: str = "") -> Any:
        return client.get(path, headers={"Authorization": f"Bearer {key}"}).json

    monkeypatch.setattr(up, "_get", get)

    resource_id = up._find_resource(config, config.admin_api_key)

    today = date.today()
    days = {"resource_id": resource_id, "start_date": f"{today}", "end_date": f"{today + timedelta(days=6)}"}
    assert client.get("/store/resource-booking/availability", query_string=days).status_code == 200
