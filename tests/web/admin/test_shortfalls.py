"""/admin/resource-booking/shortfalls."""

from __future__ import annotations

import pytest

from bridge import db
from bridge.core import orders
from bridge.ids import new_id
from bridge.rules.orders import LineFacts, OrderFacts
from tests.factories import counters, make_hold, make_resource

PATH = "/admin/resource-booking/shortfalls"


@pytest.fixture
def short(database_url):
    """A paid order without a place: (resource, date, the rival's hold, order)."""
    with db.transaction() as conn:
        resource_id, (day,) = make_resource(conn, capacity=1, days=1)
        rival = make_hold(conn, resource_id, [day])
        order_id = new_id("order")
        line = LineFacts(id="item_1", quantity=1, resource_id=resource_id, dates=(day,))
        orders.reconcile(conn, OrderFacts(source="medusa", id=order_id, lines=(line,)), actor="tests")
    return resource_id, day, rival, order_id


def only(client, admin, order_id, **query):
    answer = client.get(PATH, headers=admin, query_string={"order_id": order_id, **query})
    assert answer.status_code == 200
    return answer.json


def resolve(client, admin, shortfall, action, **body):
    return client.post(f"{PATH}/{shortfall['id']}/resolve", headers=admin, json={"action": action, **body})


def test_it_says_what_is_missing(client, admin, short):
    resource_id, day, _rival, order_id = short

    page = only(client, admin, order_id, status="open")

    (shortfall,) = page["shortfalls"]
    assert (page["count"], page["limit"], page["offset"]) == (1, 20, 0)
    assert shortfall["missing"] == [{"date": str(day), "quantity": 1}]
    assert (shortfall["resource_id"], shortfall["line_item_id"], shortfall["policy"]) == (resource_id, "item_1", "flag")
    assert shortfall["due_at"].endswith("Z")
    assert client.get(f"{PATH}/{shortfall['id']}", headers=admin).json["shortfall"] == shortfall
    assert only(client, admin, order_id, offset=1)["count"] == 1


def test_a_retry_needs_room(client, admin, short):
    resource_id, _day, rival, order_id = short
    (shortfall,) = only(client, admin, order_id)["shortfalls"]

    refused = resolve(client, admin, shortfall, "retry")
    client.delete(f"/store/resource-booking/holds/{rival}")
    done = resolve(client, admin, shortfall, "retry")
    again = resolve(client, admin, shortfall, "retry")

    assert (refused.status_code, refused.json["code"]) == (409, "still_short")
    assert (done.json["shortfall"]["status"], done.json["shortfall"]["action"]) == ("resolved", "retry")
    assert (again.status_code, again.json["code"]) == (409, "shortfall_closed")
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(0, 1)]


@pytest.mark.parametrize(
    ("action", "status", "after"), [("force", "resolved", 1), ("refund", "resolved", 0), ("dismiss", "dismissed", 0)]
)
def test_people_decide(client, admin, short, action, status, after):
    resource_id, _day, _rival, order_id = short
    (shortfall,) = only(client, admin, order_id)["shortfalls"]

    done = resolve(client, admin, shortfall, action, note="agreed by phone").json["shortfall"]

    assert (done["status"], done["action"], done["note"]) == (status, action, "agreed by phone")
    with db.transaction() as conn:
        assert counters(conn, resource_id) == [(1, after)]
        who = conn.execute("SELECT actor, action FROM ops_action WHERE target = %s", [shortfall["id"]]).fetchone()
    assert who == {"actor": "key:ADMIN_API_KEY", "action": f"shortfall.{action}"}


def test_bad_input_is_named(client, admin, short):
    (shortfall,) = only(client, admin, short[3])["shortfalls"]

    assert "action" in resolve(client, admin, shortfall, "hope").json["message"]
    assert "status" in client.get(PATH, headers=admin, query_string={"status": "half"}).json["message"]
    assert client.get(f"{PATH}/short_none", headers=admin).json["code"] == "shortfall_not_found"
    assert client.get(PATH).status_code == 401
