"""What must hold of the whole repository, whoever changes it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

import celeryconfig
import tasks
from bridge.core import events
from tasks import outgoing, relay

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("bridge", "tasks", "schemas") for path in (ROOT / folder).rglob("*.py"))

# -- who may call ------------------------------------------------------------------------------------------------------

# The store is for everybody, a webhook's signature is its credential, so is a guest's link, and somebody must be able
# to sign in.
OPEN_TO_ALL = ("/store/", "/webhooks/", "/manage/", "/healthz", "/readyz", "/metrics", "/openapi.json")
OPEN_TO_ALL += ("/docs/", "/static/")
# Of tours, what anybody may ask and do; whose booking it is, and what staff do, is beside them.
OPEN_TO_ALL += ("/api/calendar/availability", "/api/calendar/tours/", "/api/calendar/bookings/reference/")
# The basket: its number is the credential, and a signature that of the payments. Call by call: the sweep of
# everything takes a key.
OPEN_CALLS = {
    ("POST", "/api/calendar/bookings"),
    ("POST", "/api/calendar/waitlist"),
    ("GET", "/api/check-availability"),
    ("POST", "/api/reserve-availability"),
    ("GET", "/api/reservations/<booking_number>"),
    ("DELETE", "/api/reservations/<booking_number>/items/<item_id>"),
    ("POST", "/api/create-checkout-session"),
    ("POST", "/api/cleanup-expired"),
    ("POST", "/api/webhook"),
}
SIGN_IN = {"/ops/sign-in", "/ops/sign-out"}


def guarded_calls(app: Flask) -> Iterator[tuple[str, str]]:
    """Method and path of every route that must demand a credential."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(OPEN_TO_ALL) and rule.rule not in SIGN_IN:
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                if (method, rule.rule) not in OPEN_CALLS:
                    yield method, _filled(rule.rule)


def _filled(rule: str) -> str:
    """A path that the rule matches."""
    return re.sub(r"<[^>]+>", "x", re.sub(r"<any\((\w+)[^>]*>", r"\1", rule))


def test_every_other_route_demands_a_credential(app: Flask) -> None:
    calls = list(guarded_calls(app))

    for method, path in calls:
        # A client each: a flash message leaves a cookie.
        answer = app.test_client().open(path, method=method, json={} if path.startswith(("/admin", "/api")) else None)
        if path.startswith("/ops") and not path.startswith("/ops/api"):
            is_guarded = answer.status_code == 303 and answer.headers["Location"].startswith("/ops/sign-in")
        else:
            is_guarded = answer.status_code == 401
        assert is_guarded, (method, path, answer.status_code)
    assert {path.split("/")[1] for _method, path in calls} == {"admin", "api", "ops"}


# -- what runs in the background ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registered() -> set[str]:
    """Names of every task a worker knows."""
    tasks.celery.loader.import_default_modules()
    return set(tasks.celery.tasks)


def test_every_queue_that_tasks_go_to_is_declared_and_served() -> None:
    declared = {queue.name for queue in celeryconfig.task_queues}

    assert {route["queue"] for route in celeryconfig.task_routes.values()} == declared
    assert celeryconfig.task_default_queue in declared
    assert set(events.QUEUES) == declared  # Of these the worker takes its work.


def test_every_task_of_ours_has_a_queue(registered: set[str]) -> None:
    routed = tuple(pattern.removesuffix("*") for pattern in celeryconfig.task_routes)
    ours = {name for name in registered if name.startswith("tasks.")}

    assert ours
    assert {name for name in ours if not name.startswith(routed)} == set()


def test_every_task_that_beat_asks_for_exists(registered: set[str]) -> None:
    assert {entry["task"] for entry in celeryconfig.beat_schedule.values()} <= registered


def test_every_task_that_the_relay_rings_exists_in_the_queue_it_rings(registered: set[str]) -> None:
    for queue, name in relay.TASKS.items():
        assert name in registered
        assert celeryconfig.task_routes[f"{name.rpartition('.')[0]}.*"] == {"queue": queue}


def test_every_type_of_work_in_the_outbox_is_one_that_somebody_does() -> None:
    owed = set(_types_of_work())

    assert owed <= set(outgoing.WORK)
    assert owed


def _types_of_work() -> Iterator[str]:
    """The `type` of every call of `outbox.add_work`, which must be a literal."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "add_work":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                assert isinstance(given["type"], ast.Constant), f"{path}:{node.lineno}"
                yield given["type"].value


# -- how the code is cut -----------------------------------------------------------------------------------------------


def test_imports_point_down() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")

    checked = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


LONGEST_FILE = 300
LONG_FOR_A_REASON = {
    "bridge/errors.py",  # A list.
    "bridge/embedded/__init__.py",  # Two servers that are started and stopped as one.
}


def test_no_file_holds_two_nouns() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}

    assert {name for name, length in lengths.items() if length > LONGEST_FILE} <= LONG_FOR_A_REASON


LONGEST_FUNCTION = 60


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    }

    assert long == {}


def test_every_module_says_which_question_it_answers() -> None:
    silent = [path for path in SOURCES if (text := path.read_text()) and ast.get_docstring(ast.parse(text)) is None]

    assert silent == []


def test_only_config_reads_settings_from_the_environment() -> None:
    readers = {str(path.relative_to(ROOT)) for path in SOURCES if "os.environ" in path.read_text()}

    # The library that counts over several processes finds its folder there, and children inherit it.
    assert readers - {"bridge/web/health.py", "bridge/up.py", "bridge/serving.py"} == {"bridge/config.py"}


@pytest.mark.xdist_group("together")
def test_tests_of_one_group_run_in_one_process(request: pytest.FixtureRequest) -> None:
    """Those who share a broker or a whole bridge count on it; versions that do not fit together drop it silently."""
    is_distributed = "PYTEST_XDIST_WORKER" in os.environ

    assert request.node.nodeid.endswith("@together") == is_distributed
