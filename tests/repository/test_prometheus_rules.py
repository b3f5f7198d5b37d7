"""That the alerts which are shipped can be read, and watch metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from bridge import db
from bridge.core import audits

RULES = Path(__file__).parents[2] / "docs" / "prometheus-rules.yml"
OPERATING = RULES.with_name("operating.md")
OF_THE_LANGUAGE = {"sum", "increase", "rate", "and", "or", "unless", "by", "status"}
EXPECTED = {
    *("bookings_created_total", "bookings_cancelled_total", "booking_conflicts_total", "capacity_errors_total"),
    *("waitlist_conversions_total", "average_booking_time_seconds", "slot_utilization_percentage"),
    *("bridge_reservations_last_day", "bridge_reservation_refusals_total", "bridge_reservation_adds_total"),
    *("bridge_audit_drift", "bridge_relay_lag_seconds", "bridge_queue_failed"),
}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_every_alert_says_when_how_bad_and_what(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_every_alarm_that_operators_are_told_of_is_among_the_rules(rules: list[dict[str, Any]]) -> None:
    told = set(re.findall(r"`(bridge_\w+)`", OPERATING.read_text()))
    watched = {name for rule in rules for name in re.findall(r"bridge_\w+", rule["expr"])}

    assert told
    assert told - watched == set()


def test_every_metric_that_an_alert_names_is_there(rules: list[dict[str, Any]], client: FlaskClient) -> None:
    client.get("/healthz")  # So that a request was counted.
    with db.transaction() as conn:  # So that somebody looked at the ledger.
        audits.audit(conn)
    families = text_string_to_metric_families(client.get("/metrics").text)
    known = {sample.name for family in families for sample in family.samples}

    named = set()
    for rule in rules:
        plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", rule["expr"])
        named |= set(re.findall(r"[a-z_]{3,}", plain)) - OF_THE_LANGUAGE

    assert named >= EXPECTED
    assert named - known == set()
