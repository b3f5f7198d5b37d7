"""A sender whose clock is wrong is refused, whatever it sends, and welcome once its clock is right."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import requests
from standardwebhooks import Webhook

from tests.conftest import WEBHOOK_SECRET
from tests.faults.running import Bridge
from tests.faults.setups import ALONE, Stage, on

pytestmark = ALONE
BODY = json.dumps({"type": "payment.captured", "data": {"id": "pay_1"}})


@on("embedded")
@pytest.mark.parametrize("hours", [-1, 1])
def test_a_sender_whose_clock_is_an_hour_off_is_refused_until_it_is_right(stage: Stage, hours: int) -> None:
    webhook_id = f"msg_{uuid4().hex}"

    refused = post(stage.bridge, webhook_id, datetime.now(UTC) + timedelta(hours=hours))
    stored = count(stage.bridge, webhook_id)
    taken = post(stage.bridge, webhook_id, datetime.now(UTC))

    assert (refused.status_code, stored) == (401, 0)
    assert (taken.status_code, taken.json()["duplicate"]) == (202, False)
    assert count(stage.bridge, webhook_id) == 1


def post(bridge: Bridge, webhook_id: str, at: datetime) -> requests.Response:
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(WEBHOOK_SECRET).sign(webhook_id, at, BODY),
        "content-type": "application/json",
    }
    return requests.post(f"{bridge.url}/webhooks/medusa", data=BODY, headers=headers, timeout=30)


def count(bridge: Bridge, webhook_id: str) -> int:
    with bridge.database() as conn:
        return len(conn.execute("SELECT FROM event WHERE dedupe_key = %s", [webhook_id]).fetchall())
