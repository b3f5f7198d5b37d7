"""/openapi.json: that it is the truth, and that nothing generated from it makes the bridge fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import time
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks

from bridge import db, errors
from bridge.config import Config
from bridge.core import blackouts, schedules
from bridge.ids import new_id
from bridge.web import create_app, health
from bridge.web.errors import STATUS
from tests import waiting
from tests.databases import own_database
from tests.factories import future_day, make_allocation, make_hold, make_reservation, make_resource
from tests.web.ops.rows import make_event, make_shortfall

Headers = dict[str, str]
Document = dict[str, Any]

DESCRIBED = ("/store", "/admin", "/api", "/ops/api", "/webhooks", "/healthz", "/readyz")
EXAMPLES = 8  # Of each operation and mode: half a minute in all, on a machine with nothing else to do.


@pytest.fixture
def document(client: FlaskClient) -> Document:
    document: Document = client.get("/openapi.json").json
    return document


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    """Every operation, by "GET /path"."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def error_classes(kind: type[errors.BridgeError] = errors.BridgeError) -> Iterator[type[errors.BridgeError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from error_classes(below)


# -- the document ------------------------------------------------------------------------------------------------------


def test_the_document_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


def test_an_invalid_document_would_be_noticed(document: Document) -> None:
    document["paths"]["/healthz"]["get"]["responses"]["200"] = {"description": 7}

    with pytest.raises(jsonschema_rs.ValidationError):
        schemathesis.openapi.from_dict(document).validate()


