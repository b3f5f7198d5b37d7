"""The commands, as a person types them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import responses
from click.testing import CliRunner, Result

from bridge import db
from bridge.cli import main
from bridge.config import Config
from bridge.ids import new_id
from tests.databases import own_database
from tests.factories import make_hold, make_resource

ROOT = Path(__file__).parents[1]
CAPTURE = ROOT / "tests" / "fixtures" / "medusa" / "07-order.placed.json"


@pytest.fixture
def own(config: Config) -> Iterator[str]:
    """A database that only this test uses."""
    with own_database(config.database_url) as url:
        yield url


def run(*args: str, **env: str) -> Result:
    """A command's result, in an environment with these variables."""
    return CliRunner().invoke(main, args, env=env, catch_exceptions=False)


def every_command(group: click.Group = main, *above: str) -> Iterator[list[str]]:
    for name, command in group.commands.items():
        yield [*above, name]
        if isinstance(command, click.Group):
            yield from every_command(command, *above, name)


# -- help --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", list(every_command()), ids=" ".join)
def test_every_command_says_what_it_does(command: list[str]) -> None:
    answer = run(*command, "--help")

    assert answer.exit_code == 0
    assert re.search(r"Usage: .*\n\n  [A-Z][^.]+\.", answer.output)


def test_the_list_of_commands_has_every_process_of_the_procfile() -> None:
    processes = re.findall(r"-m bridge (\w+)", (ROOT / "Procfile").read_text())

    assert processes
    assert set(processes) <= set(main.commands)


def test_python_m_bridge_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "bridge", "-h"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "migrate" in done.stdout


# -- config ------------------------------------------------------------------------------------------------------------


