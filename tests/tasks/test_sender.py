"""Real processes and a real receiver: what happens here is heard there, and one that hangs holds up nobody."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from uuid import uuid4

import pytest

from bridge import db, outbox
from bridge.core import failures, holds, processes, webhooks
from bridge.core.announcements import announce
from tests.factories import make_hold, make_resource
from tests.tasks.conftest import look, purge, started, stop, wait_for
from tests.tasks.receiver import receiving

# One after the other: brokers are shared, and their queues have fixed names.
pytestmark = [pytest.mark.xdist_group("broker"), pytest.mark.timeout(240)]

KINDS = ("relay", "worker", "sender")


@pytest.fixture
def chosen(settings, broker):
    changed = settings(broker_url=broker, medusa_url="", worker_processes=1)
    purge(broker)
    with db.transaction() as conn:
        conn.execute("DELETE FROM process")
        conn.execute("DELETE FROM webhook")
        conn.execute("UPDATE event SET status = 'ignored', finished_at = now() WHERE status = 'pending'")
    return changed


@pytest.fixture
def running(chosen):
    """Relay, worker and sender, which may send to where tests receive."""
    with ExitStack() as stack:
        yield {
            kind: stack.enter_context(
                started(chosen, [sys.executable, "-m", "bridge", kind], WEBHOOKS_ALLOW_PRIVATE="true")
            )
            for kind in KINDS
        }


def subscribe(url, *types):
    with db.transaction() as conn:
        return webhooks.create_webhook(conn, url=url, types=types or ["*"], actor="tests", allow_private=True)


def say(count=1, type_="booking.confirmed"):
    with db.transaction() as conn:
        for _ in range(count):
            announce(conn, type_, {"id": uuid4().hex}, key=uuid4().hex)


def alive():
    with db.transaction() as conn:
        return {row["kind"] for row in failures.list_workers(conn) if row["alive"]}


def test_a_hold_is_heard_of_from_its_beginning_to_its_end(running, own):
    with receiving() as receiver:
        made = subscribe(receiver.url, "resource_booking.hold.*", "resource_booking.allocation.*")
        with db.transaction() as conn:
            resource_id, dates = make_resource(conn, days=2)
            hold_id = make_hold(conn, resource_id, dates, 2)
        wait_for(lambda: len(receiver.heard) == 1, 60)
        with db.transaction() as conn:
            allocation, _hold = holds.confirm_hold(conn, hold_id, order_id="o_1", line_item_id="l_1", actor="tests")
        wait_for(lambda: len(receiver.heard) == 3, 60)
        stuck = processes.find_stuck(own)
        codes = {kind: stop(process) for kind, process in running.items()}

    said = [heard.verify(made.secret) for heard in receiver.heard]
    assert said[0]["type"] == "resource_booking.hold.created"
    assert {each["type"] for each in said[1:]} == {
        "resource_booking.hold.confirmed",
        "resource_booking.allocation.created",
    }
    assert {each["data"]["id"] for each in said} == {hold_id, allocation.id}
    assert len({heard.id for heard in receiver.heard}) == 3
    assert stuck == []
    assert codes == dict.fromkeys(KINDS, 0)
    assert alive() == set()


def test_a_receiver_that_hangs_delays_nobody_else_nor_mail(running):
    """Sixty deliveries to somebody else, and a mail, while none of those to the first has ended well."""
    with receiving() as hanging, receiving() as other:
        hanging.act = hanging.hang
        slow, _quick = subscribe(hanging.url), subscribe(other.url)
        say(30)
        wait_for(lambda: hanging.heard, 60)

        say(30)
        key = uuid4().hex
        with db.transaction() as conn:
            outbox.add_work(conn, type="mail", payload={"to": "a@b.test", "subject": "s", "text": "t"}, dedupe_key=key)
        wait_for(lambda: len(other.heard) == 60, 60)
        wait_for(lambda: mail_of(key)["status"] != "pending", 60)
        concurrent = len(hanging.heard)
        delivered = failures_of(slow, "applied")

    assert delivered == 0
    # What hangs has its own few, and no more.
    assert concurrent <= 8
    assert len({heard.id for heard in other.heard}) == 60


def mail_of(key):
    with db.transaction() as conn:
        return conn.execute("SELECT id, status FROM event WHERE dedupe_key = %s", [key]).fetchone()


def failures_of(made, status):
    with db.transaction() as conn:
        return failures.list_events(conn, webhook_id=made.webhook["id"], status=status)[1]


def test_a_receiver_that_was_away_gets_everything_when_it_is_back(running):
    with receiving(status=503) as receiver:
        made = subscribe(receiver.url)
        say(10)
        wait_for(lambda: state(made)["failures"] >= 3, 60)
        receiver.status = 204
        # The waits are over; which they would be by themselves, in minutes.
        stop_waiting = threading.Event()

        def hurry():
            while not stop_waiting.wait(0.2):
                with db.connect() as conn:
                    conn.execute("UPDATE webhook SET retry_at = now() WHERE retry_at > now()")
                    conn.execute(
                        "UPDATE event SET next_attempt_at = now()"
                        " WHERE webhook_id = %s AND status = 'pending' AND rung_at IS NULL AND claimed_by IS NULL",
                        [made.webhook["id"]],
                    )

        thread = threading.Thread(target=hurry)
        thread.start()
        try:
            wait_for(lambda: failures_of(made, "applied") == 10, 60)
        finally:
            stop_waiting.set()
            thread.join()

    assert state(made)["failures"] == 0
    delivered = {heard.id for heard in receiver.heard}
    assert len(delivered) == 10
    assert {look(each)["status"] for each in delivered} == {"applied"}


def state(made):
    with db.transaction() as conn:
        return webhooks.get_webhook(conn, made.webhook["id"])