def test_every_reference_leads_somewhere(document: Document) -> None:
    named = set(re.findall(r'"\$ref": ?"#/components/schemas/(\w+)"', str(document).replace("'", '"')))

    assert named
    assert named <= set(document["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own(document: Document) -> None:
    names = [operation["operationId"] for _label, operation in operations(document)]

    assert len(names) == len(set(names))


def test_every_operation_says_what_it_does(document: Document) -> None:
    assert [label for label, operation in operations(document) if not operation["summary"]] == []


def test_every_operation_is_in_a_chapter_that_says_what_it_is_about(document: Document) -> None:
    chapters = {chapter["name"] for chapter in document["tags"] if chapter["description"]}
    used = {tag for operations in document["paths"].values() for each in operations.values() for tag in each["tags"]}

    assert used == chapters
    assert document["paths"]["/api/webhook"]["post"]["tags"] == ["webhooks"]


def test_every_route_is_in_it(app: Flask, document: Document) -> None:
    routes = {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(DESCRIBED)
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert {label for label, _operation in operations(document)} == routes


def test_every_error_code_it_names_exists_under_its_status(document: Document) -> None:
    statuses = {
        kind.code: "415" if kind is errors.UnsupportedMediaType else str(STATUS[kind.kind]) for kind in error_classes()
    }

    for label, operation in operations(document):
        for status, answer in operation["responses"].items():
            for code in re.findall(r"`(\w+)`:", answer["description"]) if int(status) >= 400 else ():
                assert statuses[code] == status, (label, code)


def test_whatever_demands_a_credential_says_so(app: Flask, document: Document) -> None:
    open_to_all = {label for label, operation in operations(document) if "security" not in operation}
    open_api = {label for label in open_to_all if label.split(" ")[1].startswith("/api/")}

    assert {label.split(" ")[1].split("/")[1] for label in open_to_all - open_api} == {
        *("store", "webhooks", "healthz", "readyz")
    }
    assert open_api == {
        "POST /api/calendar/availability",
        "GET /api/calendar/tours/{tour_id}/monthly",
        "GET /api/calendar/tours/{tour_id}/slots",
        "POST /api/calendar/bookings",
        "POST /api/calendar/waitlist",
        "GET /api/calendar/bookings/reference/{reference}",
        "GET /api/check-availability",
        "POST /api/reserve-availability",
        "GET /api/reservations/{booking_number}",
        "DELETE /api/reservations/{booking_number}/items/{item_id}",
        "POST /api/create-checkout-session",
        "POST /api/cleanup-expired",
        "POST /api/webhook",
    }


def test_the_page_that_shows_it_is_there(client: FlaskClient) -> None:
    answer = client.get("/docs/")

    assert answer.status_code == 200
    assert "swagger" in answer.text.lower()


# -- everything that can be generated from it --------------------------------------------------------------------------

# Not among them: whether valid data is accepted. Dates that must be in the future are beyond a schema.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


@pytest.fixture(scope="module")
def own_app(config: Config) -> Iterator[Flask]:
    """The application on a database of its own: what is generated closes days for every resource, and worse."""
    with own_database(config.database_url) as url, pytest.MonkeyPatch.context() as patch:
        # Nobody relays here, so whatever is owed early on is late by the time /readyz is asked.
        patch.setattr(health, "MAX_RELAY_LAG_SECONDS", 3600)
        yield create_app(replace(config, database_url=url))


@pytest.fixture
def known(own_app: Flask) -> dict[str, str]:
    """Rows for the names that paths, queries and bodies use, so that what is generated finds some."""
    order_id = new_id("order")
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
        allocation_id = make_allocation(conn, resource_id, dates, order_id=order_id)
        other_id, _dates = make_resource(conn)
        closed = blackouts.create_blackout(
            conn, resource_id=other_id, start_date=dates[0], end_date=dates[0], actor="tests"
        )
        reservation = make_reservation(conn, resource_id, dates)
        return {
            "bookingNumber": reservation.booking_number,
            "booking_number": reservation.booking_number,
            "item_id": reservation.items[0].id,
            "resource_id": resource_id,
            "hold_id": make_hold(conn, resource_id, dates),
            "allocation_id": allocation_id,
            "blackout_id": closed.blackout.id,
            "shortfall_id": make_shortfall(conn)[0],
            "order_id": order_id,
            "event_id": make_event(conn, order_id=order_id),
            "name": "bridge.events",
            **_tours(conn),
        }


def _tours(conn: db.Connection) -> dict[str, str]:
    """A full departure with a booking on it, and somebody who waits for it."""
    tour_id = waiting.make_tour(conn)
    slot_no = waiting.make_slot(conn, tour_id, capacity=1)
    booking_id = waiting.make_booking(conn, tour_id, slot_no)
    slot_id = waiting.slot_id_of(conn, slot_no)
    schedule = schedules.create_schedule(
        conn,
        tour_id=tour_id,
        name="Afternoons",
        start_time=time(15),
        duration_minutes=60,
        recurrence="daily",
        weekdays=[],
        custom_rule=None,
        max_capacity=5,
        min_capacity=1,
        valid_from=future_day(),
        valid_until=None,
        price_override=None,
        is_active=True,
    )
    return {
        "tour_id": tour_id,
        "slot_id": slot_id,
        "booking_slot_id": slot_id,
        "new_slot_id": slot_id,
        "schedule_id": schedule.id,
        "booking_id": booking_id,
        "entry_id": waiting.wait(conn, tour_id).id,
    }


def use_known(case: Case, known: dict[str, str]) -> None:
    """Have the case ask for rows that exist."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            part.update({name: known[name] for name in part if name in known})


@pytest.mark.parametrize(
    ("mode", "finds_rows"),
    [(GenerationMode.POSITIVE, False), (GenerationMode.NEGATIVE, False), (GenerationMode.POSITIVE, True)],
    ids=["valid", "not valid", "valid, of rows that exist"],
)
def test_nothing_generated_makes_an_operation_fail(
    own_app: Flask,
    admin: Headers,
    known: dict[str, str],
    subtests: pytest.Subtests,
    mode: GenerationMode,
    finds_rows: bool,
) -> None:
    """No answer is a failure of ours, each is as the document says, and what the document forbids is refused."""
    for operation in schemathesis.openapi.from_wsgi("/openapi.json", own_app).get_all_operations():
        cases = operation.ok().as_strategy(generation_mode=mode)

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def attempt(case: Case) -> None:
            # A list of nothing is wrong in a query and leaves nothing there: what arrives is a good request.
            assume([] not in (case.query or {}).values())
            if finds_rows:
                use_known(case, known)
            answer = case.call(headers=admin)
            case.validate_response(answer, headers=admin, checks=CHECKS)
            if answer.status_code >= 400:
                assert set(answer.json()) == {"type", "code", "message", "details"}

        # Nothing can be wrong with a request that has no parts.
        with subtests.test(operation.ok().label), suppress(Unsatisfiable):
            attempt()