def test_config_shows_every_setting_and_no_secret() -> None:
    answer = run("config", ADMIN_API_KEY="s3cret", DATABASE_URL="postgresql://ada:s3cret@db/bridge", PORT="8123")

    rows = {line.split()[0]: line.split()[1:] for line in answer.output.splitlines()}
    assert answer.exit_code == 0
    assert "s3cret" not in answer.output
    assert rows["PORT"] == ["environment", "8123"]
    assert rows["ADMIN_API_KEY"] == ["environment", "********"]
    assert rows["HOST"] == ["default", "127.0.0.1"]


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "env", "message"),
    [
        (["config"], {"PORT": "http"}, "PORT: 'http' is not a number"),
        (["migrate"], {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The database cannot be reached."),
        (["audit"], {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The database cannot be reached."),
        (["keys", "list"], {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The database cannot be reached."),
        (["migrate"], {"DATABASE_URL": "bridge"}, "DATABASE_URL: this is not how a PostgreSQL database is named"),
        (["web"], {"DATABASE_URL": ""}, "DATABASE_URL must be set"),
        (["web"], {"DATABASE_URL": "postgresql://", "SECRET_KEY": ""}, "SECRET_KEY"),
        *(
            ([process], {"DATABASE_URL": "", "BROKER_URL": ""}, "DATABASE_URL, BROKER_URL must be set")
            for process in ("relay", "worker", "sender", "beat")
        ),
        (["relay"], {"BROKER_URL": "http://mq"}, "BROKER_URL: it must start with amqp:// or redis://"),
        (["worker"], {"BROKER_URL": "http://mq"}, "BROKER_URL: it must start with amqp:// or redis://"),
        (["beat"], {"BROKER_URL": "http://mq"}, "BROKER_URL: it must start with amqp:// or redis://"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failure_is_one_line(command: list[str], env: dict[str, str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *command],
        cwd=ROOT,
        env={**os.environ, "BRIDGE_DATA_DIR": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_command_without_a_database_says_what_to_do(tmp_path: Path) -> None:
    answer = run("migrate", DATABASE_URL="", BRIDGE_DATA_DIR=str(tmp_path))

    assert answer.exit_code == 1
    assert "set DATABASE_URL" in answer.output
    assert "python -m bridge up" in answer.output


# -- migrate -----------------------------------------------------------------------------------------------------------


def test_migrating_twice_applies_nothing_twice(own: str) -> None:
    with db.transaction() as conn:
        conn.execute("UPDATE migration SET digest = '' WHERE name = 'function 2_lock_slots'")

    first, again = run("migrate", DATABASE_URL=own), run("migrate", DATABASE_URL=own)

    assert first.output == "applied function 2_lock_slots\n1 applied; the database is up to date.\n"
    assert again.output == "0 applied; the database is up to date.\n"


@pytest.mark.parametrize("command", [["audit"], ["keys", "list"], ["webhooks", "list"]])
def test_a_database_that_nobody_migrated_is_said_in_one_line(command: list[str], own: str) -> None:
    with db.transaction() as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")

    answer = run(*command, DATABASE_URL=own)

    assert answer.exit_code == 1
    assert answer.output.startswith("Error: The database is not of this version (relation ")
    assert answer.output.endswith("run `python -m bridge migrate`.\n")
    assert len(answer.output.splitlines()) == 1


# -- audit -------------------------------------------------------------------------------------------------------------


def test_an_audit_of_a_sound_ledger_finds_nothing(own: str) -> None:
    with db.transaction() as conn:
        make_hold(conn, *make_resource(conn))

    answer = run("audit", DATABASE_URL=own)

    assert (answer.exit_code, answer.output) == (0, "The ledger adds up: 0 findings.\n")


def test_an_audit_names_what_does_not_add_up(own: str) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
        make_hold(conn, resource_id, dates, quantity=2)
        conn.execute("UPDATE capacity SET held = 3 WHERE resource_id = %s AND on_date = %s", [resource_id, dates[0]])

    answer = run("audit", DATABASE_URL=own)

    assert answer.exit_code == 1
    assert answer.output.endswith("1 findings.\n")
    assert f"check=counters  resource_id={resource_id}" in answer.output
    assert "held=3" in answer.output


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_listed_and_revoked(own: str) -> None:
    made = run("keys", "create", "the shop", "--scope", "system", "--scope", "ops", DATABASE_URL=own)
    secret = made.stdout.strip()
    key_id = made.stderr.split()[0]
    listed = run("keys", "list", DATABASE_URL=own)
    revoked = run("keys", "revoke", key_id, DATABASE_URL=own)
    after = run("keys", "list", DATABASE_URL=own)

    assert re.fullmatch(r"bk_\S{40,}", secret)
    assert "(the shop): ops, system" in made.stderr
    assert [key_id in listed.output, "live" in listed.output, "the shop" in listed.output] == [True] * 3
    assert secret not in listed.output
    assert revoked.output == f"{key_id} is revoked.\n"
    assert "live" not in after.output
    assert re.search(r"revoked \d{4}-\d\d-\d\d \d\d:\d\d UTC", after.output)


def test_no_keys_yet_is_said_with_how_to_make_one(own: str) -> None:
    assert "keys create NAME --scope admin" in run("keys", "list", DATABASE_URL=own).output


def test_a_key_that_is_none_is_not_revoked(own: str) -> None:
    answer = run("keys", "revoke", "key_none", DATABASE_URL=own)

    assert (answer.exit_code, answer.output) == (1, "Error: There is no such API key.\n")


@pytest.mark.parametrize("scopes", [[], ["--scope", "root"]])
def test_a_key_needs_a_scope_there_is(own: str, scopes: list[str]) -> None:
    answer = run("keys", "create", "the shop", *scopes, DATABASE_URL=own)

    assert answer.exit_code == 2
    assert "--scope" in answer.output


# -- demo --------------------------------------------------------------------------------------------------------------


def test_the_demo_catalogue_is_loaded_once(own: str) -> None:
    first, again = run("demo", DATABASE_URL=own), run("demo", DATABASE_URL=own)

    assert first.output == "The demo catalogue is loaded.\n"
    assert again.output == "The demo catalogue is there already.\n"
    with db.transaction() as conn:
        rows = conn.execute("SELECT type::text, count(*) FROM resource GROUP BY 1 ORDER BY 1").fetchall()
    assert {row["type"]: row["count"] for row in rows} == {"GUIDE": 1, "STAFF": 1, "TOUR": 3, "VEHICLE": 1}


# -- send --------------------------------------------------------------------------------------------------------------


@responses.activate
def test_a_captured_event_is_sent_signed_and_about_the_hold_that_is_named() -> None:
    sent = responses.post("http://127.0.0.1:8124/webhooks/medusa", status=202, json={"event_id": "evt_1"})
    order_id = new_id("order")

    answer = run("send", str(CAPTURE), "--order", order_id, "--hold", "hold_1", "--quantity", "3", PORT="8124")

    request = sent.calls[0].request
    order = json.loads(request.body)["data"]["order"]
    assert (answer.exit_code, answer.output) == (0, '202 {"event_id": "evt_1"}\n')
    assert request.headers["webhook-signature"].startswith("v1,")
    assert (order["id"], len(order["items"])) == (order_id, 1)
    assert (order["items"][0]["metadata"], order["items"][0]["quantity"]) == ({"booking_hold_id": "hold_1"}, 3)


@responses.activate
def test_a_captured_event_is_sent_about_a_number_with_a_line_for_each_hold() -> None:
    sent = responses.post("http://127.0.0.1:8124/webhooks/medusa", status=202, json={"event_id": "evt_1"})

    run(
        "send", str(CAPTURE), "--number", "BK-1", "--hold", "hold_1", "--hold", "hold_2", "--quantity", "1", PORT="8124"
    )

    order = json.loads(sent.calls[0].request.body)["data"]["order"]
    assert order["metadata"] == {"booking_number": "BK-1"}
    assert [(line["metadata"]["booking_hold_id"], line["quantity"]) for line in order["items"]] == [
        ("hold_1", 1),
        ("hold_2", 1),
    ]
    assert len({line["id"] for line in order["items"]}) == 2


@responses.activate
def test_a_refused_event_is_a_failure() -> None:
    responses.post("http://127.0.0.1:8124/webhooks/medusa", status=401, json={})

    assert run("send", str(CAPTURE), PORT="8124").exit_code == 1


@responses.activate
def test_a_bridge_that_does_not_answer_is_said_in_one_line() -> None:
    answer = run("send", str(CAPTURE), PORT="8124")

    assert answer.exit_code == 1
    assert answer.output == (
        "Error: The bridge does not answer at http://127.0.0.1:8124: set HOST and PORT as it has them.\n"
    )


@pytest.mark.parametrize("text", ["# Booking bridge", "[]", ""], ids=["no JSON", "no object", "nothing"])
def test_what_is_no_event_is_not_sent(text: str, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(text)

    answer = run("send", str(tmp_path / "event.json"))

    assert answer.exit_code == 1
    assert answer.output.endswith("event.json is not an event: it must be a JSON object.\n")


# -- webhooks ----------------------------------------------------------------------------------------------------------


def test_a_webhook_is_made_rotated_disabled_enabled_tested_and_deleted(own: str) -> None:
    env = {"DATABASE_URL": own}

    made = run("webhooks", "create", "https://shop.example/hook", "--type", "booking.*", "--description", "shop", **env)
    webhook_id = re.search(r"webhook_\w+", made.output)[0]  # type: ignore[index]  # it is there, or the test fails
    rotated = run("webhooks", "rotate", webhook_id, **env)
    disabled = run("webhooks", "disable", webhook_id, **env)
    listed = run("webhooks", "list", **env)
    enabled = run("webhooks", "enable", webhook_id, **env)
    tried = run("webhooks", "test", webhook_id, **env)
    waiting = run("webhooks", "list", **env)
    deleted = run("webhooks", "delete", webhook_id, **env)
    empty = run("webhooks", "list", **env)

    assert made.stdout.startswith("whsec_")
    assert rotated.stdout.startswith("whsec_")
    assert rotated.stdout != made.stdout
    assert "disabled: disabled by a person" in listed.output
    assert "booking.*  https://shop.example/hook" in listed.output
    assert re.match(r"evt_\w+ is on its way", tried.output)
    assert "enabled" in waiting.output
    assert "1 waiting, 0 failed" in waiting.output
    assert {answer.exit_code for answer in (disabled, enabled, deleted)} == {0}
    assert "No webhooks yet" in empty.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["create", "http://shop.example"], "https"),
        (["create", "https://127.0.0.1"], "private"),
        (["create", "https://shop.example", "--type", "nothing.*"], "nothing.*"),
        (["rotate", "webhook_x"], "no such webhook"),
        (["disable", "webhook_x"], "no such webhook"),
        (["delete", "webhook_x"], "no such webhook"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(own: str, args: list[str], says: str) -> None:
    answer = run("webhooks", *args, DATABASE_URL=own)

    assert answer.exit_code == 1
    assert says in answer.output
