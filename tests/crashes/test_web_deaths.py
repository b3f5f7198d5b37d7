"""A web process killed between its commit and its answer: who asks again gets the answer to what was done, once."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest
import requests

from bridge import db
from bridge.clients.webhooks import sign
from bridge.core import events
from bridge.ids import new_id
from tasks.events import apply_event
from tests.conftest import ADMIN_KEY, WEBHOOK_SECRET
from tests.crashes.conftest import drift, journal_of
from tests.factories import counters, make_hold, make_resource
from tests.faults.running import free_port
from tests.tasks.conftest import look, running, wait_for

pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(180)]

TIMEOUT = 30
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}


def is_up(url):
    try:
        return requests.get(f"{url}/healthz", timeout=TIMEOUT).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def own_settings(config, own):
    """Settings of a web process beside this file's own database."""
    return lambda port: type(config)(
        **{name: getattr(config, name) for name in type(config).__dataclass_fields__}
        | {"database_url": own, "port": port, "medusa_url": ""}
    )


@pytest.fixture(scope="module")
def living(own_settings):
    """Where a web process answers that nobody kills: what a balancer asks next."""
    port = free_port()
    with running(own_settings(port), "web"):
        wait_for(lambda: is_up(f"http://127.0.0.1:{port}"), 60)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def ask(own_settings, living, doomed):
    """Asks a web process that dies somewhere, and then, having had no answer, one that lives; the latter's answer."""

    def ask_twice(when, at, path, **options):
        port = free_port()
        with doomed(own_settings(port), "web", when, at) as web:
            wait_for(lambda: is_up(f"http://127.0.0.1:{port}"), 60)
            with pytest.raises(requests.ConnectionError):
                requests.post(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT, **options)
            web.wait_for_death()
        return requests.post(living + path, timeout=TIMEOUT, **options)

    return ask_twice


def sold(resource_id):
    with db.transaction() as conn:
        return counters(conn, resource_id)


def prepare(**fields):
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1, **fields)
        return resource_id, dates, make_hold(conn, resource_id, dates)


RECEIVING = "bridge.core.events:receive_event"


@pytest.mark.parametrize(("when", "is_duplicate"), [("before", False), ("after", True)])
@pytest.mark.usefixtures("settings")
def test_an_event_whose_receiver_is_killed_comes_again_and_is_applied_once(ask, when, is_duplicate):
    resource_id, _dates, hold_id = prepare()
    order = {
        "id": new_id("order"),
        "status": "pending",
        "version": 1,
        "items": [{"id": "item_1", "quantity": 1, "metadata": {"booking_hold_id": hold_id}}],
    }
    body = orjson.dumps({"type": "order.placed", "data": {"order": order}})

    answer = ask(when, RECEIVING, "/webhooks/medusa", data=body, headers=sign(WEBHOOK_SECRET, body))
    event_id = answer.json()["event_id"]
    with db.transaction() as conn:
        rung = [rung_id for rung_id, _queue in events.ring_due_events(conn)]
    apply_event(event_id)

    assert (answer.status_code, answer.json()["duplicate"]) == (202, is_duplicate)
    assert rung == [event_id]
    assert look(event_id)["duplicates"] == is_duplicate
    assert (look(event_id)["status"], look(event_id)["attempts"]) == ("applied", 1)
    assert sold(resource_id) == [(0, 1)]
    assert drift() == []


@pytest.mark.parametrize(("when", "status"), [("before", 201), ("after", 200)])
def test_a_hold_whose_answer_is_lost_is_answered_to_whoever_asks_again(ask, when, status):
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=1)
    body = {
        "resource_id": resource_id,
        "dates": [str(dates[0])],
        "quantity": 2,
        "customer_email": "ada@example.test",
        "idempotency_token": uuid4().hex,
    }

    answer = ask(when, "bridge.core.holds:place_hold", "/store/resource-booking/holds", json=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["hold"]["idempotency_token"] == body["idempotency_token"]
    assert sold(resource_id) == [(2, 0)]
    assert journal_of(answer.json()["hold"]["id"]) == [("place", 2, 0)]
    assert drift() == []


@pytest.mark.parametrize("at", ["bridge.core.holds:confirm_hold", "bridge.web.store.holds:_confirmed.dump"])
def test_a_hold_is_confirmed_once_though_nobody_heard_of_it(ask, at):
    """Killed in the transaction the first time, after its commit the second."""
    resource_id, _dates, hold_id = prepare()
    body = {"order_id": new_id("order"), "line_item_id": "item_1"}

    answer = ask("after", at, f"/store/resource-booking/holds/{hold_id}/confirm", json=body, headers=ADMIN)

    assert answer.status_code == 200, answer.text
    assert sold(resource_id) == [(0, 1)]
    assert journal_of(hold_id) == [("place", 1, 0), ("confirm", -1, 1)]
    assert drift() == []


@pytest.mark.parametrize(
    ("at", "replayed"), [("bridge.core.idempotency:finish", None), ("bridge.web.endpoints:_answer_once", "true")]
)
def test_what_has_an_idempotency_key_is_done_once(ask, at, replayed):
    """Killed in the transaction that does it and keeps the answer, the first time; after its commit the second."""
    resource_id, dates, _hold_id = prepare(capacity=10)
    body = {"resource_id": resource_id, "dates": [str(dates[0])], "adjustment": 5}
    headers = {**ADMIN, "Idempotency-Key": uuid4().hex}

    answer = ask("after", at, "/admin/resource-booking/capacity/adjust", json=body, headers=headers)

    assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (200, replayed)
    with db.transaction() as conn:
        rows = conn.execute("SELECT max_capacity FROM capacity WHERE resource_id = %s", [resource_id]).fetchall()
    assert [row["max_capacity"] for row in rows] == [15]
