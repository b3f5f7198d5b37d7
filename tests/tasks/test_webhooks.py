"""What is announced arrives at whoever subscribed, signed, under one id; and what does not arrive is tried again."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from standardwebhooks import WebhookVerificationError

from bridge import db
from bridge.core import deliveries, failures, holds, webhooks
from bridge.core.announcements import announce
from bridge.ids import new_id
from schemas.announcements import TYPES, dump_announcement
from tasks.webhooks import deliver, fan_out
from tests.factories import make_hold, make_resource
from tests.tasks.conftest import look
from tests.tasks.receiver import receiving

pytestmark = pytest.mark.usefixtures("private")


@pytest.fixture
def private(settings):
    """Private addresses are allowed, and nobody has subscribed."""
    settings(webhooks_allow_private=True)
    with db.transaction() as conn:
        for webhook in webhooks.list_webhooks(conn, limit=100)[0]:
            webhooks.delete_webhook(conn, webhook["id"], actor="tests")


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def subscribe(url, *types):
    with db.transaction() as conn:
        return webhooks.create_webhook(conn, url=url, types=types or ["*"], actor="tests", allow_private=True)


def say(type_="booking.confirmed", **data):
    """Announce something, and make the deliveries."""
    with db.transaction() as conn:
        announce(conn, type_, {"id": uuid4().hex, **data}, key=uuid4().hex)
    fan_out(limit=100)


def owed(made):
    """Ids of the deliveries of a webhook, the oldest first."""
    with db.transaction() as conn:
        rows, _count = failures.list_events(conn, webhook_id=made.webhook["id"], limit=100)
    return [row["id"] for row in reversed(rows)]


def due(*event_ids):
    """The wait is over."""
    with db.transaction() as conn:
        conn.execute("UPDATE event SET next_attempt_at = now() WHERE id = ANY (%s)", [list(event_ids)])
        conn.execute("UPDATE webhook SET retry_at = NULL")


def state(made):
    with db.transaction() as conn:
        return webhooks.get_webhook(conn, made.webhook["id"])


def told(made, **data):
    """One delivery, made and attempted."""
    say(**data)
    (delivery_id,) = owed(made)
    deliver(delivery_id)
    return look(delivery_id)


# -- it arrives --------------------------------------------------------------------------------------------------------


def test_a_hold_that_is_placed_arrives_and_its_signature_is_valid(receiver):
    made = subscribe(receiver.url, "resource_booking.*")
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, days=2)
        hold_id = make_hold(conn, resource_id, dates, 2)
    fan_out(limit=100)

    (delivery_id,) = owed(made)
    deliver(delivery_id)

    (heard,) = receiver.heard
    said = heard.verify(made.secret)
    assert (said["type"], said["version"]) == ("resource_booking.hold.created", 1)
    assert said["timestamp"].endswith("Z")
    assert (
        said["data"]
        | {
            "id": hold_id,
            "resource_id": resource_id,
            "status": "ACTIVE",
            "quantity": 2,
            "dates": [str(day) for day in dates],
        }
        == said["data"]
    )
    assert heard.id == delivery_id
    assert heard.headers["content-type"] == "application/json"
    delivery = look(delivery_id)
    assert delivery["status"] == "applied"
    assert delivery["payload"] == said
    assert delivery["attempt_log"][0]["http_status"] == 204


def test_everybody_who_wants_it_is_told_and_nobody_else(receiver):
    wanting = [subscribe(receiver.url, types) for types in ("*", "booking.*", "booking.confirmed")]
    others = [subscribe(receiver.url, types) for types in ("waitlist.*", "booking.created")]

    say("booking.confirmed")

    assert [len(owed(made)) for made in wanting + others] == [1, 1, 1, 0, 0]


def test_what_happened_before_somebody_subscribed_is_not_told():
    early = subscribe("http://127.0.0.1:1/", "*")
    with db.transaction() as conn:
        announce(conn, "booking.created", {"id": "b"}, key=uuid4().hex)
    late = subscribe("http://127.0.0.1:1/", "*")

    fan_out(limit=100)

    assert (len(owed(early)), len(owed(late))) == (1, 0)


def test_the_same_key_announced_again_later_is_not_delivered_again():
    made, key = subscribe("http://127.0.0.1:1/"), uuid4().hex

    for _ in range(2):
        with db.transaction() as conn:
            announce(conn, "booking.created", {"id": "b"}, key=key)
        fan_out(limit=100)

    assert len(owed(made)) == 1


def test_an_answer_is_kept_with_its_attempt_and_its_addresses_are_not():
    with receiving(status=500, body=b"no such user ada@example.test") as receiver:
        delivery = told(subscribe(receiver.url))

    (attempt,) = delivery["attempt_log"]
    assert (attempt["http_status"], attempt["outcome"]) == (500, "retry")
    assert attempt["answer"] == "no such user …@…"


def test_what_a_type_should_not_be_is_a_failed_delivery_and_the_others_go_out(receiver):
    made = subscribe(receiver.url)
    with db.transaction() as conn:
        announce(conn, "resource_booking.hold.created", {"id": 7}, key=uuid4().hex)
        announce(conn, "booking.created", {"id": "b"}, key=uuid4().hex)

    fan_out(limit=100)

    assert sorted(look(each)["status"] for each in owed(made)) == ["failed", "pending"]


def test_what_is_due_to_the_same_receiver_goes_out_in_one_go(receiver):
    made = subscribe(receiver.url)
    for _ in range(20):
        say()

    deliver(owed(made)[0])

    assert {look(each)["status"] for each in owed(made)} == {"applied"}
    assert len({heard.id for heard in receiver.heard}) == 20


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_after_a_rotation_both_secrets_are_valid_for_a_day(receiver):
    made = subscribe(receiver.url)
    with db.transaction() as conn:
        rotated = webhooks.rotate_secret(conn, made.webhook["id"], actor="tests")
    told(made)

    (heard,) = receiver.heard
    assert heard.verify(made.secret) == heard.verify(rotated.secret)
    assert made.secret != rotated.secret

    with db.transaction() as conn:
        conn.execute("UPDATE webhook SET old_secret_until = now() - INTERVAL '1 second'")
    say()
    deliver(owed(made)[-1])
    receiver.heard[-1].verify(rotated.secret)
    with pytest.raises(WebhookVerificationError):
        receiver.heard[-1].verify(made.secret)


# -- it does not arrive ------------------------------------------------------------------------------------------------


def test_a_delivery_that_fails_is_sent_again_under_the_same_id_with_the_same_body(receiver):
    made = subscribe(receiver.url)
    receiver.status = 500
    delivery = told(made)
    assert (delivery["status"], delivery["error_code"]) == ("pending", "webhook_refused")

    receiver.status = 200
    due(delivery["id"])
    deliver(delivery["id"])

    first, second = receiver.heard
    assert (first.id, first.body) == (second.id, second.body)
    assert look(delivery["id"])["status"] == "applied"
    assert state(made)["failures"] == 0


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 500, 503])
def test_whatever_is_not_2xx_is_a_failure(status):
    with receiving() as elsewhere, receiving(status=status, headers={"Location": elsewhere.url}) as receiver:
        delivery = told(subscribe(receiver.url))

    assert (delivery["status"], delivery["error"]) == ("pending", f"It answered {status}.")
    assert elsewhere.heard == []


def test_the_waits_grow_to_three_days():
    waits = [deliveries.wait_seconds(left) for left in range(15, 0, -1)]

    assert 4 <= waits[0] <= 6
    assert timedelta(days=2) < timedelta(seconds=sum(waits)) < timedelta(days=4)
    assert sum(deliveries.WAITS_SECONDS) == pytest.approx(3 * 24 * 3600, rel=0.01)


def test_a_delivery_whose_attempts_are_used_up_fails(receiver):
    receiver.status = 500
    made = subscribe(receiver.url)
    say()
    (delivery_id,) = owed(made)
    for _ in range(16):
        due(delivery_id)
        deliver(delivery_id)

    delivery = look(delivery_id)
    assert (delivery["status"], delivery["attempts"]) == ("failed", 16)
    assert {heard.id for heard in receiver.heard} == {delivery_id}


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_says_how_long_it_wants_to_be_left_alone(status):
    with receiving(status=status, headers={"Retry-After": "3600"}) as receiver:
        made = subscribe(receiver.url)
        delivery = told(made)
        say()

        with db.statement() as conn:
            rung = deliveries.ring_due_deliveries(conn)

    assert delivery["next_attempt_at"] - delivery["attempt_log"][0]["finished_at"] > timedelta(minutes=59)
    assert state(made)["retry_at"] - state(made)["failed_at"] > timedelta(minutes=59)
    assert rung == []  # The other delivery waits too.


def test_an_answer_without_end_is_read_no_further_than_its_beginning():
    def pour(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100_000):
            handler.wfile.write(b"x" * 1024)

    with receiving(act=pour) as receiver:
        delivery = told(subscribe(receiver.url))

    assert delivery["status"] == "applied"
    assert delivery["attempt_log"][0]["answer"] == "x" * 2048


def test_a_receiver_that_hangs_costs_ten_seconds_and_then_waits(monkeypatch):
    monkeypatch.setattr("bridge.clients.deliveries.WHOLE_MILLISECONDS", 500)
    with receiving() as receiver:
        receiver.act = receiver.hang
        made = subscribe(receiver.url)
        delivery = told(made)

    assert (delivery["status"], delivery["error_code"]) == ("pending", "webhook_too_slow")
    assert state(made)["retry_at"] is not None


def test_a_receiver_that_drips_is_cut_off(monkeypatch):
    monkeypatch.setattr("bridge.clients.deliveries.WHOLE_MILLISECONDS", 500)

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            receiver.released.wait(0.1)

    with receiving(act=drip) as receiver:
        delivery = told(subscribe(receiver.url))

    assert delivery["error_code"] == "webhook_too_slow"


def test_nobody_there_is_a_failure():
    delivery = told(subscribe("http://127.0.0.1:1/hook"))

    assert (delivery["status"], delivery["error_code"]) == ("pending", "webhook_unreachable")


# -- it has had enough -------------------------------------------------------------------------------------------------


def mails_about(made):
    with db.transaction() as conn:
        rows = conn.execute("SELECT raw FROM event WHERE type = 'mail'").fetchall()
    return [mail for row in rows if made.webhook["id"] in (mail := orjson.loads(row["raw"]))["subject"]]


def test_410_disables_at_once(receiver):
    receiver.status = 410
    made, other = subscribe(receiver.url), subscribe("http://127.0.0.1:1/", "webhook.*")
    delivery = told(made)
    say()
    fan_out(limit=100)

    assert (delivery["status"], delivery["error_code"]) == ("failed", "webhook_gone")
    assert (state(made)["is_enabled"], state(made)["disabled_reason"]) == (False, "it answered 410 Gone")
    assert len(owed(made)) == 1
    assert len(mails_about(made)) == 1
    (notice,) = owed(other)
    assert look(notice)["payload"]["data"]["webhook_id"] == made.webhook["id"]
    assert [action["action"] for action in notes(made)] == ["webhook.create", "webhook.disable"]


def notes(made):
    with db.transaction() as conn:
        return conn.execute("SELECT * FROM ops_action WHERE target = %s ORDER BY n", [made.webhook["id"]]).fetchall()


def test_after_three_days_of_failures_it_is_disabled_and_people_are_told_once(receiver):
    receiver.status = 500
    made = subscribe(receiver.url)
    for _ in range(3):
        say()
    first, second, third = owed(made)
    deliver(first)
    assert state(made)["is_enabled"]

    with db.transaction() as conn:
        conn.execute("UPDATE webhook SET failing_since = now() - INTERVAL '3 days'")
    due(first, second)
    deliver(first)

    assert (state(made)["is_enabled"], state(made)["disabled_reason"]) == (False, "it has failed for 3 days")
    assert len(mails_about(made)) == 1
    deliver(third)
    assert (look(third)["status"], look(third)["error_code"]) == ("failed", "webhook_disabled")
    assert len(receiver.heard) == 2
    assert len(mails_about(made)) == 1


def test_a_success_starts_the_three_days_anew(receiver):
    receiver.status = 500
    made = subscribe(receiver.url)
    delivery = told(made)
    with db.transaction() as conn:
        conn.execute("UPDATE webhook SET failing_since = now() - INTERVAL '3 days'")
    receiver.status = 200
    due(delivery["id"])
    deliver(delivery["id"])

    assert (state(made)["is_enabled"], state(made)["failing_since"]) == (True, None)


def test_what_was_not_told_is_replayed_when_it_is_enabled_again(receiver):
    receiver.status = 410
    made = subscribe(receiver.url)
    delivery = told(made)
    receiver.status = 200

    with db.transaction() as conn:
        webhooks.enable_webhook(conn, made.webhook["id"], actor="tests")
        counts = failures.retry_events(conn, {"webhook_id": made.webhook["id"]}, actor="tests")
    deliver(delivery["id"])

    assert counts == {"matched": 1, "retried": 1}
    assert look(delivery["id"])["status"] == "applied"
    assert [heard.id for heard in receiver.heard] == [delivery["id"]] * 2


def test_a_delivery_that_arrived_can_be_replayed(receiver):
    made = subscribe(receiver.url)
    delivery = told(made)

    with db.transaction() as conn:
        failures.retry_event(conn, delivery["id"], actor="tests")
    deliver(delivery["id"])

    assert [heard.id for heard in receiver.heard] == [delivery["id"]] * 2


def test_what_waits_for_a_deleted_webhook_is_discarded(receiver):
    made = subscribe(receiver.url)
    say()
    (delivery_id,) = owed(made)

    with db.transaction() as conn:
        webhooks.delete_webhook(conn, made.webhook["id"], actor="tests")
    deliver(delivery_id)

    assert look(delivery_id)["status"] == "discarded"
    assert receiver.heard == []


# -- fairness ----------------------------------------------------------------------------------------------------------


def ring():
    with db.statement() as conn:
        return {event_id for event_id, _queue in deliveries.ring_due_deliveries(conn)}


def test_no_more_than_a_few_deliveries_of_one_receiver_are_under_way():
    busy, other = subscribe("http://127.0.0.1:1/a", "booking.created"), subscribe("http://127.0.0.1:1/b", "booking.*")
    for _ in range(30):
        say("booking.created")

    rung = [ring(), ring()]

    assert len(rung[0] & set(owed(busy))) == deliveries.MOST_UNDER_WAY
    assert len(rung[0] & set(owed(other))) == deliveries.MOST_UNDER_WAY
    assert rung[1] == set()


def test_one_that_fails_waits_and_then_tries_a_single_delivery():
    made = subscribe("http://127.0.0.1:1/")
    for _ in range(10):
        say()
    for delivery_id in owed(made)[: deliveries.FAILURES_BEFORE_PAUSE]:
        deliver(delivery_id)
    assert ring() == set()

    with db.transaction() as conn:
        conn.execute("UPDATE webhook SET retry_at = now() - INTERVAL '1 second'")

    assert len(ring()) == 1


def test_a_queue_that_is_paused_delivers_nothing():
    subscribe("http://127.0.0.1:1/")
    say()
    with db.transaction() as conn:
        failures.pause_queue(conn, "bridge.webhooks", actor="tests")

    paused = ring()
    with db.transaction() as conn:
        failures.resume_queue(conn, "bridge.webhooks", actor="tests")

    assert (len(paused), len(ring())) == (0, 1)


# -- payloads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in TYPES if name.startswith("resource_booking")])
def test_every_type_of_the_ledger_is_written_as_documented(name):
    """Its whole way, from the trigger on: nothing the schema demands is missing."""
    made = subscribe("http://127.0.0.1:1/", name)
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn, capacity=3, days=1)
        released, expired, confirmed = (make_hold(conn, resource_id, dates) for _ in range(3))
    with db.transaction() as conn:
        holds.release_hold(conn, released, actor="tests")
        allocation, _hold = holds.confirm_hold(
            conn, confirmed, order_id=new_id("order"), line_item_id=None, actor="tests"
        )
        conn.execute("UPDATE hold SET expires_at = now() - INTERVAL '1 hour' WHERE id = %s", [expired])
        conn.execute("UPDATE claim SET expires_at = now() - INTERVAL '1 hour' WHERE hold_id = %s", [expired])
        holds.expire_holds(conn, limit=1000)
        conn.execute("UPDATE allocation SET quantity = 2 WHERE id = %s", [allocation.id])
    with db.transaction() as conn:
        conn.execute(
            "UPDATE allocation SET quantity = 0, status = 'CANCELLED', cancelled_at = now() WHERE id = %s",
            [allocation.id],
        )

    fan_out(limit=1000)

    written = [look(each) for each in owed(made)]
    assert {(each["type"], each["status"]) for each in written} == {(name, "pending")}
    schema = TYPES[name][1]
    for each in written:
        assert set(each["payload"]) == {"type", "version", "timestamp", "data"}
        assert set(each["payload"]["data"]) == set(schema().fields)


def test_what_a_booking_has_besides_is_told_too():
    said = dump_announcement(type="booking.rebooked", timestamp=None, data={"id": "b_1", "party": {"adult": 2}})

    assert said["data"] == {"id": "b_1", "party": {"adult": 2}}
