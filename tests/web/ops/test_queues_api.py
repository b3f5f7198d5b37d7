"""/ops/api/queues, workers, orders, audit and overview: how the bridge is doing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bridge import db
from bridge.core import audits, failures, processes
from tests.web.ops.rows import committed, make_event, make_shortfall

pytestmark = pytest.mark.xdist_group("queues")  # What pauses a queue is seen by whoever looks at it.


def test_queues_say_what_waits_in_each(client, ops):
    committed(make_event)

    queues = {queue["name"]: queue for queue in client.get("/ops/api/queues", headers=ops).json["queues"]}

    assert set(queues) == {"bridge.events", "bridge.outgoing", "bridge.webhooks", "bridge.maintenance"}
    assert queues["bridge.events"]["failed"] >= 1
    assert set(queues["bridge.events"]) >= {"paused", "pending", "due", "rung", "claimed", "oldest_pending_seconds"}


def test_a_queue_is_paused_and_resumed(client, ops):
    paused = client.post("/ops/api/queues/bridge.maintenance/pause", headers=ops)
    twice = client.post("/ops/api/queues/bridge.maintenance/pause", headers=ops)
    resumed = client.post("/ops/api/queues/bridge.maintenance/resume", headers=ops)

    assert (paused.status_code, paused.json["queue"]["paused"]) == (200, True)
    assert paused.json["queue"]["paused_by"].startswith("key:")
    assert paused.json["queue"]["paused_at"].endswith("Z")
    assert twice.status_code == 200
    assert (resumed.status_code, resumed.json["queue"]["paused"]) == (200, False)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_queue_is_not_found(client, ops, verb):
    answer = client.post(f"/ops/api/queues/celery/{verb}", headers=ops)

    assert (answer.status_code, answer.json["code"]) == (404, "queue_not_found")


def test_workers_are_listed_with_when_they_were_heard_of(client, ops):
    name = f"host:{uuid4().hex}"
    committed(processes.beat, kind="worker", name=name, state={"busy": 1})

    workers = client.get("/ops/api/workers", headers=ops).json["workers"]

    (worker,) = (worker for worker in workers if worker["name"] == name)
    assert (worker["kind"], worker["alive"], worker["state"]) == ("worker", True, {"busy": 1})
    assert worker["seen_at"].endswith("Z")


def test_a_timeline_tells_an_orders_story_in_order(client, ops):
    _shortfall_id, order_id, _resource_id = committed(make_shortfall)
    event_id = committed(make_event, order_id=order_id)
    committed(failures.retry_event, event_id=event_id, actor="tests")

    answer = client.get(f"/ops/api/orders/{order_id}/timeline", headers=ops)

    entries = answer.json["timeline"]
    assert answer.json["order_id"] == order_id
    assert {entry["kind"] for entry in entries} == {"event", "attempt", "journal", "shortfall", "action"}
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert all(entry["at"].endswith("Z") for entry in entries)


def test_an_order_nobody_spoke_of_has_an_empty_timeline(client, ops):
    answer = client.get("/ops/api/orders/order_unknown/timeline", headers=ops)

    assert (answer.status_code, answer.json["timeline"]) == (200, [])


def test_the_last_audit_is_shown(client, ops):
    with db.transaction() as conn:
        audits.audit(conn)

    audit = client.get("/ops/api/audit", headers=ops).json["audit"]

    assert audit["drift"] == len(audit["findings"])
    assert audit["checked_at"].endswith("Z")


def test_the_overview_counts_what_matters(client, ops):
    committed(make_event)
    committed(make_shortfall)
    committed(processes.beat, kind="worker", name=f"host:{uuid4().hex}")

    numbers = client.get("/ops/api/overview", headers=ops).json["overview"]

    assert numbers["failed"] >= 1
    assert numbers["open_shortfalls"] >= 1
    assert numbers["alive"]["worker"] >= 1
    # The web says nothing of itself: that it answers is all there is to know.
    assert "web" not in numbers["alive"]
    assert set(numbers) >= {"pending", "oldest_pending_seconds", "relay_lag_seconds", "audit_drift", "paused_queues"}


def test_the_openapi_document_names_every_endpoint(client):
    paths = client.get("/openapi.json").json["paths"]

    assert {path for path in paths if path.startswith("/ops/")} == {
        "/ops/api/events",
        "/ops/api/events/{event_id}",
        "/ops/api/events/{event_id}/retry",
        "/ops/api/events/{event_id}/discard",
        "/ops/api/events/{event_id}/payload",
        "/ops/api/events/retry",
        "/ops/api/queues",
        "/ops/api/queues/{name}/pause",
        "/ops/api/queues/{name}/resume",
        "/ops/api/workers",
        "/ops/api/orders/{order_id}/timeline",
        "/ops/api/audit",
        "/ops/api/overview",
    }
