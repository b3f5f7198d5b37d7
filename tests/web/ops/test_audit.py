"""What the auditor finds is said everywhere: the metric, the log, the console, the API, the command, /readyz."""

from __future__ import annotations

import re

import pytest
import structlog
from click.testing import CliRunner

from bridge import db
from bridge.cli import main
from bridge.core import audits, keys, ops_users
from bridge.web import create_app
from tests.core.test_audits import BREAKS, RIDDLES, World
from tests.databases import own_database
from tests.web.ops.browsing import PASSWORD, send


@pytest.fixture(scope="module")
def own(config):
    """A database of this file's own, with a console account, and the settings that name it."""
    with own_database(config.database_url) as url:
        with db.transaction() as conn:
            ops_users.set_password(conn, "ada", PASSWORD)
            _key, secret = keys.create_key(conn, name="tests", scopes=["ops"])
        values = {name: getattr(config, name) for name in type(config).__dataclass_fields__}
        yield type(config)(**values | {"database_url": url}), {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def browser(own):
    client = create_app(own[0]).test_client()
    send(client, "/ops/sign-in", {"name": "ada", "password": PASSWORD}, form_at="/ops/sign-in")
    return client


@pytest.fixture
def run(own):
    return lambda *args: CliRunner().invoke(
        main, ["audit", *args], env={"DATABASE_URL": own[0].database_url}, catch_exceptions=False
    )


def in_world(act):
    with db.transaction() as conn:
        world = World(conn)
        if act is not None:
            act(world)
        return world


def drift_in(metrics):
    return float(re.search(r"^bridge_audit_drift (\S+)$", metrics, re.MULTILINE)[1])


@pytest.mark.parametrize(("do", "found", "_counts"), BREAKS.values(), ids=BREAKS)
def test_drift_is_told_everywhere_until_it_is_repaired(own, browser, run, monkeypatch, do, found, _counts):
    in_world(do)
    # A logger keeps the settings it was first used with; a new one has those of the moment.
    monkeypatch.setattr(audits, "log", structlog.get_logger("bridge.audit"))

    with structlog.testing.capture_logs() as lines:
        answer = run()
    shown = browser.get("/ops/api/audit", headers=own[1]).json["audit"]
    overview = browser.get("/ops/api/overview", headers=own[1]).json["overview"]
    console, ready = browser.get("/ops/").text, browser.get("/readyz").json
    drift = drift_in(browser.get("/metrics").text)
    repaired = run("--repair")

    assert answer.exit_code == 1
    assert f"{len(shown['findings'])} findings." in answer.output
    assert answer.output.count("    --repair ") == len(shown["findings"])
    assert {row.get("what") or row["check"] for row in shown["findings"]} == found
    assert drift == shown["drift"] == overview["audit_drift"] == ready["audit_drift"] == len(shown["findings"]) > 0
    assert [line["drift"] for line in lines if line["log_level"] == "error"] == [drift]
    assert "the ledger does not add up" in console
    assert all(row["meaning"]["what"].split(" ")[0] in console for row in shown["findings"])
    assert (repaired.exit_code, repaired.output.count("repaired: ") >= 1) == (0, True)
    assert repaired.output.endswith("The ledger adds up: 0 findings.\n")
    assert drift_in(browser.get("/metrics").text) == 0


def test_what_people_must_decide_keeps_the_exit_code_and_says_what_to_do(own, run):
    do, _found = RIDDLES["a forged allocation"]
    world = in_world(do)

    answer = run("--repair")

    assert answer.exit_code == 1
    assert answer.output.startswith("left: Allocation alloc_")
    assert "cancel the allocation (POST /admin/resource-booking/allocations/ID/cancel)" in answer.output.replace(
        "\n", " "
    )
    with db.transaction() as conn:
        conn.execute("DELETE FROM allocation WHERE hold_id = %s AND order_id = 'order_forged'", [world.live])
    assert run().exit_code == 0


def test_repairing_a_sound_ledger_does_nothing(own, run):
    in_world(None)
    with db.transaction() as conn:
        before = conn.execute("SELECT count(*) AS n FROM ops_action").fetchone()

    answer = run("--repair")

    assert (answer.exit_code, answer.output) == (0, "The ledger adds up: 0 findings.\n")
    with db.transaction() as conn:
        assert conn.execute("SELECT count(*) AS n FROM ops_action").fetchone() == before
